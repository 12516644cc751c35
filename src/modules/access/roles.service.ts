import { Injectable } from '@nestjs/common';
import type { Prisma, Role } from '../../generated/prisma/client.js';
import type { RoleRule } from '../../platform/authorization/ability.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, pageOf } from '../../platform/http/cursor.js';
import { type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import { BUILT_IN_ROLES, PLATFORM_OWNER_ROLE } from './built-in-roles.js';
import { addedRules, assertHolds } from './granting.js';
import { rulesOf } from './rights.rows.js';
import { roleBound, roleBuiltIn } from './roles.errors.js';
import type { CreateRole, ListRoles, RolePage, RoleView, UpdateRole } from './roles.schemas.js';

const RESERVED = new Set([...Object.keys(BUILT_IN_ROLES), PLATFORM_OWNER_ROLE]);

/** Roles: the built-in ones, to read, and those an organization makes itself. Who makes or widens one must hold what it grants. */
@Injectable()
export class RolesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. */
  list(caller: Caller, { name, built_in, limit, cursor }: ListRoles): Promise<RolePage> {
    const { organizationId } = caller.principal;
    const where: Prisma.RoleWhereInput[] = [
      accessibleBy(caller, 'roles:list').ofType('Role'),
      {
        organizationId,
        ...(name !== undefined && { name }),
        ...(built_in !== undefined && { builtIn: built_in }),
      },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.readOrganization(organizationId, async (tx) => {
      const rows = await tx.role.findMany({
        where: { AND: where },
        ...newestFirst(limit),
      });
      const { page, next } = pageOf(rows, limit);
      return { items: await toViews(tx, organizationId, page), ...(next && { next_cursor: next }) };
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<RoleView> {
    return this.database.readOrganization(caller.principal.organizationId, async (tx) =>
      toView(tx, await find(tx, caller, 'roles:read', id)),
    );
  }

  /** @throws already_exists, grant_exceeded, idempotency_mismatch */
  create(caller: Caller, input: CreateRole, key: string | undefined): Promise<RoleView> {
    const claim = { caller, operation: 'roles:create', key, body: input };
    return this.changes.change(caller.principal.organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () => this.insert(tx, caller, input));
      const role = await find(tx, caller, 'roles:create', id);
      await this.audit.record(
        tx,
        actedBy<'roles:create'>(caller, {
          action: 'roles:create',
          resource: { type: 'Role', id },
          detail: { rules: rulesOf(role.rules).length, replayed },
        }),
      );
      return toView(tx, role);
    });
  }

  /**
   * Whoever has it has its new rules at once. Taking rules away takes no right to them.
   * @throws not_found, role_built_in, precondition_failed, already_exists, grant_exceeded
   */
  update(
    caller: Caller,
    id: string,
    { name, rules }: UpdateRole,
    expected: ExpectedVersion,
  ): Promise<RoleView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const role = await find(tx, caller, 'roles:update', id);
      if (role.builtIn) throw roleBuiltIn();
      // It stays so until the end: nobody else changes a role meanwhile.
      if (expected !== 'any' && expected !== role.version) throw preconditionFailed();
      if (name !== undefined && name !== role.name) await assertFree(tx, organizationId, name);
      const before = rulesOf(role.rules);
      const added = addedRules(before, rules ?? before);
      await assertHolds(tx, caller, added); // as the caller's rights are before: the role may be the caller's own
      const updated = await tx.role.update({
        where: { organizationId_id: { organizationId, id } },
        data: {
          ...(name !== undefined && { name }),
          ...(rules && { rules: rules as Prisma.InputJsonArray }),
          version: { increment: 1 },
        },
      });
      await this.audit.record(
        tx,
        actedBy<'roles:update'>(caller, {
          action: 'roles:update',
          resource: { type: 'Role', id },
          detail: {
            renamed: updated.name !== role.name,
            rules: (rules ?? before).length,
            added: added.length,
            removed: addedRules(rules ?? before, before).length,
          },
        }),
      );
      return toView(tx, updated);
    });
  }

  /** @throws not_found, role_built_in, role_bound */
  remove(caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const role = await find(tx, caller, 'roles:delete', id);
      if (role.builtIn) throw roleBuiltIn();
      if ((await tx.roleBinding.count({ where: { organizationId, roleId: id } })) > 0) throw roleBound();
      await tx.role.delete({ where: { organizationId_id: { organizationId, id } } });
      await this.audit.record(
        tx,
        actedBy(caller, { action: 'roles:delete', resource: { type: 'Role', id } }),
      );
    });
  }

  private async insert(tx: Transaction, caller: Caller, { name, rules }: CreateRole): Promise<string> {
    const { organizationId } = caller.principal;
    await assertFree(tx, organizationId, name);
    await assertHolds(tx, caller, rules);
    const id = newId();
    await tx.role.create({
      data: {
        id,
        organizationId,
        name,
        builtIn: false,
        rules: rules as Prisma.InputJsonArray,
        createdAt: this.clock.now(),
      },
    });
    return id;
  }
}

async function find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Role> {
  const { organizationId } = caller.principal;
  const role = await tx.role.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('Role'), { organizationId, id }] },
  });
  if (!role) throw notFound();
  return role;
}

/** As it is read: without what is not seen, and wide or styled letters for what they are. */
const asRead = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim()
    .toLowerCase();

/** A built-in role's name is not to be had in other letters either: who reads `Owner` means that one. @throws already_exists */
async function assertFree(tx: Transaction, organizationId: string, name: string): Promise<void> {
  if (RESERVED.has(asRead(name)) || (await tx.role.count({ where: { organizationId, name } })) > 0)
    throw alreadyExists('A role of that name');
}

/** Their bindings are counted by one statement, whatever the number of roles. */
async function toViews(tx: Transaction, organizationId: string, roles: Role[]): Promise<RoleView[]> {
  const counts = await tx.roleBinding.groupBy({
    by: ['roleId'],
    where: { organizationId, roleId: { in: roles.map(({ id }) => id) } },
    _count: true,
  });
  const bindings = new Map(counts.map(({ roleId, _count }) => [roleId, _count]));
  return roles.map(({ id, name, builtIn, rules, createdAt, version }) => ({
    id,
    name,
    built_in: builtIn,
    rules: rules as unknown as RoleRule[],
    bindings: bindings.get(id) ?? 0,
    created_at: createdAt.toISOString(),
    version,
  }));
}

const toView = async (tx: Transaction, role: Role): Promise<RoleView> =>
  (await toViews(tx, role.organizationId, [role]))[0]!;
