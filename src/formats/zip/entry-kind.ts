import { sniff } from '../sniff/sniff.js';
import type { ZipEntry } from './entry.js';
import { isFolderIcon, pathParts } from './entry-path.js';

/** Why an entry is not looked at, or not taken. */
export type SkipReason = 'directory' | 'hidden' | 'dicomdir' | 'archive' | 'other';

/** What an entry is by its name alone. Only the first three are settled by it; otherwise the content decides. */
export type NamedKind =
  | 'directory'
  | 'hidden'
  | 'dicomdir'
  | 'sidecar'
  | 'dicom'
  | 'volume'
  | 'bval'
  | 'bvec'
  | 'archive'
  | 'other';

const SIDECAR = 'metadata.json';
const EXTENSIONS: readonly (readonly [NamedKind, RegExp])[] = [
  ['dicom', /\.(?:dcm|dicom)$/],
  ['volume', /\.nii(?:\.gz)?$/],
  ['bval', /\.bvals?$/],
  ['bvec', /\.bvecs?$/],
  ['archive', /\.(?:zip|7z|rar|tar|t?gz|tgz|bz2|tbz2?|xz|zst|lz|lzma|cab|iso|jar)$/],
];

/** Dotfiles and macOS's `__MACOSX` hold what a system wants to remember of the files, under the same names. */
export function kindByName(entry: Pick<ZipEntry, 'name' | 'isDirectory'>): NamedKind {
  if (entry.isDirectory) return 'directory';
  const parts = pathParts(entry.name);
  const base = parts.at(-1) ?? '';
  if (parts.some((part) => part.startsWith('.') || part === '__MACOSX') || isFolderIcon(base))
    return 'hidden';
  if (base.toUpperCase() === 'DICOMDIR') return 'dicomdir';
  if (parts.length === 1 && base === SIDECAR) return 'sidecar';
  const lower = base.toLowerCase();
  return EXTENSIONS.find(([, pattern]) => pattern.test(lower))?.[0] ?? 'other';
}

/** What an entry is, by its name and its first bytes (SNIFF_BYTES of them): DICOM by what it holds, whatever its name. */
export function kindByContent(named: NamedKind, head: Uint8Array): NamedKind {
  const sniffed = sniff(head);
  if (sniffed === 'dicom') return 'dicom';
  if (named === 'other' && (sniffed === 'zip' || sniffed === 'gzip' || isOtherArchive(head)))
    return 'archive';
  return named;
}

/** Archives that are not ZIP: 7z, RAR, xz, bzip2, and tar, whose mark is at byte 257. */
const MARKS: readonly (readonly [at: number, mark: string])[] = [
  [0, '7z\xbc\xaf\x27\x1c'],
  [0, 'Rar!\x1a\x07'],
  [0, '\xfd7zXZ\0'],
  [0, 'BZh'],
  [257, 'ustar'],
];

function isOtherArchive(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 262)).toString('latin1');
  return MARKS.some(([at, mark]) => text.startsWith(mark, at));
}
