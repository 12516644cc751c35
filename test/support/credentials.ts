import { expect } from '@jest/globals';
import { SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { AccessRows } from './access-rows.js';
import { Admin } from './admin.js';
import type { Answer } from './client.js';
import type { World } from './world.js';

/** Somebody who may do what these rules say, and nothing else. */
export async function adminWith(
  world: World,
  organizationId: string,
  rules: object[],
  scopes: readonly Scope[] = SCOPES,
): Promise<Admin> {
  const rows = new AccessRows(world, organizationId);
  const bearer = await rows.bearer('client', scopes);
  await rows.bind(await rows.role(...rules), bearer);
  return new Admin(world.baseUrl, bearer.token);
}

/** Binds a built-in role to a client or a key, whoever may. */
export async function bindBuiltIn(
  world: World,
  role: string,
  to: { oauth_client_id: string } | { api_key_id: string },
): Promise<void> {
  const [[column, id]] = Object.entries(to) as [[string, string]];
  const table = column === 'api_key_id' ? 'api_key' : 'oauth_client';
  const { rowCount } = await world.admin.query(
    `INSERT INTO role_binding (id, organization_id, role_id, ${column}, created_at)
     SELECT gen_random_uuid(), p.organization_id, r.id, p.id, now() FROM ${table} p
     JOIN role r ON r.organization_id = p.organization_id AND r.name = $2 AND r.built_in WHERE p.id = $1`,
    [id, role],
  );
  expect(rowCount).toBe(1);
}

/** Asks again and again, until it is stopped: which statuses came, each once. */
export function asking(ask: () => Promise<Answer>): { stop: () => Promise<number[]> } {
  let going = true;
  const statuses = new Set<number>();
  const limit = setTimeout(() => (going = false), 20_000); // where the test fails before it stops
  const done = (async () => {
    for (; going; await new Promise((resolve) => setTimeout(resolve, 5)))
      statuses.add(
        await ask().then(
          ({ status }) => status,
          () => 0,
        ),
      );
  })();
  return {
    stop: async () => {
      going = false;
      clearTimeout(limit);
      await done;
      return [...statuses];
    },
  };
}

/** The detail of the one event of that action which a request left. */
export async function detailOf(world: World, answer: Answer, action: string): Promise<unknown> {
  const { rows } = await world.admin.query<{ detail: unknown }>(
    `SELECT detail FROM audit_event WHERE request_id = $1 AND action = $2 AND outcome = 'success'`,
    [answer.headers.get('x-request-id'), action],
  );
  expect(rows).toHaveLength(1);
  return rows[0]!.detail;
}
