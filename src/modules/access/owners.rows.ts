import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { OWNER_ROLES } from './built-in-roles.js';
import type { Scope } from '../../platform/authorization/scopes.js';

const MANAGING: Scope = 'access:manage';

/**
 * How many may do everything in the organization and can come in to do so: users, clients and API keys that have the
 * built-in role `owner`, or the platform's, without a limit, by themselves or by a group. A client that has nothing to show
 * is none, nor is a client or key without the scope by which access is managed.
 */
export async function countOwners(tx: SqlTransaction, organizationId: string): Promise<number> {
  const [row] = await tx.$queryRaw<{ owners: number }[]>`
    WITH RECURSIVE bound AS (
      SELECT b.* FROM role r
      JOIN role_binding b ON b.organization_id = r.organization_id AND b.role_id = r.id AND b.resource_id IS NULL
      WHERE r.organization_id = ${organizationId}::uuid AND r.name = ANY (${OWNER_ROLES}::text[]) AND r.built_in
    ), within AS (
      SELECT group_id FROM bound WHERE group_id IS NOT NULL
      UNION
      SELECT m.member_group_id FROM within w
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.group_id = w.group_id
      WHERE m.member_group_id IS NOT NULL
    ), people AS (
      SELECT user_id FROM bound WHERE user_id IS NOT NULL
      UNION
      SELECT m.user_id FROM within w
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.group_id = w.group_id
      WHERE m.user_id IS NOT NULL
    )
    SELECT ((SELECT count(*) FROM people p
             JOIN "user" u ON u.organization_id = ${organizationId}::uuid AND u.id = p.user_id AND u.disabled_at IS NULL)
          + (SELECT count(*) FROM bound b
             JOIN oauth_client c ON c.organization_id = ${organizationId}::uuid AND c.id = b.oauth_client_id AND c.disabled_at IS NULL
             WHERE ${MANAGING}::text = ANY (c.scopes)
               AND (c.jwks IS NOT NULL OR EXISTS (
                 SELECT 1 FROM client_key s
                 WHERE s.organization_id = ${organizationId}::uuid AND s.oauth_client_id = c.id AND s.revoked_at IS NULL)))
          + (SELECT count(*) FROM bound b
             JOIN api_key k ON k.organization_id = ${organizationId}::uuid AND k.id = b.api_key_id AND k.revoked_at IS NULL
             WHERE ${MANAGING}::text = ANY (k.scopes)))::int
           AS owners`;
  return row!.owners;
}
