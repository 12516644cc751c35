import {
  ElementHeader,
  ILLEGAL_VR,
  MIN_HEADER_BYTES,
  NEEDS_MORE_BYTES,
  readU16le,
  readU32le,
  UNDEFINED_LENGTH,
} from './element-header.js';
import { hasDicomPrefix, isPolyglotPreamble, PREAMBLE_BYTES } from './preamble.js';
import type { DicomFailure, DicomRule } from './rules.js';
import { formatTag, TAG } from './tag.js';
import { EXPLICIT_LITTLE_ENDIAN, isDeflated } from './transfer-syntax.js';
import { isLegalUid, uidFromBytes } from './uid.js';

/** The most that a File Meta Information group may occupy, in bytes. Real ones have a few hundred. */
const MAX_FILE_META_BYTES = 1024 * 1024;

const MEDIA_STORAGE_DIRECTORY_STORAGE = '1.2.840.10008.1.3.10';
const FILE_META_GROUP = 0x0002;

/** The File Meta Information of PS3.10 section 7.1, as far as the reader needs it. */
export interface FileMeta {
  readonly transferSyntaxUid: string;
  readonly mediaStorageSopInstanceUid: string;
  /** Offset in the file of the first byte of the data set. */
  readonly dataSetOffset: number;
}

export type FileMetaResult =
  | { readonly kind: 'more' }
  | { readonly kind: 'failure'; readonly failure: DicomFailure }
  | { readonly kind: 'meta'; readonly meta: FileMeta };

/**
 * Reads preamble and File Meta Information from the head of a file. A missing preamble is tolerated when the group
 * itself stands at the start, and a missing or wrong group length always: the group ends where its number does.
 * @param complete whether `head` is the whole file; otherwise the answer may be that more is needed.
 */
export function readFileMeta(head: Uint8Array, complete: boolean): FileMetaResult {
  const start = startOfGroup(head, complete);
  if (start === undefined) {
    return complete || head.length >= PREAMBLE_BYTES + 4 ? fail('dicom.not-part10') : { kind: 'more' };
  }
  if (start > 0 && isPolyglotPreamble(head)) return fail('dicom.polyglot', 'byte 0');

  const header = new ElementHeader();
  const uids = new Map<number, string>();
  let groupEnd: number | undefined;
  let at = start;
  for (;;) {
    const available = head.length - at;
    if (available < 2 && !complete) return { kind: 'more' };
    // The first bytes of a deflated data set can look like any group: there the group length must decide.
    const deflated = isDeflated(uids.get(TAG.transferSyntaxUid) ?? '');
    if (available < 2 || readU16le(head, at) !== FILE_META_GROUP || (deflated && at === groupEnd)) break;
    if (available < MIN_HEADER_BYTES) return short(complete, at);
    const size = header.read(head, at, available, EXPLICIT_LITTLE_ENDIAN);
    if (size === NEEDS_MORE_BYTES) return short(complete, at);
    if (size === ILLEGAL_VR || header.length === UNDEFINED_LENGTH) {
      return start === 0 ? fail('dicom.not-part10') : fail('dicom.malformed', formatTag(header.tag));
    }
    const end = at + size + header.length;
    if (end - start > MAX_FILE_META_BYTES) return fail('dicom.header-too-large', formatTag(header.tag));
    if (end > head.length) return short(complete, at);
    if (header.tag === TAG.fileMetaGroupLength && header.length === 4)
      groupEnd = end + readU32le(head, at + size);
    if (isWanted(header.tag)) uids.set(header.tag, uidFromBytes(head.subarray(at + size, end)));
    at = end;
  }
  if (at === start) return fail('dicom.not-part10');
  return conclude(uids, at, head.length - at >= 2);
}

function conclude(uids: Map<number, string>, dataSetOffset: number, hasDataSet: boolean): FileMetaResult {
  if (uids.get(TAG.mediaStorageSopClassUid) === MEDIA_STORAGE_DIRECTORY_STORAGE)
    return fail('dicom.dicomdir');
  if (!hasDataSet) return fail('dicom.truncated', `byte ${dataSetOffset}`);
  const transferSyntaxUid = uids.get(TAG.transferSyntaxUid) ?? '';
  const where = formatTag(TAG.transferSyntaxUid);
  if (transferSyntaxUid === '') return fail('dicom.malformed', where);
  if (!isLegalUid(transferSyntaxUid)) return fail('dicom.bad-uid', where);
  const mediaStorageSopInstanceUid = uids.get(TAG.mediaStorageSopInstanceUid) ?? '';
  return {
    kind: 'meta',
    meta: { transferSyntaxUid, mediaStorageSopInstanceUid, dataSetOffset },
  };
}

/** Offset of the first element of the group, or undefined if this is no DICOM file (or not enough of it). */
function startOfGroup(head: Uint8Array, complete: boolean): number | undefined {
  if (hasDicomPrefix(head)) return PREAMBLE_BYTES + 4;
  // Without a prefix, wait until it is certain that there is none: a preamble may hold anything.
  if (!complete && head.length < PREAMBLE_BYTES + 4) return undefined;
  return startsWithFileMeta(head) ? 0 : undefined;
}

/** Whether bytes begin with an element of the File Meta Information: a DICOM file that has lost its preamble. */
export function startsWithFileMeta(head: Uint8Array): boolean {
  if (head.length < MIN_HEADER_BYTES || readU16le(head, 0) !== FILE_META_GROUP) return false;
  return new ElementHeader().read(head, 0, head.length, EXPLICIT_LITTLE_ENDIAN) !== ILLEGAL_VR;
}

function isWanted(tag: number): boolean {
  return (
    tag === TAG.transferSyntaxUid ||
    tag === TAG.mediaStorageSopClassUid ||
    tag === TAG.mediaStorageSopInstanceUid
  );
}

function short(complete: boolean, at: number): FileMetaResult {
  return complete ? fail('dicom.truncated', `byte ${at}`) : { kind: 'more' };
}

function fail(rule: DicomRule, where?: string): FileMetaResult {
  return { kind: 'failure', failure: { rule, where } };
}
