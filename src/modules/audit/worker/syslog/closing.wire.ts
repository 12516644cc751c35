import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * A TCP connection below TLS that keeps two things apart which Node's TLS makes one: the other side's goodbye within TLS
 * (close_notify, which only the receiver itself can have said) and the end of its TCP stream (which anybody on the way can
 * forge). The latter is not passed on. Nor does our own stream end when TLS has said our goodbye, or is done: a receiver
 * that learns of the end from TCP first need not answer any more (RFC 5425, 4.4). That is for the socket's owner to do.
 */
export class ClosingWire extends Duplex {
  constructor(private readonly socket: Socket) {
    super({ allowHalfOpen: true });
    socket.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) socket.pause();
    });
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.resume();
    done(error);
  }
}
