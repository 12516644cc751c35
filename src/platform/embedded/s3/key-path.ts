import { join } from 'node:path';

/**
 * Keys on disk. A key is cut at its slashes into directories, so that a listing by prefix reads only what lies under it.
 *
 * - Inside, keys are "binary strings" (one character per UTF-8 byte): comparing them compares the bytes, the order S3
 *   lists in.
 * - A name starts with what it is: `o~` an object, `d~` a segment followed by `/`, `c~` 80 bytes of a longer segment that
 *   goes on inside. So `a` and `a/b` live side by side, no name is `.`, `..` or reserved, and none exceeds 242 bytes.
 * - Only `a-z 0-9 _ - .` stand for themselves (no upper case, no trailing dot): names stay distinct on file systems
 *   which fold case or normalise Unicode. Other bytes are `%xx`.
 */
const PIECE_BYTES = 80;

export type EntryKind = 'o' | 'd' | 'c';

export interface DirectoryEntry {
  kind: EntryKind;
  /** What the entry adds to the key: the name, with its `/` for directories. Siblings sort by it. */
  part: string;
}

export function toBinary(key: string): string {
  return Buffer.from(key, 'utf8').toString('latin1');
}

export function fromBinary(binary: string): string {
  return Buffer.from(binary, 'latin1').toString('utf8');
}

function encodeName(kind: EntryKind, name: string): string {
  const escaped = name.replace(
    /[^a-z0-9_.-]|\.$/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `${kind}~${escaped}`;
}

function namesOf(segment: string, kind: 'o' | 'd'): string[] {
  const names: string[] = [];
  let rest = segment;
  // `>=`: a segment of exactly one piece goes through `c~` too, with an empty name inside, so that everything that
  // starts with the piece lies in one directory and siblings never interleave in the order of keys.
  while (rest.length >= PIECE_BYTES) {
    names.push(encodeName('c', rest.slice(0, PIECE_BYTES)));
    rest = rest.slice(PIECE_BYTES);
  }
  names.push(encodeName(kind, rest));
  return names;
}

/** Path of an object, relative to its bucket's root. Takes and never leaves this name space for any key. */
export function objectPath(binaryKey: string): string {
  const segments = binaryKey.split('/');
  const last = segments.pop()!;
  return join(...segments.flatMap((segment) => namesOf(segment, 'd')), ...namesOf(last, 'o'));
}

/**
 * The deepest directory that holds every key starting with `prefix`: `base` is what its path stands for (up to the last
 * slash of the prefix).
 */
export function prefixDirectory(prefix: string): { path: string; base: string } {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (base === '') return { path: '', base };
  const segments = base.slice(0, -1).split('/');
  return { path: join(...segments.flatMap((segment) => namesOf(segment, 'd'))), base };
}

/** Reads a name back; undefined for names that this module never wrote. */
export function decodeName(name: string): DirectoryEntry | undefined {
  const m = /^([odc])~((?:[a-z0-9_.-]|%[0-9a-f]{2})*)$/.exec(name);
  if (!m) return undefined;
  const kind = m[1] as EntryKind;
  const plain = m[2]!.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return { kind, part: kind === 'd' ? `${plain}/` : plain };
}

/** The file name of an entry. */
export function entryName(entry: DirectoryEntry): string {
  return encodeName(entry.kind, entry.kind === 'd' ? entry.part.slice(0, -1) : entry.part);
}
