import { Injectable } from '@nestjs/common';
import type { Prisma, Role } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import type { ResourceLimit } from '../../platform/authorization/subjects.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import { assertBindable, assertLimitable, bindingPrincipal } from './binding.parties.js';
import type { BindingPage, BindingView, CreateBinding, ListBindings } from './bindings.schemas.js';
import { assertHolds } from './granting.js';
import { rulesOf } from './rights.rows.js';
import { roleOfPatients } from './roles.errors.js';
import type { BindingDetail } from './roles.events.js';

const withRole = { role: { select: { name: true } } } as const satisfies Prisma.RoleBindingInclude;
type BindingRow = Prisma.RoleBindingGetPayload<{ include: typeof withRole }>;

/** Who has which role, and for what. A binding is made and deleted, never changed. */
@Injectable()
export class BindingsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. */
  list(
    caller: Caller,
    { role_id, resource_id, limit, cursor, ...principal }: ListBindings,
  ): Promise<BindingPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.RoleBindingWhereInput[] = [
      accessibleBy(caller, 'bindings:list').ofType('RoleBinding'),
      {
        organizationId,
        ...(role_id && { roleId: role_id }),
        ...bindingPrincipal(principal),
        ...(resource_id && { resourceId: resource_id }),
      },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.roleBinding.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        include: withRole,
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<BindingView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toView(await find(tx, caller, 'bindings:read', id)),
    );
  }

  /**
   * @throws not_found (the role, the principal, the resource), role_of_patients, not_staff, portal_key, grant_exceeded,
   * already_exists, idempotency_mismatch
   */
  create(caller: Caller, input: CreateBinding, key: string | undefined): Promise<BindingView> {
    const claim = { caller, operation: 'bindings:create', key, body: input };
    return this.changes.change(caller.principal.organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () => this.insert(tx, caller, input));
      const binding = await find(tx, caller, 'bindings:create', id);
      await this.audit.record(
        tx,
        actedBy<'bindings:create'>(caller, {
          action: 'bindings:create',
          resource: { type: 'RoleBinding', id },
          detail: { ...toDetail(binding), replayed },
        }),
      );
      return toView(binding);
    });
  }

  /** Taking away takes no right to what is taken. @throws not_found, last_owner */
  remove(caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const binding = await find(tx, caller, 'bindings:delete', id);
      await tx.roleBinding.delete({ where: { organizationId_id: { organizationId, id } } });
      await this.audit.record(
        tx,
        actedBy<'bindings:delete'>(caller, {
          action: 'bindings:delete',
          resource: { type: 'RoleBinding', id },
          detail: toDetail(binding),
        }),
      );
    });
  }

  private async insert(
    tx: Transaction,
    caller: Caller,
    { role_id, resource, ...principal }: CreateBinding,
  ): Promise<string> {
    const { organizationId } = caller.principal;
    const role = await tx.role.findFirst({ where: { organizationId, id: role_id } });
    if (!role) throw notFound();
    if (role.builtIn && role.name === 'patient') throw roleOfPatients();
    await assertBindable(tx, organizationId, principal);
    if (resource) await assertLimitable(tx, organizationId, resource as ResourceLimit);
    await assertHolds(tx, caller, grantedBy(role, resource as ResourceLimit | undefined));
    const binding = {
      organizationId,
      roleId: role_id,
      ...{ userId: null, groupId: null, oauthClientId: null, apiKeyId: null },
      ...bindingPrincipal(principal),
      resourceType: resource?.type ?? null,
      resourceId: resource?.id ?? null,
    };
    if ((await tx.roleBinding.count({ where: binding })) > 0) throw alreadyExists('The binding');
    const id = newId();
    await tx.roleBinding.create({ data: { ...binding, id, createdAt: this.clock.now() } });
    return id;
  }
}

const grantedBy = ({ rules }: Role, limit: ResourceLimit | undefined) =>
  rulesOf(rules).map((rule) => ({ ...rule, ...(limit && { limit }) }));

async function find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<BindingRow> {
  const { organizationId } = caller.principal;
  const binding = await tx.roleBinding.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('RoleBinding'), { organizationId, id }] },
    include: withRole,
  });
  if (!binding) throw notFound();
  return binding;
}

function toView({ id, roleId, role, resourceType, resourceId, createdAt, ...row }: BindingRow): BindingView {
  return {
    id,
    role_id: roleId,
    role_name: role.name,
    ...(row.userId !== null && { user_id: row.userId }),
    ...(row.groupId !== null && { group_id: row.groupId }),
    ...(row.oauthClientId !== null && { client_id: row.oauthClientId }),
    ...(row.apiKeyId !== null && { api_key_id: row.apiKeyId }),
    resource: resourceType !== null && resourceId !== null ? { type: resourceType, id: resourceId } : null,
    created_at: createdAt.toISOString(),
  };
}

function toDetail({ roleId, resourceType, resourceId, ...row }: BindingRow): BindingDetail {
  const { userId: user, groupId: group, oauthClientId: client, apiKeyId: api_key } = row;
  const [kind, id] = Object.entries({ user, group, client, api_key }).find(([, each]) => each !== null)!;
  return {
    role: roleId,
    principal_kind: kind,
    principal: id!,
    resource_type: resourceType,
    resource: resourceId,
  };
}
