import { randomUUID } from 'node:crypto';
import { newId } from '../../src/platform/database/id.js';
import type { Admin } from '../support/admin.js';
import { eventually } from '../support/client.js';
import { ORGANIZATIONS } from '../support/platform.js';
import type { Calls } from './ingestion-calls.js';

/**
 * Every audited route of organizations; `METHOD path` as in the route table. Whoever calls, what spans organizations is done
 * by the platform's owner.
 */
export function tenantsCalls(platformOf: () => Admin, organizationOf: () => string): Record<string, Calls> {
  const input = () => ({ name: 'North Clinic', owner: { email: `${randomUUID()}@staff.example` } });
  const made = async (): Promise<string> => (await platformOf().post(ORGANIZATIONS, input())).body.id;
  const leaving = async (): Promise<string> => {
    const id = await made();
    await platformOf().post(`${ORGANIZATIONS}/${id}/deletion`, {});
    return id;
  };
  const exported = async (): Promise<string> => {
    const id = await leaving();
    await eventually(
      () => platformOf().get(`${ORGANIZATIONS}/${id}/deletion`),
      ({ body }) => body.state === 'exported',
    );
    return id;
  };
  const change = (body: object) => [body, { 'if-match': '*' }] as const;
  return {
    [`GET ${ORGANIZATIONS}`]: {
      success: () => platformOf().get(ORGANIZATIONS),
      failure: () => platformOf().get(`${ORGANIZATIONS}?limit=0`),
    },
    [`POST ${ORGANIZATIONS}`]: {
      success: () => platformOf().post(ORGANIZATIONS, input()),
      failure: () => platformOf().post(ORGANIZATIONS, {}),
    },
    [`GET ${ORGANIZATIONS}/:id`]: {
      success: (by) => by.get(`${ORGANIZATIONS}/${organizationOf()}`),
      failure: (by) => by.get(`${ORGANIZATIONS}/${newId()}`),
    },
    [`PATCH ${ORGANIZATIONS}/:id`]: {
      success: (by) =>
        by.call('PATCH', `${ORGANIZATIONS}/${organizationOf()}`, ...change({ required_metadata: [] })),
      failure: (by) => by.call('PATCH', `${ORGANIZATIONS}/${newId()}`, ...change({ name: 'Other' })),
    },
    [`POST ${ORGANIZATIONS}/:id/disable`]: {
      success: async () => platformOf().post(`${ORGANIZATIONS}/${await made()}/disable`),
      failure: () => platformOf().post(`${ORGANIZATIONS}/${newId()}/disable`),
    },
    [`POST ${ORGANIZATIONS}/:id/enable`]: {
      success: async () => platformOf().post(`${ORGANIZATIONS}/${await made()}/enable`),
      failure: () => platformOf().post(`${ORGANIZATIONS}/${newId()}/enable`),
    },
    [`POST ${ORGANIZATIONS}/:id/deletion`]: {
      success: async () => platformOf().post(`${ORGANIZATIONS}/${await made()}/deletion`, {}),
      failure: () => platformOf().post(`${ORGANIZATIONS}/${newId()}/deletion`, {}),
    },
    [`GET ${ORGANIZATIONS}/:id/deletion`]: {
      success: async () => platformOf().get(`${ORGANIZATIONS}/${await leaving()}/deletion`),
      failure: () => platformOf().get(`${ORGANIZATIONS}/${newId()}/deletion`),
    },
    [`DELETE ${ORGANIZATIONS}/:id/deletion`]: {
      success: async () => platformOf().delete(`${ORGANIZATIONS}/${await leaving()}/deletion`),
      failure: () => platformOf().delete(`${ORGANIZATIONS}/${newId()}/deletion`),
    },
    [`POST ${ORGANIZATIONS}/:id/purge`]: {
      success: async () =>
        platformOf().post(`${ORGANIZATIONS}/${await exported()}/purge`, { name: input().name }),
      failure: async () =>
        platformOf().post(`${ORGANIZATIONS}/${await leaving()}/purge`, { name: input().name }),
    },
  };
}
