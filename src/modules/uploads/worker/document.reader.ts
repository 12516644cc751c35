import { createHash } from 'node:crypto';
import {
  CLINICAL_TYPES,
  DOCUMENT_TYPES,
  type DocumentKind,
  INSPECT_TYPES,
  inspectDocument,
} from '../../../formats/document/document.js';
import type { Claim } from '../upload.ledger.js';
import type { UploadSurface } from '../upload.issue.js';
import { rejection } from '../uploads.rules.js';
import type { Accepted, Rejected } from './content.js';
import { IncompleteRead, misdeclared } from './inspection.js';

/** What a surface takes for a document, by its declared media type. */
interface DocumentSurface {
  types: Readonly<Record<string, DocumentKind>>;
  /** Types we cannot check, but whoever configured the surface wants: kept by size and hash alone. */
  others: boolean;
}

/** Surfaces whose objects are documents, and never images: nothing of them goes into the index of studies. */
export const DOCUMENT_SURFACES: Readonly<Partial<Record<UploadSurface, DocumentSurface>>> = {
  results: { types: DOCUMENT_TYPES, others: false },
  files: { types: CLINICAL_TYPES, others: false },
  inspect: { types: INSPECT_TYPES, others: true },
};

interface ObjectBytes {
  size: number;
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * Reads a document once: size, SHA-256, and whether it is what its declared type says. It is kept as it is, and
 * registered nowhere: a Structured Report on a study does not become an instance of it. @throws {IncompleteRead}
 */
export async function readDocument(
  object: ObjectBytes,
  claim: Claim,
  { types, others }: DocumentSurface,
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
  const kind = types[claim.declaredType ?? ''];
  const verdict = kind ? await inspectDocument(passing(), kind) : await exhaust(passing());
  if (!kind && !others) return { rejection: rejection('type.not-allowed') };
  const sha256 = hash.digest();
  const objection = misdeclared(claim, { size, sha256 });
  if (objection) return { rejection: objection };
  if (!verdict || verdict.ok) return { size, sha256, content: { kind: kind ? plainName(kind) : 'file' } };
  const { rule, message, where } = verdict;
  return { rejection: { rule, message, ...(where && { where }) } };
}

/** How strictly it was read is not what it is. */
const plainName = (kind: DocumentKind): DocumentKind => kind.replace(/^clinical-/, '') as DocumentKind;

async function exhaust(bytes: AsyncIterable<Uint8Array>): Promise<undefined> {
  for await (const _ of bytes);
}
