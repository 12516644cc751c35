import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { AuditRecord } from '../audit.events.js';
import { type EventName, eventsNamed } from '../ledger.rows.js';
import type { SealHead, Signed } from '../seal.js';
import { type TreeRow, unpackLeaves } from '../seal.rows.js';

/** A half-open interval of times; absent ends are open. */
export interface Interval {
  from?: Date;
  to?: Date;
}

/** Trees that are read at a time, and events at most that they have together, but for one tree that has more by itself. */
const TREES = 100;
const EVENTS = 10_000;
const HEADS = 200; // signatures of which are checked in one go

/** What Postgres takes for the first and the last time there is. */
const ends = ({ from, to }: Interval) => [
  from?.toISOString() ?? '-infinity',
  to?.toISOString() ?? 'infinity',
];
/** A superuser can write times that no `Date` has; no signature is over them. */
const timeOf = (value: unknown): Date => (value instanceof Date ? value : new Date(0));

export interface StoredTree extends TreeRow {
  firstTime: Date;
  lastTime: Date;
}

/** Most events are sealed within a minute; a tree is looked into when it was sealed up to so long after the interval. */
const SEALED_WITHIN = '1 hour';

/**
 * The positions of the trees that have events of the interval, how many they have, and how many wait for their seal. What times
 * a tree's events have is not signed, when it was sealed is: so a tree is of the interval by either.
 */
export async function extentOf(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
): Promise<{ first?: number; last?: number; sealed: number; unsealed: number }> {
  const [from, to] = ends(interval);
  const [extent] = await tx.$queryRaw<
    { first: bigint | null; last: bigint | null; sealed: bigint; unsealed: bigint }[]
  >`
    SELECT min(t.first_position) AS first, max(t.first_position) AS last, coalesce(sum(t.size), 0)::bigint AS sealed,
           (SELECT count(*) FROM audit_unsealed u WHERE u.organization_id = ${organizationId}::uuid
              AND u.occurred_at >= ${from}::timestamptz AND u.occurred_at < ${to}::timestamptz) AS unsealed
    FROM audit_tree t WHERE t.organization_id = ${organizationId}::uuid
      AND ((t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz)
        OR (t.sealed_at >= ${from}::timestamptz AND t.sealed_at < ${to}::timestamptz + ${SEALED_WITHIN}::interval))`;
  const { first, last, sealed, unsealed } = extent!;
  return {
    ...(first !== null && { first: Number(first) }),
    ...(last !== null && { last: Number(last) }),
    sealed: Number(sealed),
    unsealed: Number(unsealed),
  };
}

/** The next trees from a position on, up to the one that begins at `last`. */
export async function treesFrom(
  tx: SqlTransaction,
  organizationId: string,
  position: number,
  last: number,
): Promise<StoredTree[]> {
  const rows = await tx.$queryRaw<
    (Omit<StoredTree, 'first' | 'seal' | 'events' | 'leaves'> & {
      first: bigint;
      seal: bigint;
      ids: string[];
      times: unknown[];
      packed: Buffer;
    })[]
  >`
    SELECT organization_id AS organization, first_position AS first, size, seal_number AS seal, sealed_at AS time, root, previous,
           entry, kid, signature, event_ids::text[] AS ids, event_times AS times, leaves AS packed,
           first_time AS "firstTime", last_time AS "lastTime"
    FROM (
      SELECT t.*, sum(t.size) OVER (ORDER BY t.first_position) - t.size AS before FROM (
        SELECT * FROM audit_tree WHERE organization_id = ${organizationId}::uuid
          AND first_position >= ${position}::bigint AND first_position <= ${last}::bigint
        ORDER BY first_position LIMIT ${TREES}::int) AS t
    ) AS t WHERE before < ${EVENTS}::int ORDER BY first_position`;
  return rows.map(({ first, seal, ids, times, packed, ...row }) => ({
    ...row,
    first: Number(first),
    seal: Number(seal),
    time: timeOf(row.time),
    firstTime: timeOf(row.firstTime),
    lastTime: timeOf(row.lastTime),
    events: ids.map((id, index): EventName => ({ id, occurredAt: timeOf(times[index]) })),
    leaves: unpackLeaves(packed),
  }));
}

