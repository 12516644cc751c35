import { createHash } from 'node:crypto';
import { authenticate } from '../../../platform/crypto/master-key.js';
import type { EventFilter } from '../event.filter.js';
import type { WriteExportPayload } from '../exports.jobs.js';
import type { SentPart } from './export.parts.js';
import type { ExportScope, Interval } from './export.scope.js';

/** What an export is of. */
export interface Subject extends WriteExportPayload, Interval {
  format: string;
  filter: EventFilter;
  scope: ExportScope | undefined;
}

/** How far an export is, as an attempt leaves it to the next one. */
export interface Progress {
  /** Position of the next event. */
  next: number;
  /** Whether the file is whole. */
  written: boolean;
  /** {@link withPart} of all its parts, in order. */
  digest: Buffer;
}

export const NO_PARTS = Buffer.alloc(32);

/** SHA-256 over a part and the digest of those before it. */
export function withPart(
  digest: Uint8Array,
  { number, etag, bytes, rows, sha256, next, held, months }: SentPart,
): Buffer {
  const part = JSON.stringify([number, etag, bytes, rows, sha256.toString('hex'), next, held, months]);
  return createHash('sha256').update(digest).update(part).digest();
}

/**
 * Says that a worker has come so far with this export. What it signs in the end it has written itself: who can write to the
 * table cannot have it take up a file, a part or an interval that it has not.
 */
export function progressMac(
  masterKey: Uint8Array,
  { organizationId, exportId, format, from, to, filter, scope }: Subject,
  { next, written, digest }: Progress,
): Buffer {
  const said = [
    organizationId,
    exportId,
    format,
    from,
    to,
    filter,
    scope,
    next,
    written,
    digest.toString('hex'),
  ];
  return authenticate(masterKey, 'audit-export', JSON.stringify(said));
}
