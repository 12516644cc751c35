import { Readable } from 'node:stream';

/** The body as a stream that fails when it holds more or fewer bytes than `size`. */
export function exactly(body: AsyncIterable<Uint8Array>, size: number): Readable {
  return Readable.from(counted(body, size), { objectMode: false });
}

async function* counted(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const piece of body) {
    seen += piece.length;
    if (seen > size) throw new Error(`The body is longer than its ${size} bytes.`);
    if (piece.length > 0) yield piece;
  }
  if (seen < size) throw new Error(`The body ended after ${seen} of ${size} bytes.`);
}
