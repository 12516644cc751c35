import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { ClosingWire } from './closing.wire.js';

export interface Receiver {
  host: string;
  port: number;
  /** `ca` absent: the usual authorities. */
  credentials: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;
  /** Whether only TLS's own goodbye confirms; otherwise the end of the TCP stream does as well. */
  needsCloseNotify: boolean;
  /** How long nothing may move, in milliseconds. */
  stallMs: number;
}

/** Why nothing is known to have been taken. The code is a word for the log. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';

  constructor(readonly code: 'closed_early' | 'no_close_notify' | 'stalled' | 'stopped') {
    super(`delivery: ${code}`);
  }
}

/** How long a goodbye may take to be deciphered when the end of the stream it came in has been seen. */
const GOODBYE_MS = 1_000;

/**
 * Sends frames over a connection of their own and resolves when the receiver has plainly taken all of them. Syslog has no
 * acknowledgement, but TLS has an end: after the last frame we say goodbye, and the receiver's program comes upon that only
 * when it has read everything before; then it says goodbye and hangs up. Whatever else happens first (a reset, an end of its
 * own accord, nothing) is a failure, after which all of it has to be sent again. Certificate and host name are checked
 * before anything is sent; TLS 1.2 at least.
 */
export async function deliver(
  receiver: Receiver,
  frames: readonly Buffer[],
  signal?: AbortSignal,
): Promise<void> {
  const { host, port } = receiver;
  const socket = connectTcp({ host, port, allowHalfOpen: true, keepAlive: true });
  const tls = connectTls({
    ...receiver.credentials,
    socket: new ClosingWire(socket),
    host, // what the certificate has to be for
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
  const conversation = new Conversation(socket, tls, receiver);
  const stop = () => conversation.fail(new DeliveryError('stopped'));
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) stop();
    await conversation.run(frames);
  } finally {
    signal?.removeEventListener('abort', stop);
    tls.destroy();
    socket.destroy();
  }
}

/** One connection from its first byte to its last. Any error, and any end before its time, ends it. */
class Conversation {
  fail!: (error: unknown) => void;
  private readonly failed: Promise<never>;
  /** From here on an end is an answer. */
  private saidGoodbye = false;

  constructor(
    private readonly socket: Socket,
    private readonly tls: TLSSocket,
    private readonly receiver: Receiver,
  ) {
    this.failed = new Promise<never>((_, reject) => (this.fail = reject));
    this.failed.catch(() => undefined); // it may come when nobody waits any more
    const early = () => {
      if (!this.saidGoodbye) this.fail(new DeliveryError('closed_early'));
    };
    for (const stream of [tls, socket])
      stream
        .on('error', (error) => this.fail(error))
        .on('end', early)
        .on('close', early);
    socket.setTimeout(receiver.stallMs, () => this.fail(new DeliveryError('stalled')));
    tls.resume(); // a receiver has nothing to say; whatever it says is not for us
  }

  async run(frames: readonly Buffer[]): Promise<void> {
    await this.first(this.tls, 'secureConnect');
    for (const frame of frames) if (!this.tls.write(frame)) await this.first(this.tls, 'drain');
    const goodbye = once(this.tls, 'end');
    const hungUp = once(this.socket, 'end');
    const closed = once(this.socket, 'close');
    this.saidGoodbye = true;
    this.tls.end();
    await Promise.race([goodbye, hungUp, this.failed]);
    if (this.receiver.needsCloseNotify) await Promise.race([goodbye, this.failed, noGoodbye()]);
    this.socket.end();
    await Promise.race([hungUp, this.failed]);
    await Promise.race([closed, this.failed]); // a reset comes before: not all had been read
  }

  private first(stream: TLSSocket, event: string): Promise<void> {
    return Promise.race([once(stream, event), this.failed]);
  }
}

const once = (stream: Socket | TLSSocket, event: string): Promise<void> =>
  new Promise((resolve) => stream.once(event, () => resolve()));

const noGoodbye = (): Promise<never> =>
  new Promise((_, reject) =>
    setTimeout(() => reject(new DeliveryError('no_close_notify')), GOODBYE_MS).unref(),
  );
