import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { Overlay } from '../metadata/overlay.js';
import type { UploadCounts } from './order-state.js';

/** A study of an order, with its present submission. */
export interface StudyRow {
  orderId: string;
  studyUid: string;
  /** Tags, by keyword. */
  attributes: Overlay;
  generation: number;
  state: 'open' | 'closed' | 'superseded';
  lastLandedAt: Date;
  closesAt: Date;
}

const NONE: UploadCounts = { issued: 0, landed: 0, verified: 0, registered: 0, rejected: 0, expired: 0 };

/** What was uploaded for each order, by state; an archive counts once. */
export async function countsOfOrders(
  tx: SqlTransaction,
  organizationId: string,
  orderIds: string[],
): Promise<Map<string, UploadCounts>> {
  const rows = await tx.$queryRaw<{ orderId: string; state: keyof UploadCounts; count: number }[]>`
    SELECT order_id AS "orderId", state::text AS state, count(*)::int AS count FROM upload
    WHERE organization_id = ${organizationId}::uuid AND order_id = ANY (${orderIds}::uuid[])
      AND parent_id IS NULL AND surface = 'ingestion' AND state NOT IN ('deleted', 'purged')
    GROUP BY order_id, state`;
  const counts = new Map(orderIds.map((id) => [id, { ...NONE }]));
  for (const { orderId, state, count } of rows) counts.get(orderId)![state] = count;
  return counts;
}

/** Studies of an order whose tags are looked at; with more, nobody sees whose order it is. */
const MAX_TAGGED = 100;

/** The studies of each order, oldest first, with these of their tags only where a list of them is given. */
export async function studiesOfOrders(
  tx: SqlTransaction,
  organizationId: string,
  orderIds: string[],
  keywords: string[] | null,
): Promise<Map<string, StudyRow[]>> {
  const rows = await tx.$queryRaw<StudyRow[]>`
    SELECT os.order_id AS "orderId", st.study_instance_uid AS "studyUid",
           CASE WHEN os.rank > ${MAX_TAGGED}::int THEN '{}' WHEN ${keywords}::text[] IS NULL THEN st.attributes ELSE (
             SELECT coalesce(jsonb_object_agg(k.keyword, st.attributes -> k.keyword), '{}') FROM unnest(${keywords}::text[]) AS k(keyword)
             WHERE jsonb_exists(st.attributes, k.keyword)) END AS attributes, s.generation, s.state::text AS state,
           s.last_landed_at AS "lastLandedAt", s.closes_at AS "closesAt"
    FROM (
      SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY created_at, study_id) AS rank FROM order_study
      WHERE organization_id = ${organizationId}::uuid AND order_id = ANY (${orderIds}::uuid[])) os
    JOIN study st ON st.organization_id = os.organization_id AND st.id = os.study_id
    JOIN LATERAL (
      SELECT * FROM submission g WHERE g.organization_id = os.organization_id AND g.study_id = os.study_id
      ORDER BY g.generation DESC LIMIT 1) s ON true
    ORDER BY os.created_at, st.id`;
  const byOrder = new Map<string, StudyRow[]>();
  for (const row of rows) byOrder.set(row.orderId, [...(byOrder.get(row.orderId) ?? []), row]);
  return byOrder;
}
