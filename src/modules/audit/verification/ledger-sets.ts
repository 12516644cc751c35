import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { boundsOf, type Interval } from './ledger-reader.js';

/** What there is of an interval: events, and trees behind a position, all of which have to be walked. */
export interface Compared extends Interval {
  /** Trees up to the one that begins here name nothing: they are not walked. */
  behind: bigint;
}

/** An event of the interval that no tree has and that does not wait for its seal. */
export async function addedEvent(
  tx: SqlTransaction,
  organizationId: string,
  interval: Compared,
): Promise<string | undefined> {
  const [from, to, isEndless] = boundsOf(interval);
  // Sets, not joins: whatever the planner thinks of the arrays' lengths, this is one pass over each.
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id, occurred_at FROM audit_event
    WHERE organization_id = ${organizationId}::uuid AND occurred_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
      AND (occurred_at < ${to}::timestamptz OR ${isEndless}::boolean)
    EXCEPT SELECT sealed.id, sealed.occurred_at
    FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids, t.event_times) AS sealed(id, occurred_at)
    WHERE t.organization_id = ${organizationId}::uuid AND t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz
      AND t.first_position > ${interval.behind}::bigint
    EXCEPT SELECT event_id, occurred_at FROM audit_unsealed
    WHERE organization_id = ${organizationId}::uuid AND occurred_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
      AND (occurred_at < ${to}::timestamptz OR ${isEndless}::boolean)
    ORDER BY occurred_at, id LIMIT 1`;
  return row?.id;
}

/** An event that waits for its seal and is not there. */
export async function lostUnsealed(
  tx: SqlTransaction,
  organizationId: string,
  interval: Interval,
): Promise<string | undefined> {
  const [from, to, isEndless] = boundsOf(interval);
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT u.event_id AS id FROM audit_unsealed u
    WHERE u.organization_id = ${organizationId}::uuid
      AND u.occurred_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
      AND (u.occurred_at < ${to}::timestamptz OR ${isEndless}::boolean)
      AND NOT EXISTS (SELECT FROM audit_event e
        WHERE e.id = u.event_id AND e.occurred_at = u.occurred_at AND e.organization_id = u.organization_id)
    ORDER BY u.occurred_at, u.event_id LIMIT 1`;
  return row?.id;
}

/** The first event of the interval's trees that stands a second time, or waits to be sealed again. Its time is of its key. */
export async function duplicatedEvent(
  tx: SqlTransaction,
  organizationId: string,
  interval: Compared,
): Promise<{ id: string; seq: number } | undefined> {
  const [from, to, isEndless] = boundsOf(interval);
  const [row] = await tx.$queryRaw<{ id: string; seq: bigint }[]>`
    SELECT id, seq FROM (
      SELECT id, seq, row_number() OVER (PARTITION BY id, time ORDER BY seq) AS nth, count(*) OVER (PARTITION BY id, time) AS times
      FROM (
        SELECT sealed.id, sealed.time, t.first_position + sealed.at - 1 AS seq
        FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids, t.event_times) WITH ORDINALITY AS sealed(id, time, at)
        WHERE t.organization_id = ${organizationId}::uuid
          AND t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz
          AND t.first_position > ${interval.behind}::bigint
        UNION ALL SELECT event_id, occurred_at, NULL FROM audit_unsealed
        WHERE organization_id = ${organizationId}::uuid
          AND occurred_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
          AND (occurred_at < ${to}::timestamptz OR ${isEndless}::boolean)) AS every
    ) AS counted WHERE times > 1 AND seq IS NOT NULL
    ORDER BY nth = 1, seq LIMIT 1`;
  return row && { id: row.id, seq: Number(row.seq) };
}
