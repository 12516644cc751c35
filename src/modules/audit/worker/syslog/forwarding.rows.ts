import type { SqlTransaction } from '../../../../platform/database/sql-transaction.js';
import type { EventName } from '../../ledger.rows.js';

/** An organization whose ledger goes beyond what has been forwarded of it. */
export interface Behind {
  organizationId: string;
  /** Position of the newest event that was taken; 0 before the first. */
  forwarded: number;
  newest: number;
  /** The time of about the oldest that was not. */
  oldest: Date;
}

export async function organizationsBehind(outside: Pick<SqlTransaction, '$queryRaw'>): Promise<Behind[]> {
  const rows = await outside.$queryRaw<
    { organization_id: string; forwarded: bigint; newest: bigint; oldest: Date }[]
  >`SELECT organization_id::text, forwarded, newest, oldest FROM audit_forwarding_behind()`;
  return rows.map(({ organization_id, forwarded, newest, oldest }) => ({
    organizationId: organization_id,
    forwarded: Number(forwarded),
    newest: Number(newest),
    oldest,
  }));
}

/** The events after a position, in their order: so many at most, or those of one tree. */
export async function eventsAfter(
  tx: SqlTransaction,
  organizationId: string,
  position: number,
  atMost: number,
): Promise<EventName[]> {
  const rows = await tx.$queryRaw<{ ids: string[]; times: Date[] }[]>`
    SELECT event_ids[skip + 1 : skip + ${atMost}::int]::text[] AS ids, event_times[skip + 1 : skip + ${atMost}::int] AS times
    FROM (SELECT event_ids, event_times, (${position}::bigint + 1 - first_position)::int AS skip FROM audit_tree
          WHERE organization_id = ${organizationId}::uuid AND first_position <= ${position}::bigint + 1
          ORDER BY first_position DESC LIMIT 1) AS tree`;
  return rows.flatMap(({ ids, times }) => ids.map((id, index) => ({ id, occurredAt: times[index]! })));
}

/** Whether anything says how far an organization's ledger has been forwarded. */
export async function isForwarded(tx: SqlTransaction, organizationId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM audit_forwarding WHERE organization_id = ${organizationId}::uuid`;
  return rows.length > 0;
}

/** Never backward: of two processes that send the same, the slower one is late. */
export async function keepForwarded(
  tx: SqlTransaction,
  organizationId: string,
  position: number,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO audit_forwarding AS f (organization_id, position, forwarded_at)
    VALUES (${organizationId}::uuid, ${position}::bigint, ${now}::timestamptz)
    ON CONFLICT (organization_id) DO UPDATE SET position = EXCLUDED.position, forwarded_at = EXCLUDED.forwarded_at
    WHERE f.position < EXCLUDED.position`;
}
