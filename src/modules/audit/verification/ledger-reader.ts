import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { AuditRecord } from '../audit.events.js';
import { type EventName, eventsNamed } from '../ledger.rows.js';
import type { SealHead, Signed, TreeEntry } from '../seal.js';
import { type TreeRow, unpackLeaves } from '../seal.rows.js';

/** A half-open interval of times; absent ends are open. */
export interface Interval {
  from?: Date;
  to?: Date;
}

/** Trees that are read at a time, and events at most that they have together, but for one tree that has more by itself. */
const TREES = 100;
const EVENTS = 10_000;
const ENTRIES = 100;
const HEADS = 200; // signatures of which are checked in one go

/** The least and the greatest position that somebody can write: no tree of ours begins there. */
export const BEFORE_ALL = -(2n ** 63n);
const BEHIND_ALL = 2n ** 63n - 1n;

/**
 * The bounds of an interval, and whether it has no end. Infinity is what Postgres takes for the first and the last time there is,
 * and a time that a superuser can give an event: without an end that one is within.
 */
export const boundsOf = ({ from, to }: Interval): [from: string, to: string, isEndless: boolean] => [
  from?.toISOString() ?? '-infinity',
  to?.toISOString() ?? 'infinity',
  to === undefined,
];
const NO_TIME = new Date(NaN);
const isTime = (value: unknown): value is Date => value instanceof Date && Number.isFinite(value.getTime());
/** A superuser can write times that no `Date` has. This is for such as are signed: no signature of ours is over what it makes of them. */
const signedTimeOf = (value: unknown): Date => (isTime(value) ? value : new Date(0));

export interface StoredTree extends TreeRow {
  firstTime: Date;
  lastTime: Date;
  /** Whether what nobody has signed of it is of the kind that it has to be. If not, no event is named by it. */
  isReadable: boolean;
}

/** Most events are sealed within a minute; a tree is looked into when it was sealed up to so long after the interval, in milliseconds. */
const SEALED_WITHIN_MS = 3600_000;

/** Whether a tree that was sealed then may have events from before the end of an interval. */
export const mayBeWithin = ({ to }: Interval, sealedAt: Date): boolean =>
  to === undefined || sealedAt.getTime() < to.getTime() + SEALED_WITHIN_MS;

/** What of a ledger an interval is in, and how many events that has. */
export interface Stretch {
  /** Where the tree before it begins, which was sealed before the interval; absent when there is none, and it is the first. */
  before?: bigint;
  /** Where the tree behind it begins, which was sealed so late that it is of the interval no more; absent when there is none. */
  behind?: bigint;
  sealed: number;
  /** How many of the interval wait for their seal. */
  unsealed: number;
  /** Times that the trees between these say their events have: what of the ledger is looked at. Absent ends are open. */
  spread: Interval;
}

/**
 * Between which trees an interval is. Its own are found by the times that they say their events have, and that they were sealed
 * at. The former nobody has signed, the latter is what it was only if the signature is over it: so what is found is no more than a
 * beginning, and goes on, either way, up to a tree that says it is of another time. Who walks it has to ask those for their
 * signatures, and whether the chain holds up to them.
 * @param head number of the newest head: it says where the ledger ends, so the walk begins at none behind it
 */
export async function stretchOf(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
  head: number,
): Promise<Stretch> {
  const [from, to, isEndless] = boundsOf(interval);
  const within = `${SEALED_WITHIN_MS} milliseconds`;
  const [begin, end] = [interval.from?.toISOString() ?? null, interval.to?.toISOString() ?? null];
  // Without an end there is nothing to look for on its side, and no row is looked at for it.
  const [row] = await tx.$queryRaw<
    (Record<'before' | 'behind', bigint | null> &
      Record<'sealed' | 'unsealed', bigint> &
      Record<'earliest' | 'latest', unknown>)[]
  >`
    WITH touched AS MATERIALIZED (
      SELECT min(t.first_position) AS first, max(t.first_position) AS last
      FROM audit_tree t WHERE t.organization_id = ${organizationId}::uuid
        AND (${begin}::text IS NOT NULL OR ${end}::text IS NOT NULL)
        AND ((t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz)
          OR (t.sealed_at >= ${from}::timestamptz AND t.sealed_at < ${to}::timestamptz + ${within}::interval))
    ), former AS MATERIALIZED (
      SELECT touched.last, (
        SELECT t.first_position FROM audit_tree t WHERE t.organization_id = ${organizationId}::uuid
          AND t.first_position < coalesce(touched.first, ${BEHIND_ALL}::bigint) AND t.sealed_at < ${from}::timestamptz
          AND t.seal_number <= ${head}::bigint
          AND ${begin}::text IS NOT NULL
        ORDER BY t.first_position DESC LIMIT 1) AS before
      FROM touched
    ), stretch AS MATERIALIZED (
      SELECT former.before, (
        SELECT t.first_position FROM audit_tree t WHERE t.organization_id = ${organizationId}::uuid
          AND t.first_position > coalesce(former.last, former.before, ${BEFORE_ALL}::bigint)
          AND t.sealed_at >= ${to}::timestamptz + ${within}::interval AND ${end}::text IS NOT NULL
        ORDER BY t.first_position LIMIT 1) AS behind
      FROM former
    )
    SELECT stretch.before, stretch.behind, walked.sealed, walked.earliest, walked.latest,
           (SELECT count(*) FROM audit_unsealed u WHERE u.organization_id = ${organizationId}::uuid
              AND u.occurred_at >= ${from}::timestamptz AND u.occurred_at <= ${to}::timestamptz
              AND (u.occurred_at < ${to}::timestamptz OR ${isEndless}::boolean)) AS unsealed
    FROM stretch CROSS JOIN LATERAL (
      SELECT coalesce(sum(t.size), 0)::bigint AS sealed, min(t.first_time) AS earliest, max(t.last_time) AS latest
      FROM audit_tree t WHERE t.organization_id = ${organizationId}::uuid
        AND t.first_position > coalesce(stretch.before, ${BEFORE_ALL}::bigint)
        AND t.first_position < coalesce(stretch.behind, ${BEHIND_ALL}::bigint)) AS walked`;
  const { before, behind, sealed, unsealed, earliest, latest } = row!;
  return {
    ...(before !== null && { before }),
    ...(behind !== null && { behind }),
    sealed: Number(sealed),
    unsealed: Number(unsealed),
    spread: {
      ...(interval.from && isTime(earliest) && { from: earliest }),
      ...(interval.to && isTime(latest) && { to: new Date(latest.getTime() + 1) }),
    },
  };
}

