import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** Why somebody who exists may not come in. */
export type Exclusion = 'principal_disabled' | 'organization_disabled';

/** A principal, whether or not it may come in. */
export interface PrincipalRow {
  /** What an administrator calls it; of a user nothing, since the ledger gets it. */
  name: string;
  /** What its credentials may be for at most; of a user nothing is written. */
  scopes: string[];
  /** Of a user only. */
  userKind: 'patient' | 'staff' | null;
  excluded: Exclusion | null;
}

/** A principal of the organization: a client, a key that is a credential (a portal's is none), a user. */
export async function findPrincipal(
  tx: SqlTransaction,
  organizationId: string,
  { kind, id }: { kind: 'client' | 'api_key' | 'user'; id: string },
): Promise<PrincipalRow | undefined> {
  const find = { client: findClient, api_key: findApiKey, user: findUser }[kind];
  return (await find(tx, organizationId, id))[0];
}

const findClient = (tx: SqlTransaction, organizationId: string, id: string): Promise<PrincipalRow[]> =>
  tx.$queryRaw<PrincipalRow[]>`
    SELECT c.name, c.scopes, NULL AS "userKind",
           CASE WHEN o.disabled_at IS NOT NULL THEN 'organization_disabled'
                WHEN c.disabled_at IS NOT NULL THEN 'principal_disabled' END AS excluded
    FROM oauth_client c JOIN organization o ON o.id = c.organization_id
    WHERE c.organization_id = ${organizationId}::uuid AND c.id = ${id}::uuid`;

const findApiKey = (tx: SqlTransaction, organizationId: string, id: string): Promise<PrincipalRow[]> =>
  tx.$queryRaw<PrincipalRow[]>`
    SELECT k.name, k.scopes, NULL AS "userKind",
           CASE WHEN o.disabled_at IS NOT NULL THEN 'organization_disabled'
                WHEN k.revoked_at IS NOT NULL THEN 'principal_disabled' END AS excluded
    FROM api_key k JOIN organization o ON o.id = k.organization_id
    WHERE k.organization_id = ${organizationId}::uuid AND k.id = ${id}::uuid AND k.purpose = 'secret'`;

const findUser = (tx: SqlTransaction, organizationId: string, id: string): Promise<PrincipalRow[]> =>
  tx.$queryRaw<PrincipalRow[]>`
    SELECT '' AS name, '{}'::text[] AS scopes, u.kind::text AS "userKind",
           CASE WHEN o.disabled_at IS NOT NULL THEN 'organization_disabled'
                WHEN u.disabled_at IS NOT NULL THEN 'principal_disabled' END AS excluded
    FROM "user" u JOIN organization o ON o.id = u.organization_id
    WHERE u.organization_id = ${organizationId}::uuid AND u.id = ${id}::uuid`;

/** Whether a user's session is not over, nor what it began with (a portal's key, an identity provider). */
export async function isSignedIn(
  tx: SqlTransaction,
  organizationId: string,
  { userId, sessionId, now }: { userId: string; sessionId: string; now: Date },
): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM user_session s
    LEFT JOIN api_key k ON k.organization_id = s.organization_id AND k.id = s.api_key_id
    LEFT JOIN identity_provider p ON p.organization_id = s.organization_id AND p.id = s.provider_id
    WHERE s.organization_id = ${organizationId}::uuid AND s.id = ${sessionId}::uuid AND s.user_id = ${userId}::uuid
      AND s.revoked_at IS NULL AND s.expires_at > ${now}::timestamptz
      AND k.revoked_at IS NULL AND p.disabled_at IS NULL`;
  return rows.length > 0;
}

/** Whether an access token was revoked before its time (RFC 7009). */
export async function isRevoked(tx: SqlTransaction, organizationId: string, jti: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM revoked_token WHERE organization_id = ${organizationId}::uuid AND jti = ${jti}::uuid`;
  return rows.length > 0;
}
