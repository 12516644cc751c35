import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** A last use is written at most this often, in milliseconds, so that a busy key's row is not a hot spot. */
const LAST_USE_RESOLUTION_MS = 60_000;

/** A key that is good, with the value that was shown. */
export interface ShownKey {
  organizationId: string;
  id: string;
  /** SHA-256 of the value. */
  hash: Uint8Array;
}

/**
 * Notes the use of a key by the one of its values that was shown: while it is being rotated there are two, and when the
 * previous one was last used says when it may be retired.
 */
export async function recordKeyUse(
  tx: SqlTransaction,
  { organizationId, id, hash }: ShownKey,
  now: Date,
): Promise<void> {
  const stale = new Date(now.getTime() - LAST_USE_RESOLUTION_MS);
  await tx.$executeRaw`
    UPDATE api_key SET
      last_used_at = CASE WHEN key_hash = ${hash}::bytea THEN ${now}::timestamptz ELSE last_used_at END,
      previous_last_used_at = CASE WHEN key_hash = ${hash}::bytea THEN previous_last_used_at ELSE ${now}::timestamptz END
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid
      AND (key_hash = ${hash}::bytea AND (last_used_at IS NULL OR last_used_at < ${stale}::timestamptz)
        OR previous_key_hash = ${hash}::bytea
           AND (previous_last_used_at IS NULL OR previous_last_used_at < ${stale}::timestamptz))`;
}
