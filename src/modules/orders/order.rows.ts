import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { randomUUID } from 'node:crypto';

/** Set-based statements on orders, for the worker: one each, whatever the batch. */

export interface StudyArrival {
  studyId: string;
  /** Who uploaded the study: a new order is its. */
  principalId: string;
}

/** The newest order of each study that still takes uploads. */
async function openOrdersOf(
  tx: SqlTransaction,
  organizationId: string,
  studyIds: string[],
): Promise<Map<string, string>> {
  const rows = await tx.$queryRaw<{ studyId: string; orderId: string }[]>`
    SELECT DISTINCT ON (s.study_id) s.study_id AS "studyId", s.order_id AS "orderId" FROM order_study s
    JOIN "order" o ON o.organization_id = s.organization_id AND o.id = s.order_id AND o.closed_at IS NULL
    WHERE s.organization_id = ${organizationId}::uuid AND s.study_id = ANY (${studyIds}::uuid[])
    ORDER BY s.study_id, s.created_at DESC, s.order_id`;
  return new Map(rows.map(({ studyId, orderId }) => [studyId, orderId]));
}

/**
 * The order of each study that arrived without one: the newest that is open, else a new one. The studies are locked by
 * the caller, so that twenty instances of one study at once make one order.
 */
export async function ordersForStudies(
  tx: SqlTransaction,
  organizationId: string,
  arrivals: StudyArrival[],
  now: Date,
): Promise<Map<string, string>> {
  const byStudy = new Map([...arrivals].reverse().map((arrival) => [arrival.studyId, arrival]));
  if (byStudy.size === 0) return new Map();
  const orders = await openOrdersOf(tx, organizationId, [...byStudy.keys()]);
  const without = [...byStudy.values()].filter(({ studyId }) => !orders.has(studyId));
  const made = await assembleOrders(
    tx,
    organizationId,
    without.map(({ principalId }) => principalId),
    now,
  );
  without.forEach(({ studyId }, index) => orders.set(studyId, made[index]!));
  return orders;
}

/** One order for each principal named, in order. */
export async function assembleOrders(
  tx: SqlTransaction,
  organizationId: string,
  principalIds: string[],
  now: Date,
): Promise<string[]> {
  const ids = principalIds.map(() => randomUUID()); // UUIDv4 by the contract, not v7
  if (ids.length > 0)
    await tx.$executeRaw`
      INSERT INTO "order" (organization_id, id, origin, created_by_id, created_at)
      SELECT ${organizationId}::uuid, o.id, 'assembled', o.principal_id, ${now}::timestamptz
      FROM unnest(${ids}::uuid[], ${principalIds}::uuid[]) AS o(id, principal_id)`;
  return ids;
}

/** Notes that the studies came for the orders. What was said to have failed has not: something is there. */
export async function linkStudies(
  tx: SqlTransaction,
  organizationId: string,
  links: { orderId: string; studyId: string }[],
  now: Date,
): Promise<void> {
  if (links.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO order_study (organization_id, order_id, study_id, created_at)
    SELECT DISTINCT ${organizationId}::uuid, l.order_id, l.study_id, ${now}::timestamptz
    FROM unnest(${links.map(({ orderId }) => orderId)}::uuid[], ${links.map(({ studyId }) => studyId)}::uuid[]) AS l(order_id, study_id)
    ON CONFLICT (organization_id, order_id, study_id) DO NOTHING`;
}
