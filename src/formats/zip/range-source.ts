/** Bytes that can be read from anywhere: an object of a bucket by ranged GETs, a file, or memory. */
export interface RangeSource {
  /** Length of the whole, in bytes. */
  readonly size: number;
  /** The bytes from `start` up to and without `end`; each call is one request. Ending the loop early ends the request. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** The source gave another number of bytes than was asked for: a broken connection, which says nothing about the archive. */
export class ShortRead extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('a range was not read to its end');
    this.name = 'ShortRead';
  }
}

/** A source over bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): RangeSource {
  return {
    size: bytes.length,
    async *read(start, end) {
      yield bytes.subarray(start, end);
    },
  };
}
