import type { Prisma } from '../../generated/prisma/client.js';
import type { ClientView } from './credentials.schemas.js';

export const withSecrets = {
  keys: {
    select: { id: true, createdAt: true, lastUsedAt: true, revokedAt: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  },
} as const satisfies Prisma.OauthClientInclude;
export type ClientRow = Prisma.OauthClientGetPayload<{ include: typeof withSecrets }>;

export const toClientView = (row: ClientRow): ClientView => ({
  id: row.id,
  client_id: row.clientId,
  name: row.name,
  state: row.disabledAt ? 'disabled' : 'enabled',
  scopes: row.scopes,
  token_lifetime: row.tokenLifetime,
  jwks: row.jwks as ClientView['jwks'],
  secrets: row.keys
    .filter(({ revokedAt }) => !revokedAt)
    .map(({ id, createdAt, lastUsedAt }) => ({
      id,
      created_at: createdAt.toISOString(),
      last_used_at: lastUsedAt?.toISOString() ?? null,
    })),
  last_used_at: latest(row.keys.map(({ lastUsedAt }) => lastUsedAt))?.toISOString() ?? null,
  created_at: row.createdAt.toISOString(),
  version: row.version,
});

function latest(times: (Date | null)[]): Date | undefined {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? undefined : new Date(Math.max(...known.map(Number)));
}
