import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

export interface NewInspectFile {
  id: string;
  assetId: string | null;
  name: string;
  contentType: string;
  size: number;
  sha256: Buffer;
  createdBy: { kind: string; id: string };
}

/** False when the organization has a file of that id already: of two at once, the second waits and is told so. */
export async function insertFile(
  tx: SqlTransaction,
  organizationId: string,
  { id, assetId, name, contentType, size, sha256, createdBy }: NewInspectFile,
  now: Date,
): Promise<boolean> {
  const inserted = await tx.$executeRaw`
    INSERT INTO inspect_file (organization_id, id, asset_id, name, content_type, size, sha256, created_by_kind, created_by_id, created_at)
    VALUES (${organizationId}::uuid, ${id}::uuid, ${assetId}, ${name}, ${contentType}, ${size}::bigint, ${sha256}::bytea,
            ${createdBy.kind}, ${createdBy.id}::uuid, ${now}::timestamptz)
    ON CONFLICT (organization_id, id) DO NOTHING`;
  return inserted > 0;
}

/** Whether there is such a file, whoever may see it; if so, its completion and other attempts wait for this transaction. */
export async function lockFile(tx: SqlTransaction, organizationId: string, id: string): Promise<boolean> {
  const found = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM inspect_file WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR NO KEY UPDATE`;
  return found.length > 0;
}

/** One issued URL of a file, and what became of it. */
export interface Attempt {
  id: string;
  state: string;
  /** The ledger has not seen its object, which may still be there. */
  unseen: boolean;
  rule: string | null;
  message: string | null;
  /** The file has its bytes, by whichever attempt. */
  completed: boolean;
}

/** Newest first; none when there is no such file. @param landable an expired URL's end, from which on its object still counts */
export function attemptsOf(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
  landable: Date,
): Promise<Attempt[]> {
  return tx.$queryRaw`
    SELECT u.id, u.state::text AS state, u.rejection_rule AS rule, u.rejection_message AS message,
           u.state = 'issued' OR (u.state = 'expired' AND u.url_expires_at > ${landable}::timestamptz) AS unseen,
           f.completed_at IS NOT NULL AS completed
    FROM inspect_file f JOIN upload u ON u.organization_id = f.organization_id AND u.inspect_file_id = f.id
    WHERE f.organization_id = ${organizationId}::uuid AND f.id = ${id}::uuid
    ORDER BY u.id DESC`;
}

/**
 * Gives files the bytes of their attempts that were registered: the first one's, for good. In the order of their ids,
 * so that two workers with several of the same files do not wait for each other in a circle.
 */
export async function completeFiles(
  tx: SqlTransaction,
  organizationId: string,
  uploadIds: string[],
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    WITH first AS (
      SELECT DISTINCT ON (inspect_file_id) inspect_file_id, id FROM upload
      WHERE organization_id = ${organizationId}::uuid AND id = ANY (${uploadIds}::uuid[]) AND inspect_file_id IS NOT NULL
      ORDER BY inspect_file_id, id
    ), held AS (
      SELECT f.id FROM inspect_file f JOIN first ON first.inspect_file_id = f.id
      WHERE f.organization_id = ${organizationId}::uuid ORDER BY f.id FOR NO KEY UPDATE OF f
    )
    UPDATE inspect_file f SET completed_at = ${now}::timestamptz, upload_id = first.id
    FROM first JOIN held ON held.id = first.inspect_file_id
    WHERE f.organization_id = ${organizationId}::uuid AND f.id = first.inspect_file_id AND f.completed_at IS NULL`;
}
