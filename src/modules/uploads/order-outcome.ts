import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/**
 * Marks the orders among these that have failed: something was rejected, nothing was registered, and nothing more is
 * under way. For the end of a transaction that ended uploads. Returns those that failed just now.
 */
export async function failOrders(
  tx: SqlTransaction,
  organizationId: string,
  orderIds: string[],
  now: Date,
): Promise<string[]> {
  const ids = [...new Set(orderIds)].sort();
  if (ids.length === 0) return [];
  // The last two uploads of an order may be rejected at once, each seeing the other under way: the second waits here.
  await tx.$queryRaw`
    SELECT 1 FROM "order" WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
  const failed = await tx.$queryRaw<{ id: string }[]>`
    UPDATE "order" o SET failed_at = ${now}::timestamptz
    WHERE o.organization_id = ${organizationId}::uuid AND o.id = ANY (${ids}::uuid[]) AND o.failed_at IS NULL
      AND EXISTS (SELECT 1 FROM upload u WHERE u.organization_id = o.organization_id AND u.order_id = o.id
                  AND u.surface = 'ingestion' AND u.state = 'rejected')
      AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.organization_id = o.organization_id AND u.order_id = o.id
                      AND u.surface = 'ingestion' AND u.state IN ('issued', 'landed', 'verified', 'registered'))
    RETURNING o.id`;
  return failed.map(({ id }) => id);
}

/** Whether metadata that came with an object that landed then still counts: a closed order takes none. */
export async function takesSidecar(
  tx: SqlTransaction,
  organizationId: string,
  orderId: string,
  landedAt: Date,
): Promise<boolean> {
  const [order] = await tx.$queryRaw<{ taken: boolean }[]>`
    SELECT closed_at IS NULL OR closed_at > ${landedAt}::timestamptz AS taken FROM "order"
    WHERE organization_id = ${organizationId}::uuid AND id = ${orderId}::uuid`;
  return order?.taken ?? false;
}

/** The orders something was registered for have not failed, whatever was said before. */
export async function reviveOrders(
  tx: SqlTransaction,
  organizationId: string,
  orderIds: string[],
): Promise<void> {
  if (orderIds.length === 0) return;
  await tx.$executeRaw`
    UPDATE "order" SET failed_at = NULL
    WHERE organization_id = ${organizationId}::uuid AND id = ANY (${[...new Set(orderIds)]}::uuid[]) AND failed_at IS NOT NULL`;
}
