import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** SHA-256, as it is stored for secrets of high entropy. */
export const sha256 = (value: string | Uint8Array): Buffer => createHash('sha256').update(value).digest();

/** A key of 32 bytes for one purpose, so that no key serves two (HKDF, RFC 5869). */
export function deriveKey(masterKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), `scandock/${purpose}`, 32));
}

/** HMAC-SHA-256 under a derived key. */
export function authenticate(masterKey: Uint8Array, purpose: string, message: string): Buffer {
  return createHmac('sha256', deriveKey(masterKey, purpose)).update(message).digest();
}

/** AES-256-GCM: nonce, tag, ciphertext. `context` is bound to it, so that a sealed value cannot be moved elsewhere. */
export function seal(masterKey: Uint8Array, context: string, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', deriveKey(masterKey, 'seal'), nonce).setAAD(
    Buffer.from(context),
  );
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Uint8Array.from(Buffer.concat([nonce, cipher.getAuthTag(), encrypted]));
}

/** Opens what {@link seal} made; throws when key, context or bytes differ. */
export function unseal(masterKey: Uint8Array, context: string, sealed: Uint8Array): Buffer {
  const decipher = createDecipheriv(
    'aes-256-gcm',
    deriveKey(masterKey, 'seal'),
    sealed.subarray(0, NONCE_BYTES),
    { authTagLength: TAG_BYTES }, // or a shorter one would do
  )
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const plain = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES));
  decipher.final(); // has no more of it, and throws
  return plain;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A secret of at least 256 random bits, alphanumeric so that no client percent-encodes it differently. */
export function newSecret(): string {
  let secret = '';
  while (secret.length < 43)
    for (const byte of randomBytes(64)) if (byte < 248 && secret.length < 43) secret += ALPHABET[byte % 62];
  return secret;
}
