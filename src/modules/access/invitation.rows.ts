import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** What is to be sent, unless it was, or they could not sign in by it. */
export async function findUninvited(
  tx: SqlTransaction,
  organizationId: string,
  userId: string,
): Promise<{ to: string; organization: string } | undefined> {
  const [row] = await tx.$queryRaw<{ to: string; organization: string }[]>`
    SELECT u.email AS "to", o.name AS organization FROM "user" u
    JOIN organization o ON o.id = u.organization_id AND o.disabled_at IS NULL
    WHERE u.organization_id = ${organizationId}::uuid AND u.id = ${userId}::uuid AND u.email IS NOT NULL
      AND u.invited_at IS NOT NULL AND u.invitation_sent_at IS NULL AND u.disabled_at IS NULL`;
  return row;
}

/** Notes that an invitation was sent, or never will be. Returns whether nobody had noted it before. */
export async function settleInvitation(
  tx: SqlTransaction,
  organizationId: string,
  userId: string,
  now: Date,
): Promise<boolean> {
  const settled = await tx.$executeRaw`
    UPDATE "user" SET invitation_sent_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${userId}::uuid AND invitation_sent_at IS NULL`;
  return settled > 0;
}
