import { sha256 } from '../../platform/crypto/master-key.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import { type Door, TERMS, type UserKind } from './door.js';

export interface SessionRow {
  organizationId: string;
  id: string;
  userId: string;
  kind: UserKind;
  /** Of a patient: the portal it began at. */
  apiKeyId: string | null;
  /** Of staff: the identity provider it began with; null where it was a code. */
  providerId: string | null;
  expiresAt: Date;
}

export async function insertSession(
  tx: SqlTransaction,
  given: Omit<SessionRow, 'id' | 'expiresAt'>,
  now: Date,
): Promise<SessionRow> {
  const session = { ...given, id: newId(), expiresAt: new Date(now.getTime() + TERMS[given.kind].longestMs) };
  const { organizationId, id, userId, apiKeyId, providerId, expiresAt } = session;
  await tx.$executeRaw`
    INSERT INTO user_session (id, organization_id, user_id, api_key_id, provider_id, created_at, last_used_at, expires_at)
    VALUES (${id}::uuid, ${organizationId}::uuid, ${userId}::uuid, ${apiKeyId}::uuid, ${providerId}::uuid,
            ${now}::timestamptz, ${now}::timestamptz, ${expiresAt}::timestamptz)`;
  return session;
}

export async function insertRefreshToken(
  tx: SqlTransaction,
  session: SessionRow,
  token: string,
  now: Date,
): Promise<void> {
  const expiresAt = new Date(
    Math.min(now.getTime() + TERMS[session.kind].idleMs, session.expiresAt.getTime()),
  );
  await tx.$executeRaw`
    INSERT INTO refresh_token (id, organization_id, session_id, token_hash, created_at, expires_at)
    VALUES (${newId()}::uuid, ${session.organizationId}::uuid, ${session.id}::uuid, ${sha256(token)}::bytea,
            ${now}::timestamptz, ${expiresAt}::timestamptz)`;
}

/** Takes a token that was not used yet, so that of all who show it one wins. */
export async function replaceRefreshToken(
  tx: SqlTransaction,
  organizationId: string,
  token: string,
  now: Date,
): Promise<{ sessionId: string; expiresAt: Date } | undefined> {
  const [row] = await tx.$queryRaw<{ session_id: string; expires_at: Date }[]>`
    UPDATE refresh_token SET replaced_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND token_hash = ${sha256(token)}::bytea AND replaced_at IS NULL
    RETURNING session_id, expires_at`;
  return row && { sessionId: row.session_id, expiresAt: row.expires_at };
}

/** The session of a token, used or not, of a user of that door. */
export async function findSession(
  tx: SqlTransaction,
  { named, kind }: Door,
  token: string,
): Promise<{ id: string; userId: string } | undefined> {
  const [row] = await tx.$queryRaw<{ id: string; user_id: string }[]>`
    SELECT s.id, s.user_id FROM refresh_token r
    JOIN user_session s ON s.organization_id = r.organization_id AND s.id = r.session_id
    JOIN "user" u ON u.organization_id = s.organization_id AND u.id = s.user_id AND u.kind = ${kind}::user_kind
    WHERE r.organization_id = ${named}::uuid AND r.token_hash = ${sha256(token)}::bytea`;
  return row && { id: row.id, userId: row.user_id };
}

/**
 * Notes the use of a session that lives, of a user and an organization that may come in, at the door and portal it began
 * at, and by a provider that is still good.
 */
export async function touchSession(
  tx: SqlTransaction,
  { named: organizationId, kind, portalKeyId: apiKeyId }: Door,
  id: string,
  now: Date,
): Promise<SessionRow | undefined> {
  const [row] = await tx.$queryRaw<{ user_id: string; provider_id: string | null; expires_at: Date }[]>`
    UPDATE user_session s SET last_used_at = ${now}::timestamptz
    FROM "user" u, organization o
    WHERE s.organization_id = ${organizationId}::uuid AND s.id = ${id}::uuid
      AND s.api_key_id IS NOT DISTINCT FROM ${apiKeyId}::uuid
      AND s.revoked_at IS NULL AND s.expires_at > ${now}::timestamptz
      AND u.organization_id = s.organization_id AND u.id = s.user_id AND u.kind = ${kind}::user_kind
      AND u.disabled_at IS NULL
      AND o.id = s.organization_id AND o.disabled_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM identity_provider p
                      WHERE p.organization_id = s.organization_id AND p.id = s.provider_id AND p.disabled_at IS NOT NULL)
    RETURNING s.user_id, s.provider_id, s.expires_at`;
  if (!row) return undefined;
  const { user_id: userId, provider_id: providerId, expires_at: expiresAt } = row;
  return { organizationId, id, userId, kind, apiKeyId, providerId, expiresAt };
}

/** Ends a session. Returns whether it had not ended before. */
export async function revokeSession(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
  { reason, now }: { reason: 'logout' | 'replayed' | 'revoked'; now: Date },
): Promise<boolean> {
  const revoked = await tx.$executeRaw`
    UPDATE user_session SET revoked_at = ${now}::timestamptz, revoked_reason = ${reason}::text
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid AND revoked_at IS NULL`;
  return revoked > 0;
}

/** Ends every session of a user that had not ended. Returns how many. */
export async function revokeSessionsOf(
  tx: SqlTransaction,
  organizationId: string,
  userId: string,
  { reason, now }: { reason: 'disabled'; now: Date },
): Promise<number> {
  return tx.$executeRaw`
    UPDATE user_session SET revoked_at = ${now}::timestamptz, revoked_reason = ${reason}::text
    WHERE organization_id = ${organizationId}::uuid AND user_id = ${userId}::uuid AND revoked_at IS NULL`;
}

/** Ends the sessions that began with an identity provider. Returns how many. */
export function revokeSessionsOfProvider(
  tx: SqlTransaction,
  organizationId: string,
  { providerId, now }: { providerId: string; now: Date },
): Promise<number> {
  return tx.$executeRaw`
    UPDATE user_session SET revoked_at = ${now}::timestamptz, revoked_reason = 'provider_disabled'
    WHERE organization_id = ${organizationId}::uuid AND provider_id = ${providerId}::uuid AND revoked_at IS NULL
      AND expires_at > ${now}::timestamptz`;
}

/** Ends the sessions a user began with the provider of an issuer. Returns how many. */
export function revokeSessionsOfIssuer(
  tx: SqlTransaction,
  organizationId: string,
  { userId, issuer, now }: { userId: string; issuer: string; now: Date },
): Promise<number> {
  return tx.$executeRaw`
    UPDATE user_session s SET revoked_at = ${now}::timestamptz, revoked_reason = 'identity_unlinked'
    FROM identity_provider p
    WHERE s.organization_id = ${organizationId}::uuid AND s.user_id = ${userId}::uuid AND s.revoked_at IS NULL
      AND s.expires_at > ${now}::timestamptz
      AND p.organization_id = s.organization_id AND p.id = s.provider_id AND p.issuer = ${issuer}::text`;
}
