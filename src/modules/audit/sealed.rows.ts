import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { EventName } from './ledger.rows.js';

/** Where an event stands in the sealed ledger of its organization. */
export interface SealedPlace {
  number: number;
  position: number;
  sealedAt: Date;
}

/**
 * The seal of an event, once it has one. Trees are made in the order of time, so the first one that ends no earlier than the
 * event is nearly always its own; what arrived late is in one of the next. Those that wait are looked for first, since
 * for them no tree would be found until the last.
 */
export async function sealOf(
  tx: SqlTransaction,
  organizationId: string,
  { id, occurredAt }: EventName,
): Promise<SealedPlace | undefined> {
  const waits = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM audit_unsealed
    WHERE organization_id = ${organizationId}::uuid AND occurred_at = ${occurredAt}::timestamptz AND event_id = ${id}::uuid`;
  if (waits.length > 0) return undefined;
  const [tree] = await tx.$queryRaw<{ number: bigint; position: bigint; sealedAt: Date }[]>`
    SELECT seal_number AS number, first_position + array_position(event_ids, ${id}::uuid) - 1 AS position,
           sealed_at AS "sealedAt"
    FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid
      AND last_time >= ${occurredAt}::timestamptz AND first_time <= ${occurredAt}::timestamptz
      AND ${id}::uuid = ANY (event_ids)
    ORDER BY last_time, first_time LIMIT 1`;
  return tree && { number: Number(tree.number), position: Number(tree.position), sealedAt: tree.sealedAt };
}
