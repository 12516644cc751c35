import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** An identity provider that may be used, with what it takes to ask it. */
export interface Provider {
  id: string;
  organizationId: string;
  issuer: string;
  clientId: string;
  sealedSecret: Uint8Array | null;
  redirectUris: string[];
  version: number;
}

/** What a client secret is sealed for, so that one moved to another provider does not open. */
export const secretContext = (providerId: string): string => `identity-provider/${providerId}`;

/** A provider that is not disabled, of an organization that is not either. */
export async function findProvider(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
): Promise<Provider | undefined> {
  const [row] = await tx.$queryRaw<Provider[]>`
    SELECT p.id, p.organization_id AS "organizationId", p.issuer, p.client_id AS "clientId",
           p.sealed_secret AS "sealedSecret", p.redirect_uris AS "redirectUris", p.version
    FROM identity_provider p
    JOIN organization o ON o.id = p.organization_id AND o.disabled_at IS NULL
    WHERE p.organization_id = ${organizationId}::uuid AND p.id = ${id}::uuid AND p.disabled_at IS NULL`;
  return row;
}

/** Who of staff is known by that identity, and may come in. */
export async function findByIdentity(
  tx: SqlTransaction,
  organizationId: string,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<string | undefined> {
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT u.id FROM user_identity i
    JOIN "user" u ON u.organization_id = i.organization_id AND u.id = i.user_id AND u.kind = 'staff' AND u.disabled_at IS NULL
    WHERE i.organization_id = ${organizationId}::uuid AND i.issuer = ${issuer}::text AND i.subject = ${subject}::text`;
  return row?.id;
}

/** Makes somebody of staff known by an identity. Returns false when it is somebody's, or they may not come in. */
export async function insertIdentity(
  tx: SqlTransaction,
  organizationId: string,
  given: { id: string; userId: string; issuer: string; subject: string; createdAt: Date },
): Promise<boolean> {
  const { id, userId, issuer, subject, createdAt } = given;
  const inserted = await tx.$executeRaw`
    INSERT INTO user_identity (id, organization_id, user_id, issuer, subject, created_at)
    SELECT ${id}::uuid, u.organization_id, u.id, ${issuer}::text, ${subject}::text, ${createdAt}::timestamptz
    FROM "user" u
    WHERE u.organization_id = ${organizationId}::uuid AND u.id = ${userId}::uuid AND u.kind = 'staff' AND u.disabled_at IS NULL
    ON CONFLICT (organization_id, issuer, subject) DO NOTHING`;
  return inserted > 0;
}

/** Whether a user is one of staff who may come in. */
export async function isStaff(tx: SqlTransaction, organizationId: string, userId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "user"
    WHERE organization_id = ${organizationId}::uuid AND id = ${userId}::uuid AND kind = 'staff' AND disabled_at IS NULL`;
  return rows.length > 0;
}
