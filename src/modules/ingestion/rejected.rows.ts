import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** Rejected objects that are listed one by one. */
export const MAX_REJECTED = 1000;

export interface RejectedRow {
  uploadId: string;
  parentId: string | null;
  name: string | null;
  size: bigint | null;
  rule: string;
  message: string;
  place: string | null;
  rejectedAt: Date;
}

/** What was rejected of an order, entries of archives included, in the order they were issued. */
export function rejectedOfOrder(
  tx: SqlTransaction,
  organizationId: string,
  orderId: string,
  limit: number,
): Promise<RejectedRow[]> {
  return tx.$queryRaw`
    SELECT id AS "uploadId", parent_id AS "parentId", declared_name AS name, landed_size AS size, rejection_rule AS rule,
           rejection_message AS message, rejection_where AS place, rejected_at AS "rejectedAt"
    FROM upload WHERE organization_id = ${organizationId}::uuid AND order_id = ${orderId}::uuid
      AND surface = 'ingestion' AND state = 'rejected'
    ORDER BY id LIMIT ${limit}::int`;
}
