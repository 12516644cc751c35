import { Readable, pipeline } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';

import { STORED, type ZipEntry } from './entry.js';
import type { InflateBudget } from './inflate-budget.js';
import { placeOf, ZipRefusal } from './rules.js';

/** Bytes that zlib hands out at a time. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of an entry, inflated as they are asked for. Size, checksum and budget are enforced; what is wrong at the
 * end is thrown there, after the last bytes.
 * @param compressed exactly the entry's compressed bytes.
 * @throws {ZipRefusal} zip.lying-size, zip.corrupt, zip.ratio, zip.too-large, or what the source throws
 */
export async function* inflateEntry(
  entry: ZipEntry,
  compressed: AsyncGenerator<Uint8Array, void, undefined>,
  budget: InflateBudget,
): AsyncGenerator<Uint8Array, void, undefined> {
  const where = placeOf(entry);
  let size = 0;
  let checksum = 0;
  const chunks = entry.header.method === STORED ? compressed : inflate(entry, compressed);
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > entry.size) throw new ZipRefusal('zip.lying-size', where);
    if (!budget.take(chunk.length)) throw new ZipRefusal(budget.rule, where);
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  if (size !== entry.size) throw new ZipRefusal('zip.lying-size', where);
  if (checksum !== entry.header.crc32) throw new ZipRefusal('zip.corrupt', where);
}

async function* inflate(
  entry: ZipEntry,
  compressed: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createInflateRaw({ chunkSize: CHUNK_BYTES });
  // An error of either destroys both; the loop below sees it. Leaving the loop destroys them as well.
  pipeline(Readable.from(compressed, { highWaterMark: 1 }), stream, () => {});
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (isZlibError(error)) throw new ZipRefusal('zip.corrupt', placeOf(entry));
    throw error;
  }
  // Bytes behind the end of the stream that inflating never looked at.
  if (stream.bytesWritten !== entry.compressedBytes) throw new ZipRefusal('zip.lying-size', placeOf(entry));
}

/** By its code: zlib's errors may come from another realm, where `instanceof` knows nothing. */
function isZlibError(error: unknown): boolean {
  return String((error as NodeJS.ErrnoException).code).startsWith('Z_');
}
