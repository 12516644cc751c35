import { randomUUID } from 'node:crypto';
import { newId } from '../../../src/platform/database/id.js';
import { Admin, ADMIN, signedIn } from '../../support/admin.js';
import { type Answer } from '../../support/client.js';
import type { Tenant, World } from '../../support/world.js';

export interface Member {
  id: string;
  /** Signed in. */
  calls: Admin;
}

/** An organization whose staff is managed. */
export class People {
  private constructor(
    private readonly world: World,
    readonly organizationId: string,
    /** A client that may do everything. */
    readonly owner: Admin,
  ) {}

  static async open(world: World): Promise<People> {
    const tenant: Tenant = await world.newTenant();
    return new People(world, tenant.organizationId, new Admin(world.baseUrl, tenant.apiKey));
  }

  /** Nobody but those who are bound from now on is an owner. */
  async dethrone(): Promise<void> {
    await this.world.admin.query(
      `DELETE FROM role_binding b USING role r
       WHERE b.organization_id = $1 AND r.id = b.role_id AND r.name = 'owner'`,
      [this.organizationId],
    );
  }

  /** Binds a built-in role. */
  async bind(role: string, to: { user?: string; group?: string }): Promise<void> {
    await this.world.admin.query(
      `INSERT INTO role_binding (id, organization_id, role_id, user_id, group_id, created_at)
       SELECT $1, r.organization_id, r.id, $4, $5, now() FROM role r WHERE r.organization_id = $2 AND r.name = $3`,
      [newId(), this.organizationId, role, to.user, to.group],
    );
  }

  /** A role of the organization's own with these rules; returns its name. */
  async role(...rules: object[]): Promise<string> {
    const name = randomUUID();
    await this.world.admin.query(
      `INSERT INTO role (id, organization_id, name, built_in, rules, created_at) VALUES ($1, $2, $3, false, $4, now())`,
      [newId(), this.organizationId, name, JSON.stringify(rules)],
    );
    return name;
  }

  /** Somebody of staff, with a role of their own if one is named. */
  async member(role?: string): Promise<Member> {
    const id = await this.owner.invite();
    if (role !== undefined) await this.bind(role, { user: id });
    return { id, calls: await signedIn(this.world, this.organizationId, id) };
  }

  /** A group in which are these. */
  async group(...members: { user_id?: string; group_id?: string }[]): Promise<string> {
    const id = await this.owner.group();
    for (const member of members) await this.owner.create(`/groups/${id}/members`, member);
    return id;
  }

  add = (group: string, member: { user_id?: string; group_id?: string }, by = this.owner): Promise<Answer> =>
    by.post(`${ADMIN}/groups/${group}/members`, member);

  /** The events of a request. */
  async eventsOf(answer: Answer): Promise<Record<string, any>[]> {
    const { rows } = await this.world.admin.query<Record<string, any>>(
      'SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id',
      [answer.headers.get('x-request-id')],
    );
    return rows;
  }
}
