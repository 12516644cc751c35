import { createHash } from 'node:crypto';
import { DicomInspector, type DicomVerdict } from '../../../formats/dicom/inspector.js';
import { sniff, SNIFF_BYTES, type SniffedKind } from '../../../formats/sniff/sniff.js';
import type { Claim } from '../upload.ledger.js';
import { rejection, type Rejection } from '../uploads.rules.js';

/** What one pass over an object found: all that can be said without reading it again. */
export interface Pass {
  size: number;
  sha256: Buffer;
  kind: SniffedKind;
  /** Of everything but an archive. */
  dicom?: DicomVerdict;
}

/** The bytes ended before the bucket's own length: the connection broke, which says nothing about the object. */
export class IncompleteRead extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('the object was not read to its end');
    this.name = 'IncompleteRead';
  }
}

/**
 * Reads an object once: size, SHA-256 over every byte, its kind, and the DICOM header from its bounded head. Archives
 * are only hashed, if `archives` says so: their entries are read from the directory at their end.
 * @throws {IncompleteRead}
 */
export async function readThrough(
  object: { size: number; bytes: AsyncIterable<Uint8Array> },
  archives: boolean,
): Promise<Pass> {
  const hash = createHash('sha256');
  // Tools that anonymise or renumber often leave the File Meta Information behind; the data set is what counts.
  const inspector = new DicomInspector({ sopMismatch: 'accept' });
  let head: Buffer | undefined = Buffer.alloc(0);
  let kind: SniffedKind = 'unknown';
  let size = 0;
  const feed = async (bytes: Uint8Array) => {
    if (archives && kind === 'zip') return;
    inspector.write(bytes);
    if (inspector.drained) await inspector.drained;
  };
  for await (const chunk of object.bytes) {
    size += chunk.length;
    hash.update(chunk);
    if (!head) {
      await feed(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < SNIFF_BYTES) continue;
    kind = sniff(head);
    await feed(head);
    head = undefined;
  }
  if (size !== object.size) throw new IncompleteRead();
  if (head) {
    kind = sniff(head);
    await feed(head);
  }
  const pass = { size, sha256: hash.digest(), kind };
  return archives && kind === 'zip' ? pass : { ...pass, dicom: await inspector.end() };
}

/** What the object was declared to be and is not. */
export function misdeclared(
  { declaredSize, declaredSha256 }: Pick<Claim, 'declaredSize' | 'declaredSha256'>,
  { size, sha256 }: Pick<Pass, 'size' | 'sha256'>,
): Rejection | undefined {
  if (declaredSize !== null && BigInt(size) !== declaredSize) return rejection('size.mismatch');
  if (declaredSha256 !== null && !sha256.equals(declaredSha256)) return rejection('sha256.mismatch');
  return undefined;
}
