import { latin1 } from './latin1.js';

const UID = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*$/;

/** The longest UID that is legal, in characters (PS3.5 section 9.1). */
const MAX_UID_LENGTH = 64;

/** The UID without its padding: one NUL by the standard, NULs or spaces in practice. */
export function uidFromBytes(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end--;
  return latin1(bytes.subarray(0, end));
}

/**
 * PS3.5 section 9.1: components of digits without leading zeros, joined by dots. The root is not judged: real files
 * carry UIDs such as `1`, and nothing depends on who registered an arc.
 */
export function isLegalUid(uid: string): boolean {
  return uid.length <= MAX_UID_LENGTH && UID.test(uid);
}
