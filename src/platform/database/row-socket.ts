import { Socket } from 'node:net';

/** As much as is read at once, in bytes. */
const READ_BYTES = 64 * 1024;

/**
 * A connection that reads into the same memory again and again: fresh memory for each read makes the collector of garbage
 * run ever so often while millions of rows come by. Who listens for `data` is given a copy, unless he `borrows`.
 */
export interface RowSocket extends Socket {
  /** What `data` gives is another's as soon as the listener returns. */
  borrows?: boolean;
}

/** For `pg`, which asks for a socket. Of TLS an ordinary one: that reads past whatever this one would do. */
export function rowSocket({ ssl }: { ssl?: unknown } = {}): RowSocket {
  if (ssl) return new Socket();
  const socket: RowSocket = new Socket({
    onread: {
      buffer: Buffer.alloc(READ_BYTES),
      callback: (length: number, memory: Uint8Array) => {
        const read = Buffer.from(memory.buffer, memory.byteOffset, length);
        socket.emit('data', socket.borrows ? read : Buffer.from(read));
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  return socket;
}
