import type { ObjectMetadata } from './object-file.js';
import { S3Error } from './s3-error.js';

export interface Conditions {
  match: string | undefined;
  noneMatch: string | undefined;
  modifiedSince: string | undefined;
  unmodifiedSince: string | undefined;
}

/** Collects the four conditions from headers with a common prefix ('' or 'x-amz-copy-source-'). */
export function readConditions(header: (name: string) => string | undefined, prefix = ''): Conditions {
  return {
    match: header(`${prefix}if-match`),
    noneMatch: header(`${prefix}if-none-match`),
    modifiedSince: header(`${prefix}if-modified-since`),
    unmodifiedSince: header(`${prefix}if-unmodified-since`),
  };
}

function lists(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some(
    (tag) =>
      tag
        .trim()
        .replace(/^W\//, '')
        .replace(/^"(.*)"$/, '$1') === etag,
  );
}

/** Whole seconds, as HTTP dates have; undefined for a date that cannot be read (RFC 9110: such a header is ignored). */
function seconds(date: string): number | undefined {
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/**
 * Conditions of a read (RFC 9110 section 13.2.2: If-Match outranks If-Unmodified-Since, If-None-Match outranks
 * If-Modified-Since).
 * @throws S3Error PreconditionFailed, NotModified (PreconditionFailed for the source of a copy)
 */
export function checkRead(conditions: Conditions, object: ObjectMetadata, ofCopySource = false): void {
  const modified = Math.floor(object.lastModified / 1000);
  if (conditions.match !== undefined) {
    if (!lists(conditions.match, object.etag)) throw new S3Error('PreconditionFailed');
  } else if (conditions.unmodifiedSince !== undefined) {
    const since = seconds(conditions.unmodifiedSince);
    if (since !== undefined && modified > since) throw new S3Error('PreconditionFailed');
  }
  const since = conditions.modifiedSince === undefined ? undefined : seconds(conditions.modifiedSince);
  const unchanged =
    conditions.noneMatch !== undefined
      ? lists(conditions.noneMatch, object.etag)
      : since !== undefined && modified <= since;
  if (unchanged) throw new S3Error(ofCopySource ? 'PreconditionFailed' : 'NotModified');
}

/**
 * Conditions of a write: If-None-Match allows `*` only, If-Match an entity tag (S3 "conditional writes").
 * @throws S3Error NotImplemented for other forms, at once
 */
export function writeCondition(
  header: (name: string) => string | undefined,
): ((current: ObjectMetadata | undefined) => void) | undefined {
  const { match, noneMatch } = readConditions(header);
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    throw new S3Error('NotImplemented', 'If-None-Match of a write must be *.');
  }
  if (match === undefined && noneMatch === undefined) return undefined;
  return (current) => {
    if (noneMatch !== undefined && current) throw new S3Error('PreconditionFailed');
    if (match === undefined) return;
    if (!current) throw new S3Error('NoSuchKey');
    if (!lists(match, current.etag)) throw new S3Error('PreconditionFailed');
  };
}
