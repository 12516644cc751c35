/**
 * Control characters (C0, DEL, C1) rewrite the terminal of whoever lists the names; bidirectional embeddings, overrides
 * and isolates make a name look like another one (Unicode TR 36 section 3.8, CVE-2021-42574).
 */
const DECEPTIVE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const CONTROL_BYTE = /[\u0000-\u001f\u007f]/;

/** In which macOS keeps the icon of a folder: the carriage return, a note in code page 437, means no harm. */
const FOLDER_ICON = /(^|\/)(?:\._)?Icon[\r♪]$/;

export const isFolderIcon = (name: string): boolean => FOLDER_ICON.test(name);

/**
 * Whether a name is a relative path that stays where it is put, on every system (CWE-22), and is what it looks like.
 * @param rawName its bytes: where they are read as code page 437, control characters have glyphs.
 */
export function isSafePath(name: string, rawName: Buffer): boolean {
  if (DECEPTIVE.test(name.replace(FOLDER_ICON, ''))) return false;
  if (CONTROL_BYTE.test(rawName.toString('latin1').replace(FOLDER_ICON, ''))) return false;
  if (name === '' || name.includes('\\')) return false;
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return false;
  return !name.split('/').includes('..');
}

/** One text for all spellings of a path, to find two entries that would be one file. */
export function normalPath(name: string, rawName: Buffer): string {
  // Bytes that are no text all decode to the same character, but are different names.
  const text = name.includes('\ufffd') ? rawName.toString('latin1') : name.normalize('NFC');
  return pathParts(text).join('/');
}

/** The components of a path, without those that lead nowhere. */
export function pathParts(name: string): string[] {
  return name.split('/').filter((part) => part !== '' && part !== '.');
}
