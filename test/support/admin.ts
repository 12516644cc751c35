import { randomUUID } from 'node:crypto';
import { AccessRows } from './access-rows.js';
import { type Answer, Client } from './client.js';
import type { World } from './world.js';

export const ADMIN = '/api/v1/admin';

/** Whoever manages access: paths are below {@link ADMIN}. What cannot be made is thrown. */
export class Admin extends Client {
  /** Makes one, and returns the answer's body. */
  async create(path: string, body: object): Promise<any> {
    const { status, body: made, text } = await this.post(ADMIN + path, body);
    if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
    return made;
  }

  /** Changes one at the version that is named, or at whatever it has. */
  change = (path: string, body: object, version: number | '*' = '*'): Promise<Answer> =>
    this.call('PATCH', ADMIN + path, body, { 'if-match': version === '*' ? '*' : `"${version}"` });

  /** A role of the organization's own, with these rules. */
  role = async (...rules: object[]): Promise<string> =>
    (await this.create('/roles', { name: `Role ${randomUUID()}`, rules })).id;

  /** The id of a built-in role. */
  async builtIn(name: string): Promise<string> {
    const { body } = await this.get(`${ADMIN}/roles?name=${name}`);
    return body.items[0].id;
  }

  group = async (name = `Group ${randomUUID()}`): Promise<string> =>
    (await this.create('/groups', { name })).id;

  /** Invites somebody, and returns the user's id. */
  invite = async (email = `${randomUUID()}@staff.example`): Promise<string> =>
    (await this.create('/users', { email, first_name: 'Staff', last_name: 'Member' })).id;

  /** Binds a role to `{ user_id }`, `{ group_id }`, `{ client_id }` or `{ api_key_id }`; returns the binding's id. */
  bind = async (
    role_id: string,
    to: Record<string, string>,
    resource?: { type: string; id: string },
  ): Promise<string> =>
    (await this.create('/bindings', { role_id, ...to, ...(resource && { resource }) })).id;
}

/** As if somebody of staff had signed in: the session is written, and its token signed. */
export async function signedIn(world: World, organizationId: string, userId: string): Promise<Admin> {
  return new Admin(world.baseUrl, await new AccessRows(world, organizationId).signIn(userId));
}
