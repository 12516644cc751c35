import { startsWithFileMeta } from '../dicom/file-meta.js';
import { latin1 } from '../dicom/latin1.js';
import { hasDicomPrefix } from '../dicom/preamble.js';

export type SniffedKind = 'dicom' | 'zip' | 'gzip' | 'nifti' | 'unknown';

/** Bytes of the head after which `sniff` can say no more: a NIfTI-1 header. */
export const SNIFF_BYTES = 352;

/**
 * What a file is by its first bytes, whatever its name says. It is a first guess that picks a reader, not a verdict.
 * DICOM goes first: its preamble may hold the mark of another format (PS3.10 section 7.1).
 */
export function sniff(head: Uint8Array): SniffedKind {
  if (hasDicomPrefix(head) || startsWithFileMeta(head)) return 'dicom';
  if (isZip(head)) return 'zip';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (isNifti(head)) return 'nifti';
  return 'unknown';
}

/** A local file header, or the end record that is all an empty archive has. */
function isZip(head: Uint8Array): boolean {
  if (head[0] !== 0x50 || head[1] !== 0x4b) return false;
  return (head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6);
}

/** NIfTI-1 has its magic at byte 344, NIfTI-2 at byte 4, behind its header size; single files have the `+`. */
function isNifti(head: Uint8Array): boolean {
  const at = (offset: number): string => latin1(head.subarray(offset, offset + 4));
  return at(344) === 'n+1\0' || at(344) === 'ni1\0' || at(4) === 'n+2\0' || at(4) === 'ni2\0';
}
