import { Injectable } from '@nestjs/common';
import type { Group } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import type { GroupName, GroupPage, GroupView, ListGroups } from './groups.schemas.js';

/** Groups of staff; who is in them is {@link GroupMembersService}'s. */
@Injectable()
export class GroupsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws already_exists, idempotency_mismatch */
  create(caller: Caller, input: GroupName, key: string | undefined): Promise<GroupView> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'groups:create', key, body: input };
    return this.changes.change(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, organizationId, input),
      );
      const made = await findGroup(tx, caller, 'groups:create', id);
      await this.audit.record(
        tx,
        actedBy<'groups:create'>(caller, {
          action: 'groups:create',
          resource: { type: 'Group', id },
          detail: { replayed },
        }),
      );
      return toView(made);
    });
  }

  /** Newest first. */
  list(caller: Caller, { name, limit, cursor }: ListGroups): Promise<GroupPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.group.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'groups:list').ofType('Group'),
            { organizationId, ...(name && { name }) },
            ...(cursor ? olderThan(cursor) : []),
          ],
        },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<GroupView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toView(await findGroup(tx, caller, 'groups:read', id)),
    );
  }

  /** @throws not_found, already_exists, precondition_failed */
  update(caller: Caller, id: string, { name }: GroupName, expected: ExpectedVersion): Promise<GroupView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      await findGroup(tx, caller, 'groups:update', id);
      if ((await tx.group.count({ where: { organizationId, name, id: { not: id } } })) > 0) throw nameTaken();
      const { count } = await tx.group.updateMany({
        where: { organizationId, id, ...atVersion(expected) },
        data: { name, version: { increment: 1 } },
      });
      if (count === 0) throw preconditionFailed();
      await this.audit.record(
        tx,
        actedBy<'groups:update'>(caller, {
          action: 'groups:update',
          resource: { type: 'Group', id },
          detail: {},
        }),
      );
      return toView(await findGroup(tx, caller, 'groups:update', id));
    });
  }

  /** With its members, its places in other groups and its roles. @throws not_found, last_owner */
  remove(caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      await findGroup(tx, caller, 'groups:delete', id);
      const { count: members } = await tx.groupMember.deleteMany({ where: { organizationId, groupId: id } });
      const { count: memberships } = await tx.groupMember.deleteMany({
        where: { organizationId, memberGroupId: id },
      });
      const { count: bindings } = await tx.roleBinding.deleteMany({ where: { organizationId, groupId: id } });
      await tx.group.deleteMany({ where: { organizationId, id } });
      await this.audit.record(
        tx,
        actedBy<'groups:delete'>(caller, {
          action: 'groups:delete',
          resource: { type: 'Group', id },
          detail: { members, memberships, bindings },
        }),
      );
    });
  }

  /** @throws already_exists */
  private async insert(tx: Transaction, organizationId: string, { name }: GroupName): Promise<string> {
    const id = newId();
    const { count } = await tx.group.createMany({
      data: [{ id, organizationId, name, createdAt: this.clock.now() }],
      skipDuplicates: true,
    });
    if (count === 0) throw nameTaken();
    return id;
  }
}

/** @throws not_found when there is none, or none the caller may perform the operation on. */
export async function findGroup(
  tx: Transaction,
  caller: Caller,
  operation: string,
  id: string,
): Promise<Group> {
  const { organizationId } = caller.principal;
  const found = await tx.group.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('Group'), { organizationId, id }] },
  });
  if (!found) throw notFound();
  return found;
}

const nameTaken = () => alreadyExists('A group of that name');

const toView = ({ id, name, createdAt, version }: Group): GroupView => ({
  id,
  name,
  created_at: createdAt.toISOString(),
  version,
});