/** Where the tree before a position begins. */
export async function treeBefore(
  tx: SqlTransaction,
  organizationId: string,
  position: number,
): Promise<number | undefined> {
  const [row] = await tx.$queryRaw<{ first: bigint }[]>`
    SELECT first_position AS first FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position < ${position}::bigint
    ORDER BY first_position DESC LIMIT 1`;
  return row && Number(row.first);
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

/** An event of the interval that no tree has and that does not wait for its seal. */
export async function addedEvent(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
): Promise<string | undefined> {
  const [from, to] = ends(interval);
  // Sets, not joins: whatever the planner thinks of the arrays' lengths, this is one pass over each.
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id, occurred_at FROM audit_event
    WHERE organization_id = ${organizationId}::uuid AND occurred_at >= ${from}::timestamptz AND occurred_at < ${to}::timestamptz
    EXCEPT SELECT sealed.id, sealed.occurred_at
    FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids, t.event_times) AS sealed(id, occurred_at)
    WHERE t.organization_id = ${organizationId}::uuid AND t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz
    EXCEPT SELECT event_id, occurred_at FROM audit_unsealed
    WHERE organization_id = ${organizationId}::uuid AND occurred_at >= ${from}::timestamptz AND occurred_at < ${to}::timestamptz
    ORDER BY occurred_at, id LIMIT 1`;
  return row?.id;
}

/** An event that waits for its seal and is not there. */
export async function lostUnsealed(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
): Promise<string | undefined> {
  const [from, to] = ends(interval);
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT u.event_id AS id FROM audit_unsealed u
    WHERE u.organization_id = ${organizationId}::uuid
      AND u.occurred_at >= ${from}::timestamptz AND u.occurred_at < ${to}::timestamptz
      AND NOT EXISTS (SELECT FROM audit_event e
        WHERE e.id = u.event_id AND e.occurred_at = u.occurred_at AND e.organization_id = u.organization_id)
    ORDER BY u.occurred_at, u.event_id LIMIT 1`;
  return row?.id;
}

/** The first event of the interval's trees that stands a second time, or waits to be sealed again. */
export async function duplicatedEvent(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
): Promise<{ id: string; seq: number } | undefined> {
  const [from, to] = ends(interval);
  const [row] = await tx.$queryRaw<{ id: string; seq: bigint }[]>`
    SELECT id, seq FROM (
      SELECT id, seq, row_number() OVER (PARTITION BY id ORDER BY seq) AS nth, count(*) OVER (PARTITION BY id) AS times FROM (
        SELECT sealed.id, t.first_position + sealed.at - 1 AS seq
        FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids) WITH ORDINALITY AS sealed(id, at)
        WHERE t.organization_id = ${organizationId}::uuid
          AND t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz
        UNION ALL SELECT event_id, NULL FROM audit_unsealed
        WHERE organization_id = ${organizationId}::uuid
          AND occurred_at >= ${from}::timestamptz AND occurred_at < ${to}::timestamptz) AS every
    ) AS counted WHERE times > 1 AND seq IS NOT NULL
    ORDER BY nth = 1, seq LIMIT 1`;
  return row && { id: row.id, seq: Number(row.seq) };
}

/** The next heads from a number on. */
export async function headsFrom(
  tx: SqlTransaction,
  number: number,
): Promise<(SealHead & Signed & { head: Buffer })[]> {
  const rows = await tx.$queryRaw<(Omit<SealHead & Signed, 'seal'> & { number: bigint; head: Buffer })[]>`
    SELECT number, sealed_at AS time, previous, root, head, kid, signature FROM audit_seal
    WHERE number >= ${number}::bigint ORDER BY number LIMIT ${HEADS}::int`;
  return rows.map(({ number: seal, ...row }) => ({ ...row, seal: Number(seal), time: timeOf(row.time) }));
}
