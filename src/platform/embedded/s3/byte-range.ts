import { S3Error } from './s3-error.js';

/** Inclusive positions. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * One range of a Range header (RFC 9110 section 14.1.2); undefined when the header is to be ignored: several ranges,
 * other units, bad syntax (as S3 does).
 * @throws S3Error InvalidRange when nothing of it lies within `size` bytes
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const m = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header?.trim() ?? '');
  if (!m || (m[1] === '' && m[2] === '')) return undefined;
  if (m[1] === '') {
    const length = Math.min(Number(m[2]), size);
    if (length === 0) throw invalidRange(size);
    return { start: size - length, end: size - 1 };
  }
  const start = Number(m[1]);
  if (m[2] !== '' && Number(m[2]) < start) return undefined;
  if (start >= size) throw invalidRange(size);
  return { start, end: m[2] === '' ? size - 1 : Math.min(Number(m[2]), size - 1) };
}

function invalidRange(size: number): S3Error {
  return new S3Error('InvalidRange', undefined, {
    elements: { ActualObjectSize: String(size) },
    headers: { 'content-range': `bytes */${size}` },
  });
}
