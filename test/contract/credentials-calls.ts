import { newId } from '../../src/platform/database/id.js';
import { Admin, ADMIN, signedIn } from '../support/admin.js';
import type { World } from '../support/world.js';
import type { Calls } from './ingestion-calls.js';

const CLIENTS = `${ADMIN}/clients`;
const KEYS = `${ADMIN}/api-keys`;
const SESSIONS = `${ADMIN}/sessions`;
const ANY_VERSION = { 'if-match': '*' };

/** Every audited route by which credentials are managed; `METHOD path` as in the route table. */
export function credentialsCalls(
  worldOf: () => World,
  tenantOf: () => { organizationId: string; apiKey: string },
): Record<string, Calls> {
  const owner = () => new Admin(worldOf().baseUrl, tenantOf().apiKey);
  const client = () => owner().create('/clients', { name: 'Scanner', scopes: [] });
  const key = async (): Promise<string> => (await owner().create('/api-keys', { name: 'Worklist' })).id;
  const session = async (): Promise<string> => {
    const [{ organizationId }, userId] = [tenantOf(), newId()];
    await worldOf().admin.query(
      `INSERT INTO "user" (id, organization_id, kind, email, created_at) VALUES ($1, $2, 'staff', $3, now())`,
      [userId, organizationId, `${userId}@staff.example`],
    );
    await signedIn(worldOf(), organizationId, userId);
    return (await owner().get(`${SESSIONS}?user_id=${userId}`)).body.items[0].id;
  };
  /** A route on one, which fails on none. */
  const on = (base: string, one: () => Promise<string>, verb: string): Calls => ({
    success: async (by) => by.post(`${base}/${await one()}/${verb}`),
    failure: (by) => by.post(`${base}/${newId()}/${verb}`),
  });
  const patch = (base: string, one: () => Promise<string>): Calls => ({
    success: async (by) => by.call('PATCH', `${base}/${await one()}`, { name: 'Other' }, ANY_VERSION),
    failure: (by) => by.call('PATCH', `${base}/${newId()}`, { name: 'Other' }, ANY_VERSION),
  });
  const clientId = async (): Promise<string> => (await client()).id;
  return {
    [`GET ${CLIENTS}`]: {
      success: (by) => by.get(CLIENTS),
      failure: (by) => by.get(`${CLIENTS}?limit=0`),
    },
    [`POST ${CLIENTS}`]: {
      success: (by) => by.post(CLIENTS, { name: 'Scanner', scopes: [] }),
      failure: (by) => by.post(CLIENTS, {}),
    },
    [`GET ${CLIENTS}/:id`]: {
      success: async (by) => by.get(`${CLIENTS}/${await clientId()}`),
      failure: (by) => by.get(`${CLIENTS}/${newId()}`),
    },
    [`PATCH ${CLIENTS}/:id`]: patch(CLIENTS, clientId),
    [`POST ${CLIENTS}/:id/disable`]: on(CLIENTS, clientId, 'disable'),
    [`POST ${CLIENTS}/:id/enable`]: on(CLIENTS, clientId, 'enable'),
    [`POST ${CLIENTS}/:id/secrets`]: on(CLIENTS, clientId, 'secrets'),
    [`DELETE ${CLIENTS}/:id/secrets/:secret_id`]: {
      success: async (by) => {
        const { id, secrets } = await client();
        return by.delete(`${CLIENTS}/${id}/secrets/${secrets[0].id}`);
      },
      failure: async (by) => by.delete(`${CLIENTS}/${await clientId()}/secrets/${newId()}`),
    },
    [`GET ${KEYS}`]: {
      success: (by) => by.get(KEYS),
      failure: (by) => by.get(`${KEYS}?limit=0`),
    },
    [`POST ${KEYS}`]: {
      success: (by) => by.post(KEYS, { name: 'Worklist' }),
      failure: (by) => by.post(KEYS, {}),
    },
    [`GET ${KEYS}/:id`]: {
      success: async (by) => by.get(`${KEYS}/${await key()}`),
      failure: (by) => by.get(`${KEYS}/${newId()}`),
    },
    [`PATCH ${KEYS}/:id`]: patch(KEYS, key),
    [`POST ${KEYS}/:id/rotate`]: on(KEYS, key, 'rotate'),
    [`POST ${KEYS}/:id/retire-previous`]: on(KEYS, key, 'retire-previous'),
    [`DELETE ${KEYS}/:id`]: {
      success: async (by) => by.delete(`${KEYS}/${await key()}`),
      failure: (by) => by.delete(`${KEYS}/${newId()}`),
    },
    [`GET ${SESSIONS}`]: {
      success: (by) => by.get(SESSIONS),
      failure: (by) => by.get(`${SESSIONS}?limit=0`),
    },
    [`DELETE ${SESSIONS}/:id`]: {
      success: async (by) => by.delete(`${SESSIONS}/${await session()}`),
      failure: (by) => by.delete(`${SESSIONS}/${newId()}`),
    },
  };
}
