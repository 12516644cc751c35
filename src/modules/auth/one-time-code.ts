import { timingSafeEqual } from 'node:crypto';
import { authenticate } from '../../platform/crypto/master-key.js';

const DIGITS = 6;
/** Of 2^48 values, so that no code is noticeably more likely than another. */
const BYTES = 6;

/** The code of a challenge: six digits of an HMAC under the master key, so that it need be kept nowhere. */
export function oneTimeCode(masterKey: Uint8Array, challengeId: string): string {
  const value = authenticate(masterKey, 'one-time-code', challengeId).readUIntBE(0, BYTES);
  return String(value % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** Compares in a time that does not tell how much of a guess was right. @param guess six digits */
export function isOneTimeCode(masterKey: Uint8Array, challengeId: string, guess: string): boolean {
  return timingSafeEqual(Buffer.from(oneTimeCode(masterKey, challengeId)), Buffer.from(guess));
}
