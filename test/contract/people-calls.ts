import { randomUUID } from 'node:crypto';
import { newId } from '../../src/platform/database/id.js';
import type { Client } from '../support/client.js';
import type { Calls } from './ingestion-calls.js';

const USERS = '/api/v1/admin/users';
const GROUPS = '/api/v1/admin/groups';
const ANY_VERSION = { 'if-match': '*' };

const invite = (by: Client) => by.post(USERS, { email: `${randomUUID()}@staff.example` });
const userOf = async (by: Client): Promise<string> => (await invite(by)).body.id;
const create = (by: Client) => by.post(GROUPS, { name: randomUUID() });
const groupOf = async (by: Client): Promise<string> => (await create(by)).body.id;

/** Every route of users and groups; `METHOD path` as in the route table. */
export function peopleCalls(): Record<string, Calls> {
  return {
    [`POST ${USERS}`]: {
      success: invite,
      failure: (by) => by.post(USERS, { email: 'nobody' }),
    },
    [`GET ${USERS}`]: {
      success: (by) => by.get(USERS),
      failure: (by) => by.get(`${USERS}?limit=0`),
    },
    [`POST ${USERS}/search`]: {
      success: (by) => by.post(`${USERS}/search`, { email: 'nobody@staff.example' }),
      failure: (by) => by.post(`${USERS}/search`, { email: 'nobody' }),
    },
    [`GET ${USERS}/:id`]: {
      success: async (by) => by.get(`${USERS}/${await userOf(by)}`),
      failure: (by) => by.get(`${USERS}/${newId()}`),
    },
    [`PATCH ${USERS}/:id`]: {
      success: async (by) =>
        by.call('PATCH', `${USERS}/${await userOf(by)}`, { first_name: 'Ada' }, ANY_VERSION),
      failure: (by) => by.call('PATCH', `${USERS}/${newId()}`, { first_name: 'Ada' }, ANY_VERSION),
    },
    [`POST ${USERS}/:id/disable`]: {
      success: async (by) => by.post(`${USERS}/${await userOf(by)}/disable`),
      failure: (by) => by.post(`${USERS}/${newId()}/disable`),
    },
    [`POST ${USERS}/:id/enable`]: {
      success: async (by) => {
        const id = await userOf(by);
        await by.post(`${USERS}/${id}/disable`);
        return by.post(`${USERS}/${id}/enable`);
      },
      failure: (by) => by.post(`${USERS}/${newId()}/enable`),
    },
    ...groupCalls(),
  };
}

function groupCalls(): Record<string, Calls> {
  return {
    [`POST ${GROUPS}`]: {
      success: create,
      failure: (by) => by.post(GROUPS, {}),
    },
    [`GET ${GROUPS}`]: {
      success: (by) => by.get(GROUPS),
      failure: (by) => by.get(`${GROUPS}?limit=0`),
    },
    [`GET ${GROUPS}/:id`]: {
      success: async (by) => by.get(`${GROUPS}/${await groupOf(by)}`),
      failure: (by) => by.get(`${GROUPS}/${newId()}`),
    },
    [`PATCH ${GROUPS}/:id`]: {
      success: async (by) =>
        by.call('PATCH', `${GROUPS}/${await groupOf(by)}`, { name: randomUUID() }, ANY_VERSION),
      failure: async (by) => by.call('PATCH', `${GROUPS}/${await groupOf(by)}`, { name: randomUUID() }),
    },
    [`DELETE ${GROUPS}/:id`]: {
      success: async (by) => by.delete(`${GROUPS}/${await groupOf(by)}`),
      failure: (by) => by.delete(`${GROUPS}/${newId()}`),
    },
    [`GET ${GROUPS}/:id/members`]: {
      success: async (by) => by.get(`${GROUPS}/${await groupOf(by)}/members`),
      failure: (by) => by.get(`${GROUPS}/${newId()}/members`),
    },
    [`POST ${GROUPS}/:id/members`]: {
      success: async (by) => by.post(`${GROUPS}/${await groupOf(by)}/members`, { user_id: await userOf(by) }),
      failure: async (by) => by.post(`${GROUPS}/${await groupOf(by)}/members`, { user_id: newId() }),
    },
    [`DELETE ${GROUPS}/:id/members/:member_id`]: {
      success: async (by) => {
        const group = await groupOf(by);
        const member = await by.post(`${GROUPS}/${group}/members`, { group_id: await groupOf(by) });
        return by.delete(`${GROUPS}/${group}/members/${member.body.id}`);
      },
      failure: async (by) => by.delete(`${GROUPS}/${await groupOf(by)}/members/${newId()}`),
    },
  };
}
