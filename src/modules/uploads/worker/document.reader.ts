import { createHash } from 'node:crypto';
import { DOCUMENT_TYPES, inspectDocument } from '../../../formats/document/document.js';
import type { Claim } from '../upload.ledger.js';
import { rejection } from '../uploads.rules.js';
import type { Accepted, Rejected } from './content.js';
import { IncompleteRead, misdeclared } from './inspection.js';

/**
 * Reads a document once: size, SHA-256, and whether it is what its declared type says. It is kept as it is, and
 * registered nowhere: a Structured Report on a study does not become an instance of it. @throws {IncompleteRead}
 */
export async function readDocument(
  object: { size: number; bytes: AsyncIterable<Uint8Array> },
  claim: Claim,
): Promise<Accepted | Rejected> {
  const hash = createHash('sha256');
  let size = 0;
  const passing = async function* () {
    for await (const chunk of object.bytes) {
      size += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
    // Before any verdict: what broke off says nothing about the object.
    if (size !== object.size) throw new IncompleteRead();
  };
  const kind = DOCUMENT_TYPES[claim.declaredType ?? ''];
  const verdict = await inspectDocument(passing(), kind ?? 'txt');
  if (!kind) return { rejection: rejection('type.not-allowed') };
  const sha256 = hash.digest();
  const objection = misdeclared(claim, { size, sha256 });
  if (objection) return { rejection: objection };
  if (verdict.ok) return { size, sha256, content: { kind } };
  const { rule, message, where } = verdict;
  return { rejection: { rule, message, ...(where && { where }) } };
}
