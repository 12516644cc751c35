import type { KeyObject } from 'node:crypto';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { EventName } from './ledger.rows.js';
import { missingEvent } from './missing-event.js';
import {
  isOurs,
  type NewestEntry,
  publicSealKey,
  type PublicSealKeyRow,
  type SealHead,
  type SealKeyRow,
  type Signed,
  type TreeEntry,
  WrongMasterKey,
} from './seal.js';

/** Of SHA-256. */
export const HASH_BYTES = 32;

/** A tree as it stands in the ledger. */
export interface TreeRow extends TreeEntry, Signed {
  /** Its events and their leaf hashes, by position. */
  events: EventName[];
  leaves: Buffer[];
  /** SHA-256 of its entry. */
  entry: Buffer;
}

/** The signed entry of a tree, and what its row says is the hash of that. */
export type SealedEntry = TreeEntry & Signed & Pick<TreeRow, 'entry'>;

type Counted = Record<'seal' | 'first', bigint>;
type SealedEntryRow = Omit<SealedEntry, keyof Counted> & Counted;

const numbersOf = ({ seal, first }: Counted) => ({ seal: Number(seal), first: Number(first) });

/** Takes up to so many of an organization's events that wait, in the order they happened in. */
export const takeUnsealed = (
  tx: SqlTransaction,
  organizationId: string,
  atMost: number,
): Promise<EventName[]> => tx.$queryRaw`
    WITH taken AS (
      DELETE FROM audit_unsealed WHERE organization_id = ${organizationId}::uuid AND ctid = ANY (ARRAY(
        SELECT u.ctid FROM audit_unsealed u WHERE u.organization_id = ${organizationId}::uuid
        ORDER BY u.occurred_at, u.event_id LIMIT ${atMost}::int))
      RETURNING event_id AS id, occurred_at AS "occurredAt")
    SELECT * FROM taken ORDER BY "occurredAt", id`;

/**
 * Puts what stands for events that are missing into the ledger, unless something else has their names. It is sealed in their
 * place, and waits for no seal of its own.
 */
export async function insertMissing(
  tx: SqlTransaction,
  organizationId: string,
  missing: readonly EventName[],
): Promise<void> {
  if (missing.length === 0) return;
  const [ids, times] = [missing.map(({ id }) => id), missing.map(({ occurredAt }) => occurredAt)];
  const { actorKind, actorId, action, outcome, resourceType } = missingEvent(organizationId, missing[0]!);
  await tx.$executeRaw`
    INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                             scopes, detail)
    SELECT gone.id, gone.occurred_at, ${organizationId}::uuid, ${actorKind}::text, ${actorId}::text, ${action}::text,
           ${outcome}::text, ${resourceType}::text, gone.id::text, '{}', '{}'
    FROM unnest(${ids}::uuid[], ${times}::timestamptz[]) AS gone(id, occurred_at)
    ON CONFLICT DO NOTHING`;
  await tx.$executeRaw`
    DELETE FROM audit_unsealed u
    USING unnest(${ids}::uuid[], ${times}::timestamptz[]) AS gone(id, occurred_at)
    WHERE u.organization_id = ${organizationId}::uuid AND u.occurred_at = gone.occurred_at AND u.event_id = gone.id`;
}

/** What an organization's next tree is to follow from; undefined before its first. */
export async function newestTree(
  tx: SqlTransaction,
  organizationId: string,
): Promise<SealedEntry | undefined> {
  const [last] = await tx.$queryRaw<SealedEntryRow[]>`
    SELECT organization_id AS organization, seal_number AS seal, sealed_at AS time, first_position AS first, size, root, previous,
           entry, kid, signature
    FROM audit_tree WHERE organization_id = ${organizationId}::uuid ORDER BY first_position DESC LIMIT 1`;
  return last && { ...last, ...numbersOf(last) };
}

export async function insertTree(tx: SqlTransaction, tree: TreeRow): Promise<void> {
  const times = tree.events.map(({ occurredAt }) => occurredAt);
  await tx.$executeRaw`
    INSERT INTO audit_tree (organization_id, first_position, size, seal_number, sealed_at, root, previous, entry, kid, signature,
                            event_ids, event_times, leaves, first_time, last_time)
    VALUES (${tree.organization}::uuid, ${tree.first}::bigint, ${tree.size}::int, ${tree.seal}::bigint, ${tree.time}::timestamptz,
            ${tree.root}::bytea, ${tree.previous}::bytea, ${tree.entry}::bytea, ${tree.kid}::text, ${tree.signature}::bytea,
            ${tree.events.map(({ id }) => id)}::uuid[], ${times}::timestamptz[], ${Buffer.concat(tree.leaves)}::bytea,
            ${times[0]}::timestamptz, ${times.at(-1)}::timestamptz)`;
}

/** The signed entries of an organization's trees before a position, newest first. */
export async function newestTrees(
  tx: SqlTransaction,
  organizationId: string,
  before: number,
  atMost: number,
): Promise<(TreeEntry & Signed)[]> {
  const rows = await tx.$queryRaw<(TreeEntry & Signed & { seal: bigint; first: bigint })[]>`
    SELECT organization_id AS organization, seal_number AS seal, sealed_at AS time, first_position AS first, size, root, previous,
           kid, signature
    FROM audit_tree WHERE organization_id = ${organizationId}::uuid AND first_position < ${before}::bigint
    ORDER BY first_position DESC LIMIT ${atMost}::int`;
  return rows.map((row) => ({ ...row, ...numbersOf(row) }));
}

