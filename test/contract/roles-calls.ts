import { randomUUID } from 'node:crypto';
import { SCOPES } from '../../src/platform/authorization/scopes.js';
import { newId } from '../../src/platform/database/id.js';
import { Client } from '../support/client.js';
import { plantGroup } from '../support/planted-staff.js';
import type { Tenant, World } from '../support/world.js';
import type { Calls } from './ingestion-calls.js';

const ROLES = '/api/v1/admin/roles';
const BINDINGS = '/api/v1/admin/bindings';
const CATALOGUE = '/api/v1/admin/access/catalogue';
const ANY = { 'if-match': '*' };

const newRole = () => ({
  name: `Role ${randomUUID()}`,
  rules: [{ operations: ['exams:read'], subject: 'Exam' }],
});

/** Every route of roles and bindings; `METHOD path` as in the route table. */
export function rolesCalls(worldOf: () => World, tenantOf: () => Tenant): Record<string, Calls> {
  const role = async (by: Client): Promise<string> => (await by.post(ROLES, newRole())).body.id;
  const toBind = async (by: Client) => ({
    role_id: await role(by),
    group_id: await plantGroup(worldOf(), tenantOf().organizationId),
  });
  const binding = async (by: Client): Promise<string> => (await by.post(BINDINGS, await toBind(by))).body.id;
  return {
    [`GET ${ROLES}`]: {
      success: (by) => by.get(ROLES),
      failure: (by) => by.get(`${ROLES}?limit=0`),
    },
    [`POST ${ROLES}`]: {
      success: (by) => by.post(ROLES, newRole()),
      failure: (by) => by.post(ROLES, { ...newRole(), name: 'owner' }),
    },
    [`GET ${ROLES}/:id`]: {
      success: async (by) => by.get(`${ROLES}/${await role(by)}`),
      failure: (by) => by.get(`${ROLES}/${newId()}`),
    },
    [`PATCH ${ROLES}/:id`]: {
      success: async (by) => by.call('PATCH', `${ROLES}/${await role(by)}`, newRole(), ANY),
      failure: (by) => by.call('PATCH', `${ROLES}/${newId()}`, newRole(), ANY),
    },
    [`DELETE ${ROLES}/:id`]: {
      success: async (by) => by.delete(`${ROLES}/${await role(by)}`),
      failure: (by) => by.delete(`${ROLES}/${newId()}`),
    },
    [`GET ${BINDINGS}`]: {
      success: (by) => by.get(BINDINGS),
      failure: (by) => by.get(`${BINDINGS}?limit=0`),
    },
    [`POST ${BINDINGS}`]: {
      success: async (by) => by.post(BINDINGS, await toBind(by)),
      failure: async (by) => by.post(BINDINGS, { ...(await toBind(by)), role_id: newId() }),
    },
    [`GET ${BINDINGS}/:id`]: {
      success: async (by) => by.get(`${BINDINGS}/${await binding(by)}`),
      failure: (by) => by.get(`${BINDINGS}/${newId()}`),
    },
    [`DELETE ${BINDINGS}/:id`]: {
      success: async (by) => by.delete(`${BINDINGS}/${await binding(by)}`),
      failure: (by) => by.delete(`${BINDINGS}/${newId()}`),
    },
    [`GET ${CATALOGUE}`]: {
      success: (by) => by.get(CATALOGUE),
      // It looks nothing up: nothing fails but the right to ask.
      failure: async () => {
        const { organizationId } = tenantOf();
        const weak = { organizationId, name: 'weak', role: 'reader', scopes: SCOPES } as const;
        return new Client(worldOf().baseUrl, await worldOf().organizations.createApiKey(weak)).get(CATALOGUE);
      },
    },
  };
}
