import type { KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { z } from 'zod';
import { publicSealKey } from '../seal.js';

const keySetSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(10_000) });
const keySchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/),
  kid: z.string(),
});

/** A file of keys that cannot be used. Its message says why. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError';
}

/** The keys of a JSON Web Key Set (RFC 7517) that can sign seals, by `kid`; others are left out. @throws KeySetError */
export async function readKeySet(text: string): Promise<Map<string, KeyObject>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeySetError('it is not JSON');
  }
  const set = keySetSchema.safeParse(value);
  if (!set.success) throw new KeySetError('it is no JSON Web Key Set');
  const keys = new Map<string, KeyObject>();
  for (const each of set.data.keys) {
    const { success, data } = keySchema.safeParse(each);
    if (!success) continue;
    const { kid, kty, crv, x } = data;
    if ((await calculateJwkThumbprint({ kty, crv, x })) !== kid)
      throw new KeySetError('a key’s `kid` is not its thumbprint (RFC 7638)');
    keys.set(kid, publicSealKey(Buffer.from(x, 'base64url')));
  }
  if (keys.size === 0) throw new KeySetError('it has no Ed25519 key');
  return keys;
}
