import type { Prisma } from '../../generated/prisma/client.js';
import type { Scope } from '../../platform/authorization/scopes.js';
import { newSecret, sha256 } from '../../platform/crypto/master-key.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { API_KEY_PREFIX } from '../auth/api-keys.service.js';
import type { ClientJwks } from '../auth/jwks.schemas.js';
import { PORTAL_KEY_PREFIX } from '../auth/portal-keys.service.js';

export interface NewClient {
  organizationId: string;
  name: string;
  scopes: readonly Scope[];
  jwks?: ClientJwks | undefined;
  /** Seconds; an hour when absent. */
  tokenLifetime?: number | undefined;
}

/** A client that has no secret and no role yet. */
export async function insertClient(
  tx: Transaction,
  { organizationId, name, scopes, jwks, tokenLifetime }: NewClient,
  createdAt: Date,
): Promise<{ id: string; clientId: string }> {
  const [id, clientId] = [newId(), `sdc_${newSecret().slice(0, 22)}`];
  await tx.oauthClient.create({
    data: {
      ...{ id, organizationId, clientId, name, scopes: [...scopes], createdAt },
      ...(jwks && { jwks: jwks as Prisma.InputJsonObject }),
      ...(tokenLifetime !== undefined && { tokenLifetime }),
    },
  });
  return { id, clientId };
}

/** A secret of a client. It is told once and never again: only its hash is kept. */
export async function insertSecret(
  tx: Transaction,
  { organizationId, oauthClientId }: { organizationId: string; oauthClientId: string },
  createdAt: Date,
): Promise<{ id: string; clientSecret: string }> {
  const [id, clientSecret] = [newId(), newSecret()];
  await tx.clientKey.create({
    data: { id, organizationId, oauthClientId, secretHash: hashOf(clientSecret), createdAt },
  });
  return { id, clientSecret };
}

export type KeyPurpose = 'secret' | 'portal';

/** A key that has no role yet; a portal's never has one, nor scopes. It is told once: only its hash is kept. */
export async function insertApiKey(
  tx: Transaction,
  given: { organizationId: string; name: string; purpose: KeyPurpose; scopes: readonly Scope[] },
  createdAt: Date,
): Promise<{ id: string; key: string }> {
  const [id, key] = [newId(), newKey(given.purpose)];
  await tx.apiKey.create({
    data: { ...given, id, scopes: [...given.scopes], keyHash: hashOf(key), createdAt },
  });
  return { id, key };
}

/** The value that was good becomes the previous one, with the time of its last use; that of the new one is yet to come. */
export async function replaceKey(
  tx: Transaction,
  { organizationId, id, purpose }: { organizationId: string; id: string; purpose: KeyPurpose },
): Promise<string> {
  const key = newKey(purpose);
  await tx.$executeRaw`
    UPDATE api_key SET previous_key_hash = key_hash, previous_last_used_at = last_used_at,
                       key_hash = ${hashOf(key)}::bytea, last_used_at = NULL, version = version + 1
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid`;
  return key;
}

const newKey = (purpose: KeyPurpose): string =>
  (purpose === 'portal' ? PORTAL_KEY_PREFIX : API_KEY_PREFIX) + newSecret();

/** As it is stored. */
const hashOf = (secret: string): Uint8Array<ArrayBuffer> => Uint8Array.from(sha256(secret));
