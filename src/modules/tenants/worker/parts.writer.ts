import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';

/** Bytes of one part, and all that is held in memory: 10,000 parts are 160 GB, compressed. */
const PART_BYTES = 16 * 1024 * 1024;

export interface Written {
  /** Compressed. */
  bytes: number;
  sha256: Buffer;
}

/**
 * Writes text, compressed, as the parts of one object. It is not complete until the caller says so.
 * @param written is told of each piece that was compressed, in bytes
 */
export async function writeCompressed(
  upload: MultipartUpload,
  text: AsyncIterable<string>,
  written: (bytes: number) => void,
): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(Readable.from(text), createGzip(), async (compressed: AsyncIterable<Buffer>) => {
    let part: Buffer[] = [];
    let length = 0;
    const flush = async () => {
      await upload.add(Buffer.concat(part, length));
      [part, length] = [[], 0];
    };
    for await (const piece of compressed) {
      hash.update(piece);
      part.push(piece);
      length += piece.length;
      bytes += piece.length;
      written(piece.length);
      if (length >= PART_BYTES) await flush();
    }
    if (length > 0) await flush();
  });
  return { bytes, sha256: hash.digest() };
}
