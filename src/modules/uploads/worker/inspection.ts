import { createHash } from 'node:crypto';
import { DicomInspector, type DicomHeader } from '../../../formats/dicom/inspector.js';
import { rejection, type Rejection } from '../uploads.rules.js';

/** What one pass over an object found. */
export type Inspection =
  { ok: true; size: number; sha256: Buffer; header: DicomHeader } | { ok: false; rejection: Rejection };

/** The bytes ended before the bucket's own length: the connection broke, which says nothing about the object. */
export class IncompleteRead extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('the object was not read to its end');
    this.name = 'IncompleteRead';
  }
}

/**
 * Reads an object once: size, SHA-256 over every byte, and the DICOM header from its bounded head.
 * @throws {IncompleteRead}
 */
export async function inspect(
  object: { size: number; bytes: AsyncIterable<Uint8Array> },
  declaredSize: bigint,
): Promise<Inspection> {
  const hash = createHash('sha256');
  // Tools that anonymise or renumber often leave the File Meta Information behind; the data set is what counts.
  const inspector = new DicomInspector({ sopMismatch: 'accept' });
  let size = 0;
  for await (const chunk of object.bytes) {
    size += chunk.length;
    hash.update(chunk);
    inspector.write(chunk);
    if (inspector.drained) await inspector.drained;
  }
  if (size !== object.size) throw new IncompleteRead();
  if (BigInt(size) !== declaredSize) return { ok: false, rejection: rejection('size.mismatch') };
  const verdict = await inspector.end();
  if (verdict.ok) return { ok: true, size, sha256: hash.digest(), header: verdict.header };
  const { rule, message, where } = verdict;
  return { ok: false, rejection: { rule, message, ...(where && { where }) } };
}