/** The next signed entries behind the one that begins at a position. */
export async function entriesBehind(
  tx: SqlTransaction,
  organizationId: string,
  position: bigint,
): Promise<(TreeEntry & Signed)[]> {
  const rows = await tx.$queryRaw<(TreeEntry & Signed & { first: bigint; seal: bigint })[]>`
    SELECT organization_id AS organization, first_position AS first, size, seal_number AS seal, sealed_at AS time, root, previous,
           kid, signature
    FROM audit_tree WHERE organization_id = ${organizationId}::uuid AND first_position > ${position}::bigint
    ORDER BY first_position LIMIT ${ENTRIES}::int`;
  return rows.map((row) => ({
    ...row,
    first: Number(row.first),
    seal: Number(row.seal),
    time: signedTimeOf(row.time),
  }));
}

/** The next trees behind the one that begins at a position, and before the one that begins at `behind`: without it, whatever there is. */
export async function treesBehind(
  tx: SqlTransaction,
  organizationId: string,
  position: bigint,
  behind?: bigint,
): Promise<StoredTree[]> {
  const last = behind === undefined ? BEHIND_ALL : behind - 1n;
  const rows = await tx.$queryRaw<
    (Omit<StoredTree, 'first' | 'seal' | 'events' | 'leaves' | 'isReadable'> &
      NamedBy & { first: bigint; seal: bigint })[]
  >`
    SELECT organization_id AS organization, first_position AS first, size, seal_number AS seal, sealed_at AS time, root, previous,
           entry, kid, signature, event_ids::text[] AS ids, event_times AS times, leaves AS packed,
           first_time AS "firstTime", last_time AS "lastTime"
    FROM (
      SELECT t.*, sum(t.size) OVER (ORDER BY t.first_position) - t.size AS before FROM (
        SELECT * FROM audit_tree WHERE organization_id = ${organizationId}::uuid
          AND first_position > ${position}::bigint AND first_position <= ${last}::bigint
        ORDER BY first_position LIMIT ${TREES}::int) AS t
    ) AS t WHERE before < ${EVENTS}::int ORDER BY first_position`;
  return rows.map(({ first, seal, ids, times, packed, ...row }) => ({
    ...row,
    first: Number(first),
    seal: Number(seal),
    time: signedTimeOf(row.time),
    ...namesOf({ ids, times, packed, firstTime: row.firstTime, lastTime: row.lastTime }),
  }));
}

/** What a tree names its events by. */
interface NamedBy {
  ids: unknown;
  times: unknown;
  packed: unknown;
  firstTime: unknown;
  lastTime: unknown;
}

/**
 * Times that are none, members that are not there, arrays within arrays: Postgres keeps them, and whatever is made of them here
 * would not be what it is to a query there.
 */
function namesOf({ ids, times, packed, firstTime, lastTime }: NamedBy) {
  const isReadable =
    Array.isArray(ids) &&
    Array.isArray(times) &&
    ids.length === times.length &&
    ids.every((id) => typeof id === 'string') &&
    times.every(isTime) &&
    isTime(firstTime) &&
    isTime(lastTime) &&
    Buffer.isBuffer(packed);
  if (!isReadable) return { isReadable, firstTime: NO_TIME, lastTime: NO_TIME, events: [], leaves: [] };
  const events = ids.map((id: string, index): EventName => ({ id, occurredAt: times[index] as Date }));
  return { isReadable, firstTime, lastTime, events, leaves: unpackLeaves(packed) };
}

/** An event by its id alone: its month is not known, so each is looked through. */
export async function eventById(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
): Promise<AuditRecord | undefined> {
  const [name] = await tx.$queryRaw<EventName[]>`
    SELECT id, occurred_at AS "occurredAt" FROM audit_event WHERE id = ${id}::uuid AND organization_id = ${organizationId}::uuid
    ORDER BY occurred_at LIMIT 1`;
  return name && (await eventsNamed(tx, organizationId, [name])).get(id);
}

/** The next heads from a number on. */
export async function headsFrom(
  tx: SqlTransaction,
  number: number,
): Promise<(SealHead & Signed & { head: Buffer })[]> {
  const rows = await tx.$queryRaw<(Omit<SealHead & Signed, 'seal'> & { number: bigint; head: Buffer })[]>`
    SELECT number, sealed_at AS time, previous, root, head, kid, signature FROM audit_seal
    WHERE number >= ${number}::bigint ORDER BY number LIMIT ${HEADS}::int`;
  return rows.map(({ number: seal, ...row }) => ({
    ...row,
    seal: Number(seal),
    time: signedTimeOf(row.time),
  }));
}
