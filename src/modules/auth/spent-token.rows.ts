import { sha256 } from '../../platform/crypto/master-key.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** Something that is good once. */
export interface OneTimeToken {
  organizationId: string;
  purpose: string;
  /** Whose it is: two may choose the same. */
  of: string;
  token: string;
}

/**
 * Uses it up. Returns false when it was used before: of all who show it at the same moment one wins, the others wait for
 * that one's transaction.
 * @param expiresAt when nobody would take it any more, so that it need not be remembered
 */
export async function spend(
  tx: SqlTransaction,
  { organizationId, purpose, of, token }: OneTimeToken,
  expiresAt: Date,
): Promise<boolean> {
  const hash = Uint8Array.from(sha256(JSON.stringify([purpose, of, token])));
  const inserted = await tx.$executeRaw`
    INSERT INTO spent_token (organization_id, hash, expires_at)
    VALUES (${organizationId}::uuid, ${hash}::bytea, ${expiresAt}::timestamptz)
    ON CONFLICT DO NOTHING`;
  return inserted > 0;
}
