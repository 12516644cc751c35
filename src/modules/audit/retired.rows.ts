import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** A month of an organization's events that were taken out of the ledger, and the export that is kept for it. */
export interface RetiredMonth {
  from: Date;
  /** Exclusive. */
  to: Date;
  exportId: string;
  events: number;
  /** Positions of its first and its last event. */
  first: number;
  last: number;
  retiredAt: Date;
}

/**
 * The months that are not in an organization's ledger any more, the earliest first. Only such whose retirement is an event of
 * that ledger. (Of a retirement whose own month was retired since, the export of that month has the event: it counts if that
 * retirement does.) That is what the database says: `provenMonths` says which of them an export in the bucket proves.
 */
export async function retiredMonths(tx: SqlTransaction, organizationId: string): Promise<RetiredMonth[]> {
  const rows = await tx.$queryRaw<
    (Omit<RetiredMonth, 'events' | 'first' | 'last'> & { events: bigint; first: bigint; last: bigint })[]
  >`
    WITH RECURSIVE told AS (
      SELECT r.* FROM audit_retired r
      WHERE r.organization_id = ${organizationId}::uuid
        AND EXISTS (SELECT 1 FROM audit_event e
                    WHERE e.organization_id = r.organization_id AND e.resource_type = 'AuditExport'
                      AND e.resource_id = r.export_id::text AND e.occurred_at = r.retired_at AND e.action = 'audit:retired'
                      AND e.detail->>'month' = to_char(r.month, 'YYYY-MM'))
      UNION
      SELECT r.* FROM audit_retired r
      JOIN told ON told.month = date_trunc('month', r.retired_at AT TIME ZONE 'UTC')::date
      WHERE r.organization_id = ${organizationId}::uuid
    )
    SELECT r.month::timestamp AT TIME ZONE 'UTC' AS "from", (r.month + interval '1 month') AT TIME ZONE 'UTC' AS "to",
           r.export_id AS "exportId", r.events, r.first_position AS first, r.last_position AS last, r.retired_at AS "retiredAt"
    FROM told r
    ORDER BY r.month`;
  return rows.map(({ events, first, last, ...row }) => ({
    ...row,
    events: Number(events),
    first: Number(first),
    last: Number(last),
  }));
}

/** Whether an event of that time is in a month that was taken out. */
export const isRetired = (months: readonly RetiredMonth[], time: Date): boolean =>
  months.some(({ from, to }) => time >= from && time < to);

/** Those of them that an interval touches; absent ends are open. */
export const retiredWithin = (
  months: readonly RetiredMonth[],
  interval: { from?: Date | null | undefined; to?: Date | null | undefined },
): RetiredMonth[] =>
  months.filter(
    ({ from, to }) => (!interval.from || interval.from < to) && (!interval.to || interval.to > from),
  );

/** Since when nothing was taken out of the ledger: the end of the last retired month. Undefined when none was. */
export const completeSince = (months: readonly RetiredMonth[]): Date | undefined => months.at(-1)?.to;