/** The newest head, and its hash. */
export async function lastSeal(
  tx: Pick<SqlTransaction, '$queryRaw'>,
): Promise<(SealHead & Signed & { head: Buffer }) | undefined> {
  const [last] = await tx.$queryRaw<(Omit<SealHead, 'seal'> & Signed & { head: Buffer; seal: bigint })[]>`
    SELECT number AS seal, sealed_at AS time, previous, root, head, kid, signature FROM audit_seal
    ORDER BY number DESC LIMIT 1`;
  return last && { ...last, seal: Number(last.seal) };
}

/**
 * The public keys that we have made, by `kid`. A superuser of the database can put in his own, and sign with it: his is none
 * of them, since he has no master key.
 */
export async function ourSealKeys(
  tx: Pick<SqlTransaction, '$queryRaw'>,
  masterKey: Uint8Array,
): Promise<Map<string, KeyObject>> {
  const rows = await tx.$queryRaw<PublicSealKeyRow[]>`
    SELECT kid, public_key AS "publicKey", mac FROM audit_key ORDER BY created_at DESC, kid`;
  const ours = rows.filter((row) => isOurs(masterKey, row));
  return new Map(ours.map(({ kid, publicKey }) => [kid, publicSealKey(publicKey)]));
}

/** Leaf hashes, as a tree keeps them one behind the other. */
export const unpackLeaves = (packed: Buffer): Buffer[] =>
  Array.from({ length: packed.length / HASH_BYTES }, (_, at) =>
    packed.subarray(HASH_BYTES * at, HASH_BYTES * (at + 1)),
  );

/** The newest entry of every organization as of a seal, in the order of their ids. */
export const newestEntries = (tx: SqlTransaction, seal: number): Promise<NewestEntry[]> => tx.$queryRaw`
  SELECT organization_id AS organization, entry FROM audit_newest_entries(${seal}::bigint)`;

/** The entries that were made for a seal, by organization and position. */
export async function entriesFor(tx: SqlTransaction, seal: number): Promise<SealedEntry[]> {
  const rows = await tx.$queryRaw<SealedEntryRow[]>`
    SELECT organization_id AS organization, seal_number AS seal, sealed_at AS time, first_position AS first, size, root, previous,
           entry, kid, signature
    FROM audit_entries_for(${seal}::bigint)`;
  return rows.map((row) => ({ ...row, ...numbersOf(row) }));
}

/** The entries that those for a seal have to follow from: of each organization that has one, its newest before. */
export async function entriesFollowed(tx: SqlTransaction, seal: number): Promise<TreeEntry[]> {
  const rows = await tx.$queryRaw<(Omit<TreeEntry, keyof Counted> & Counted)[]>`
    SELECT organization_id AS organization, seal_number AS seal, sealed_at AS time, first_position AS first, size, root, previous
    FROM audit_entries_followed(${seal}::bigint)`;
  return rows.map((row) => ({ ...row, ...numbersOf(row) }));
}

export async function insertSeal(
  tx: SqlTransaction,
  seal: SealHead & Signed & { head: Uint8Array },
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_seal (number, sealed_at, previous, root, head, kid, signature)
    VALUES (${seal.seal}::bigint, ${seal.time}::timestamptz, ${seal.previous}::bytea, ${seal.root}::bytea, ${seal.head}::bytea,
            ${seal.kid}::text, ${seal.signature}::bytea)`;
}

/** The last head that was taken to a place; 0 for none. */
export async function lastAnchored(tx: SqlTransaction, place: string): Promise<number> {
  const [last] = await tx.$queryRaw<{ number: bigint }[]>`
    SELECT seal_number AS number FROM audit_anchor WHERE place = ${place}::text ORDER BY seal_number DESC LIMIT 1`;
  return Number(last?.number ?? 0);
}

export async function insertAnchor(
  tx: SqlTransaction,
  place: string,
  seal: number,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_anchor (place, seal_number, anchored_at) VALUES (${place}::text, ${seal}::bigint, ${now}::timestamptz)
    ON CONFLICT DO NOTHING`;
}

/** Only one at a time makes a key, until the end of the transaction. */
export async function lockSealKeys(tx: SqlTransaction): Promise<void> {
  await tx.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended('audit key', 0))`;
}

/**
 * The key that signs now: the newest that we have made, whatever else somebody has put there. Undefined when there is none at all.
 * @throws {@link WrongMasterKey} when none of those there are is ours
 */
export async function signingSealKey(
  tx: SqlTransaction,
  masterKey: Uint8Array,
): Promise<(SealKeyRow & { createdAt: Date }) | undefined> {
  const rows = await tx.$queryRaw<(SealKeyRow & { createdAt: Date })[]>`
    SELECT kid, public_key AS "publicKey", mac, sealed_private AS "sealedPrivate", created_at AS "createdAt"
    FROM audit_key ORDER BY created_at DESC, kid`;
  const newest = rows.find((row) => isOurs(masterKey, row));
  if (!newest && rows.length > 0) throw new WrongMasterKey();
  return newest;
}

export async function insertSealKey(tx: SqlTransaction, key: SealKeyRow, now: Date): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_key (kid, public_key, mac, sealed_private, created_at)
    VALUES (${key.kid}::text, ${key.publicKey}::bytea, ${key.mac}::bytea, ${key.sealedPrivate}::bytea, ${now}::timestamptz)`;
}
