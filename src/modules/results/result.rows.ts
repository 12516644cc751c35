import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** A result on its way, and what became of its bytes. */
export interface ResultRow {
  id: string;
  orderId: string;
  uploadId: string;
  reportType: string;
  contentType: string;
  size: bigint;
  deliveredAt: Date | null;
  uploadState: string;
  rule: string | null;
  message: string | null;
  place: string | null;
}

export interface NewResult {
  id: string;
  orderId: string;
  uploadId: string;
  reportType: string;
  contentType: string;
  deliveredById: string;
}

export async function insertResult(
  tx: SqlTransaction,
  organizationId: string,
  { id, orderId, uploadId, reportType, contentType, deliveredById }: NewResult,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO result (id, organization_id, order_id, upload_id, report_type, content_type, delivered_by_id, created_at)
    VALUES (${id}::uuid, ${organizationId}::uuid, ${orderId}::uuid, ${uploadId}::uuid, ${reportType}, ${contentType},
            ${deliveredById}::uuid, ${now}::timestamptz)`;
}

export async function resultWithUpload(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
): Promise<ResultRow> {
  const [row] = await tx.$queryRaw<ResultRow[]>`
    SELECT r.id, r.order_id AS "orderId", r.upload_id AS "uploadId", r.report_type AS "reportType",
           r.content_type AS "contentType", u.declared_size AS size, r.delivered_at AS "deliveredAt", u.state::text AS "uploadState",
           u.rejection_rule AS rule, u.rejection_message AS message, u.rejection_where AS place
    FROM result r JOIN upload u ON u.organization_id = r.organization_id AND u.id = r.upload_id
    WHERE r.organization_id = ${organizationId}::uuid AND r.id = ${id}::uuid`;
  return row!;
}

/** Those whose bytes are verified are delivered: seen from here on. Returns what was. */
export function markDelivered(
  tx: SqlTransaction,
  organizationId: string,
  uploadIds: string[],
  now: Date,
): Promise<{ id: string; orderId: string; reportType: string }[]> {
  return tx.$queryRaw`
    UPDATE result SET delivered_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND upload_id = ANY (${uploadIds}::uuid[]) AND delivered_at IS NULL
    RETURNING id, order_id AS "orderId", report_type AS "reportType"`;
}
