import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { seal, unseal } from '../../platform/crypto/master-key.js';

/** ECDSA on P-256 with SHA-256 (RFC 7518): small tokens, quick to sign; the one algorithm of every key. */
export const SIGNING_ALGORITHM = 'ES256';

export interface SigningKeyPair {
  kid: string;
  publicJwk: JWK;
  publicKey: KeyObject;
  privateKey: KeyObject;
  /** From when it signs. */
  activeAt: Date;
  /** From when it verifies nothing any more. */
  retiredAt: Date | null;
}

/** A key as the database keeps it. */
export interface SigningKeyRow {
  kid: string;
  algorithm: string;
  publicJwk: unknown;
  sealedPrivate: Uint8Array;
  createdAt: Date;
  activeAt: Date | null;
  retiredAt: Date | null;
}

/** Its private half sealed under the master key, so that a copy of the database signs nothing. */
export async function newSigningKey(
  masterKey: Uint8Array,
  { createdAt, activeAt }: { createdAt: Date; activeAt: Date },
) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk);
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
  return {
    kid,
    algorithm: SIGNING_ALGORITHM,
    publicJwk: { ...jwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' } as object,
    sealedPrivate: seal(masterKey, `signing-key/${kid}`, pkcs8),
    createdAt,
    activeAt,
  };
}

/** Opens what {@link newSigningKey} made; throws under another master key. */
export function openSigningKey(masterKey: Uint8Array, row: SigningKeyRow): SigningKeyPair {
  const { kid, publicJwk, activeAt, createdAt, retiredAt } = row;
  const pkcs8 = unseal(masterKey, `signing-key/${kid}`, row.sealedPrivate);
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return {
    kid,
    publicJwk: publicJwk as JWK,
    publicKey: createPublicKey(privateKey),
    privateKey,
    activeAt: activeAt ?? createdAt,
    retiredAt,
  };
}
