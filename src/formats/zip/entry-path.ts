/** Whether a name is a relative path that stays where it is put, on every system (CWE-22). */
export function isSafePath(name: string): boolean {
  if (name === '' || name.includes('\\') || name.includes('\0')) return false;
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
