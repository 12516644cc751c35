import { randomUUID } from 'node:crypto';
import { AccessService } from '../../src/modules/access/access.service.js';
import { AccessTokenSigner } from '../../src/modules/auth/access-token.signer.js';
import { SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { newId } from '../../src/platform/database/id.js';
import { tokenFor } from './client.js';
import type { World } from './world.js';

/** Somebody roles can be bound to, who can call. */
export interface Bearer {
  kind: 'client' | 'api_key' | 'user';
  id: string;
  token: string;
}

const COLUMNS = {
  client: 'oauth_client_id',
  api_key: 'api_key_id',
  user: 'user_id',
  group: 'group_id',
} as const;

/** Who may do what in an organization, written as rows: for tests of what comes of it. */
export class AccessRows {
  constructor(
    private readonly world: World,
    readonly organizationId: string,
  ) {}

  /** A role of the organization's own. Its rules are not checked. */
  async role(...rules: object[]): Promise<string> {
    return this.insert('role', {
      name: `Role ${randomUUID()}`,
      built_in: false,
      rules: JSON.stringify(rules),
    });
  }

  async builtIn(name: string): Promise<string> {
    const { rows } = await this.world.admin.query<{ id: string }>(
      'SELECT id FROM role WHERE organization_id = $1 AND name = $2 AND built_in',
      [this.organizationId, name],
    );
    return rows[0]!.id;
  }

  /** @param limit the one resource the role's rules hold for */
  bind(
    roleId: string,
    to: { kind: keyof typeof COLUMNS; id: string },
    limit?: { type: string; id: string },
  ): Promise<string> {
    return this.insert('role_binding', {
      role_id: roleId,
      [COLUMNS[to.kind]]: to.id,
      ...(limit && { resource_type: limit.type, resource_id: limit.id }),
    });
  }

  group = (): Promise<string> => this.insert('group', { name: `Group ${randomUUID()}` });

  /** @param who a user or a group */
  member = (groupId: string, { kind, id }: { kind: keyof typeof COLUMNS; id: string }): Promise<string> =>
    this.insert('group_member', {
      group_id: groupId,
      [kind === 'group' ? 'member_group_id' : 'user_id']: id,
    });

  staff = (): Promise<string> =>
    this.insert('user', { kind: 'staff', email: `${randomUUID()}@staff.example`, first_name: 'Staff' });

  /** A client, a key or somebody of staff who is signed in, with no role. @param scopes of what it shows */
  async bearer(kind: Bearer['kind'], scopes: readonly Scope[] = SCOPES): Promise<Bearer> {
    const { organizationId, world } = this;
    const given = {
      organizationId,
      name: 'bearer',
      role: 'auditor',
      scopes: kind === 'client' ? SCOPES : scopes,
    };
    if (kind === 'user') {
      const id = await this.staff();
      return { kind, id, token: await this.signIn(id, scopes) };
    }
    const credentials =
      kind === 'client'
        ? await world.organizations.createClient(given)
        : { apiKey: await world.organizations.createApiKey(given) };
    const id = await this.newest(kind === 'client' ? 'oauth_client' : 'api_key');
    await this.unbind({ kind, id });
    const token =
      'apiKey' in credentials
        ? credentials.apiKey
        : await tokenFor(world.baseUrl, credentials, scopes.join(' '));
    return { kind, id, token };
  }

  /** The row that was made last. */
  async newest(table: 'oauth_client' | 'api_key'): Promise<string> {
    const { rows } = await this.world.admin.query<{ id: string }>(
      `SELECT id FROM ${table} WHERE organization_id = $1 ORDER BY id DESC LIMIT 1`,
      [this.organizationId],
    );
    return rows[0]!.id;
  }

  /** Takes all roles of somebody. */
  async unbind({ kind, id }: { kind: keyof typeof COLUMNS; id: string }): Promise<void> {
    await this.world.admin.query(
      `DELETE FROM role_binding WHERE organization_id = $1 AND ${COLUMNS[kind]} = $2`,
      [this.organizationId, id],
    );
  }

  /** As if the user had shown a code: the session is written, and its token signed. */
  async signIn(userId: string, scopes: readonly Scope[] = SCOPES): Promise<string> {
    const issuedAt = new Date();
    const sessionId = await this.insert('user_session', {
      user_id: userId,
      last_used_at: issuedAt,
      expires_at: new Date(issuedAt.getTime() + 24 * 3600 * 1000),
    });
    return this.world.api.app.get(AccessTokenSigner, { strict: false }).sign({
      subject: userId,
      organizationId: this.organizationId,
      clientId: 'staff',
      scopes,
      jti: randomUUID(),
      issuedAt,
      lifetimeSeconds: 900,
      sessionId,
    });
  }

  /** The API of this world asks the rows again. */
  forget(): void {
    this.world.api.app.get(AccessService, { strict: false }).forget(this.organizationId);
  }

  private async insert(table: string, values: Record<string, unknown>): Promise<string> {
    const row = { organization_id: this.organizationId, id: newId(), created_at: new Date(), ...values };
    const columns = Object.keys(row);
    await this.world.admin.query(
      `INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
      Object.values(row),
    );
    return row.id;
  }
}
