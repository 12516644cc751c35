import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';

export const tlsFile = (name: string): string => fileURLToPath(new URL(`./tls/${name}`, import.meta.url));
export const tlsPem = (name: string): string => readFileSync(tlsFile(name), 'utf8');

/** A message as RFC 5424 reads it. */
export interface SyslogMessage {
  priority: number;
  time: string;
  host: string;
  app: string;
  process: string;
  id: string;
  structured: string;
  text: string;
}

/** `MSG-LEN SP SYSLOG-MSG` (RFC 5425, 4.3), over and over. Returns what is whole and how many bytes that was. */
export function readFrames(bytes: Buffer): { messages: SyslogMessage[]; read: number } {
  const messages: SyslogMessage[] = [];
  let read = 0;
  for (;;) {
    const [head, digits] = /^([1-9]\d{0,8}) /.exec(bytes.subarray(read, read + 10).toString('latin1')) ?? [];
    if (!head || read + head.length + Number(digits) > bytes.length) return { messages, read };
    const start = read + head.length;
    messages.push(readMessage(bytes.subarray(start, start + Number(digits))));
    read = start + Number(digits);
  }
}

const MESSAGE =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) (-|\[.*?\]) \ufeff([^]*)$/;

function readMessage(bytes: Buffer): SyslogMessage {
  const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const found = MESSAGE.exec(decoded);
  if (!found) throw new Error(`not of RFC 5424: ${decoded.slice(0, 120)}`);
  const [, priority, time, host, app, process, id, structured, text] = found as unknown as string[];
  return {
    priority: Number(priority),
    time: time!,
    host: host!,
    app: app!,
    process: process!,
    id: id!,
    structured: structured!,
    text: text!,
  };
}

/** A syslog receiver as others make them: it knows of us what the RFCs say. */
export class SyslogReceiver {
  readonly messages: SyslogMessage[] = [];
  connections = 0;
  /** Called for each connection when its handshake is done; what it does comes instead of reading. */
  behave: ((connection: TLSSocket) => void) | undefined;
  private readonly open = new Set<Socket>();
  private readonly server;

  private constructor(certificate: string, options: TlsOptions) {
    this.server = createServer(
      {
        cert: tlsPem(`${certificate}.pem`),
        key: tlsPem(`${certificate}.key.pem`),
        minVersion: 'TLSv1.2',
        ...options,
      },
      (connection) => this.take(connection),
    );
    this.server.on('connection', (socket: Socket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket)).on('error', () => undefined);
    });
    this.server.on('tlsClientError', () => undefined);
  }

  static async listen({
    port = 0,
    certificate = 'receiver',
    ...options
  }: TlsOptions & { port?: number; certificate?: string } = {}): Promise<SyslogReceiver> {
    const receiver = new SyslogReceiver(certificate, options);
    await new Promise<void>((resolve) => receiver.server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** As a machine that loses its power. */
  async die(): Promise<void> {
    for (const socket of this.open) socket.resetAndDestroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Ends one connection as a machine would that knows nothing of it any more. */
  reset(connection: TLSSocket): void {
    for (const socket of this.open) if (socket.remotePort === connection.remotePort) socket.resetAndDestroy();
  }

  /** Ends one connection as the end of its process would. */
  abandon(connection: TLSSocket): void {
    for (const socket of this.open) if (socket.remotePort === connection.remotePort) socket.destroy();
  }

  private take(connection: TLSSocket): void {
    this.connections++;
    connection.on('error', () => undefined);
    if (this.behave) return this.behave(connection);
    this.read(connection);
  }

  /** Reads to the end; what is whole counts at once. */
  read(connection: TLSSocket): void {
    let rest = Buffer.alloc(0);
    connection.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      const { messages, read } = readFrames(rest);
      this.messages.push(...messages);
      rest = rest.subarray(read);
    });
  }
}

/** Of a TLS record (RFC 8446, 5.1). */
const APPLICATION_DATA = 23;

/**
 * Somebody on the way, who lets the handshake pass, keeps what follows for himself, and then ends the connection as TCP
 * would. Returns his port.
 */
export async function swallower(
  port: number,
): Promise<{ port: number; swallowed: () => number; close: () => void }> {
  let swallowed = 0;
  const server = createTcpServer((client) => {
    const onward = connect(port, '127.0.0.1');
    client.on('error', () => onward.destroy());
    onward.on('error', () => client.destroy());
    onward.on('data', (chunk) => client.write(chunk));
    let rest = Buffer.alloc(0);
    let enciphered = 0;
    let quiet: NodeJS.Timeout | undefined;
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
        const record = rest.subarray(0, 5 + rest.readUInt16BE(3));
        rest = rest.subarray(record.length);
        // The first enciphered record of a client ends the handshake of TLS 1.3; what comes after it is data.
        if (record[0] !== APPLICATION_DATA || enciphered++ === 0) onward.write(record);
        else swallowed += record.length;
      }
      clearTimeout(quiet);
      if (swallowed > 0) quiet = setTimeout(() => client.end(), 200);
    });
    client.on('close', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    swallowed: () => swallowed,
    close: () => void server.close(),
  };
}
