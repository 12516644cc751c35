import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { randomUUID } from 'node:crypto';

/** Set-based statements on orders, for the worker: one each, whatever the batch. */

/** An instance that came without an order. */
export interface StudyArrival {
  uploadId: string;
  studyId: string;
  /** Who uploaded it: a new order is its. */
  principalId: string;
  landedAt: Date;
  /** It brings nothing new. */
  duplicate: boolean;
}

/**
 * The uploader's newest order of its study that was open when it landed, for each of these: a backlog changes nothing.
 * Never another's: what an upload brings, its sidecar for one, shows there.
 */
async function openOrdersOf(
  tx: SqlTransaction,
  organizationId: string,
  arrivals: StudyArrival[],
): Promise<Map<string, string>> {
  const rows = await tx.$queryRaw<{ uploadId: string; orderId: string }[]>`
    SELECT DISTINCT ON (a.upload_id) a.upload_id AS "uploadId", o.id AS "orderId"
    FROM unnest(${arrivals.map(({ uploadId }) => uploadId)}::uuid[], ${arrivals.map(({ studyId }) => studyId)}::uuid[],
                ${arrivals.map(({ landedAt }) => landedAt)}::timestamptz[], ${arrivals.map(({ duplicate }) => duplicate)}::bool[],
                ${arrivals.map(({ principalId }) => principalId)}::uuid[])
         AS a(upload_id, study_id, landed_at, duplicate, principal_id)
    JOIN order_study s ON s.organization_id = ${organizationId}::uuid AND s.study_id = a.study_id
    JOIN "order" o ON o.organization_id = s.organization_id AND o.id = s.order_id AND o.created_by_id = a.principal_id
                  AND (o.closed_at IS NULL OR o.closed_at > a.landed_at OR a.duplicate)
    ORDER BY a.upload_id, o.closed_at DESC NULLS FIRST, s.created_at DESC, s.order_id`;
  return new Map(rows.map(({ uploadId, orderId }) => [uploadId, orderId]));
}

/**
 * The order of each instance that came without one: its study's newest that is open, else a new one. The studies are
 * locked by the caller, so that twenty instances of one study at once make one order. By upload.
 */
export async function ordersForStudies(
  tx: SqlTransaction,
  organizationId: string,
  arrivals: StudyArrival[],
  now: Date,
): Promise<Map<string, string>> {
  if (arrivals.length === 0) return new Map();
  const orders = await openOrdersOf(tx, organizationId, arrivals);
  const without = arrivals.filter(({ uploadId }) => !orders.has(uploadId));
  const firsts = new Map([...without].reverse().map((arrival) => [ownerKey(arrival), arrival]));
  const principals = [...firsts.values()].map(({ principalId }) => principalId);
  const made = await assembleOrders(tx, organizationId, principals, now);
  const byOwner = new Map([...firsts.keys()].map((key, index) => [key, made[index]!]));
  for (const arrival of without) orders.set(arrival.uploadId, byOwner.get(ownerKey(arrival))!);
  return orders;
}

const ownerKey = ({ studyId, principalId }: StudyArrival): string => `${studyId} ${principalId}`;

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
