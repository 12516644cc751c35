import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import canonicalize from 'canonicalize';
import { calculateJwkThumbprint } from 'jose';
import { leafHash, merkleRoot } from '../../formats/merkle/merkle-tree.js';
import { authenticate, seal as sealPrivate, unseal } from '../../platform/crypto/master-key.js';

/** Stands before the first entry and the first head. */
export const NOTHING_BEFORE = Buffer.alloc(32);

/**
 * What is signed of one organization's tree. Its hash is the next one's `previous`, so that no tree can be taken out, put
 * in or moved; hashes are SHA-256.
 */
export interface TreeEntry {
  organization: string;
  /** Number of the seal it was made for. */
  seal: number;
  time: Date;
  /** Position of its first event. */
  first: number;
  size: number;
  root: Uint8Array;
  previous: Uint8Array;
}

/** What is signed over all organizations: nothing can be cut off at the end of one ledger without it. */
export interface SealHead {
  seal: number;
  time: Date;
  previous: Uint8Array;
  /** Merkle root over {@link newestLeaf} of each organization that has a tree, in the order of their ids. */
  root: Uint8Array;
}

export interface Signed {
  kid: string;
  signature: Uint8Array;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The bytes an entry is signed and hashed as (RFC 8785). */
export const entryForm = ({ organization, seal, time, first, size, root, previous }: TreeEntry): Buffer =>
  form({
    kind: 'tree',
    v: 1,
    organization,
    seal,
    time: time.toISOString(),
    first,
    size,
    root: hex(root),
    previous: hex(previous),
  });

/** The bytes a head is signed and hashed as (RFC 8785). */
export const headForm = ({ seal, time, previous, root }: SealHead): Buffer =>
  form({ kind: 'head', v: 1, seal, time: time.toISOString(), previous: hex(previous), root: hex(root) });

/** The leaf of an organization in the tree over all of them. @param entry hash of its newest entry */
export const newestLeaf = (organization: string, entry: Uint8Array): Buffer =>
  leafHash(form({ organization, entry: hex(entry) }));

/** Where an organization's ledger ends: the hash of its newest entry. */
export interface NewestEntry {
  organization: string;
  entry: Uint8Array;
}

/** The root of a head. @param entries in the order of their organizations */
export const rootOver = (entries: readonly NewestEntry[]): Buffer =>
  merkleRoot(entries.map(({ organization, entry }) => newestLeaf(organization, entry)));

/** The leaf of an event. @param canonical its canonical form (audit.canonical.ts) */
export const eventLeaf = (canonical: string | Uint8Array): Buffer => leafHash(Buffer.from(canonical));

/** SHA-256 of a form. */
export const hashOf = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');

function form(value: object): Buffer {
  return Buffer.from(canonicalize(value)!);
}

/** A pair of keys for Ed25519 (RFC 8032). */
export interface SealKey {
  kid: string;
  privateKey: KeyObject;
}

/** The public half of a key as the database keeps it. */
export interface PublicSealKeyRow {
  kid: string;
  publicKey: Uint8Array;
  /** Says that we have made it: {@link isOurs}. */
  mac: Uint8Array;
}

/** A key as the database keeps it: its private half sealed under the master key, so that a copy of the database signs nothing. */
export interface SealKeyRow extends PublicSealKeyRow {
  sealedPrivate: Uint8Array;
}

export async function newSealKey(masterKey: Uint8Array): Promise<SealKeyRow & { sealedPrivate: Buffer }> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string };
  const kid = await calculateJwkThumbprint(jwk);
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
  const raw = Buffer.from(jwk.x, 'base64url');
  return {
    kid,
    publicKey: raw,
    mac: macOf(masterKey, kid, raw),
    sealedPrivate: Buffer.from(sealPrivate(masterKey, `audit-key/${kid}`, pkcs8)),
  };
}

function macOf(masterKey: Uint8Array, kid: string, publicKey: Uint8Array): Buffer {
  return authenticate(masterKey, 'audit-key', `${kid} ${hex(publicKey)}`);
}

/** Whether the key was made by who has the master key. A superuser of the database can put in his own, and sign with it. */
export function isOurs(masterKey: Uint8Array, { kid, publicKey, mac }: PublicSealKeyRow): boolean {
  const expected = macOf(masterKey, kid, publicKey);
  return mac.length === expected.length && timingSafeEqual(mac, expected);
}

/** The keys there are were made under another one: nothing can be signed by them. */
export class WrongMasterKey extends Error {
  override name = 'WrongMasterKey';

  constructor(cause?: unknown) {
    super('SCANDOCK_MASTER_KEY is not the one that the keys of the audit seals were sealed under', { cause });
  }
}

/** @throws {@link WrongMasterKey} */
export function openSealKey(
  masterKey: Uint8Array,
  { kid, sealedPrivate }: Pick<SealKeyRow, 'kid' | 'sealedPrivate'>,
): SealKey {
  try {
    const key = unseal(masterKey, `audit-key/${kid}`, sealedPrivate);
    return { kid, privateKey: createPrivateKey({ key, format: 'der', type: 'pkcs8' }) };
  } catch (cause) {
    throw new WrongMasterKey(cause);
  }
}

/** @param raw 32 bytes, the point's encoding (RFC 8032, 5.1.2) */
export const publicSealKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') },
    format: 'jwk',
  });

export const signForm = (key: SealKey, bytes: Uint8Array): Signed => ({
  kid: key.kid,
  signature: sign(null, bytes, key.privateKey),
});

/** @param keys public keys by `kid` */
export function isSigned(
  keys: ReadonlyMap<string, KeyObject>,
  bytes: Uint8Array,
  { kid, signature }: Signed,
): boolean {
  const key = keys.get(kid);
  return key !== undefined && verify(null, bytes, key, signature);
}
