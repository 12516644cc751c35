import { Injectable } from '@nestjs/common';
import type { GroupMember } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists, notStaff } from './access.errors.js';
import { assertHoldsRightsOf } from './granting.js';
import { MAX_LEVELS, nestingOf } from './group.rows.js';
import { groupCircle, groupsTooDeep } from './groups.errors.js';
import type { AddMember, ListMembers, MemberPage, MemberView } from './groups.schemas.js';
import { findGroup } from './groups.service.js';

/** Who is in a group: staff, and groups with all of theirs. */
@Injectable()
export class GroupMembersService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Those who were put into it themselves, latest first. @throws not_found */
  list(caller: Caller, groupId: string, { limit, cursor }: ListMembers): Promise<MemberPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      await findGroup(tx, caller, 'groups:list-members', groupId);
      const rows = await tx.groupMember.findMany({
        where: { AND: [{ organizationId, groupId }, ...(cursor ? olderThan(cursor) : [])] },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /**
   * Gives the member all rights of the group, and of every group that holds it: it takes all of them to do so.
   * @throws not_found (the group, the member), not_staff, grant_exceeded, already_exists, group_circle, groups_too_deep,
   * idempotency_mismatch
   */
  add(caller: Caller, groupId: string, input: AddMember, key: string | undefined): Promise<MemberView> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'groups:add-member', key, body: { group: groupId, ...input } };
    return this.changes.change(organizationId, async (tx) => {
      await findGroup(tx, caller, 'groups:add-member', groupId);
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, caller, groupId, input),
      );
      const made = await find(tx, organizationId, groupId, id);
      await this.audit.record(
        tx,
        actedBy<'groups:add-member'>(caller, {
          action: 'groups:add-member',
          resource: { type: 'Group', id: groupId },
          detail: { ...idsOf(made), replayed },
        }),
      );
      return toView(made);
    });
  }

  /** @throws not_found, last_owner */
  remove(caller: Caller, groupId: string, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      await findGroup(tx, caller, 'groups:remove-member', groupId);
      const member = await find(tx, organizationId, groupId, id);
      await tx.groupMember.deleteMany({ where: { organizationId, groupId, id } });
      await this.audit.record(
        tx,
        actedBy<'groups:remove-member'>(caller, {
          action: 'groups:remove-member',
          resource: { type: 'Group', id: groupId },
          detail: idsOf(member),
        }),
      );
    });
  }

  private async insert(
    tx: Transaction,
    caller: Caller,
    groupId: string,
    { user_id, group_id }: AddMember,
  ): Promise<string> {
    const { organizationId } = caller.principal;
    if (user_id !== undefined) await this.assertStaff(tx, caller, user_id);
    if (group_id !== undefined) await findGroup(tx, caller, 'groups:read', group_id);
    await assertHoldsRightsOf(tx, caller, { kind: 'group', id: groupId });
    if (group_id !== undefined) await assertNestable(tx, organizationId, groupId, group_id);
    const [id, createdAt] = [newId(), this.clock.now()];
    const member = { userId: user_id ?? null, memberGroupId: group_id ?? null };
    const { count } = await tx.groupMember.createMany({
      data: [{ id, organizationId, groupId, ...member, createdAt }],
      skipDuplicates: true,
    });
    if (count === 0) throw alreadyExists('That member of the group');
    return id;
  }

  /** @throws not_found, not_staff */
  private async assertStaff(tx: Transaction, caller: Caller, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    const user = await tx.user.findFirst({
      where: { AND: [accessibleBy(caller, 'users:read').ofType('User'), { organizationId, id }] },
      select: { kind: true },
    });
    if (!user) throw notFound();
    if (user.kind !== 'staff') throw notStaff();
  }
}

/** To be called under the lock of {@link AccessChanges}, or two could close a circle together. @throws group_circle, groups_too_deep */
async function assertNestable(
  tx: Transaction,
  organizationId: string,
  outer: string,
  inner: string,
): Promise<void> {
  const { circle, levels } = await nestingOf(tx, organizationId, { outer, inner });
  if (circle) throw groupCircle();
  if (levels > MAX_LEVELS) throw groupsTooDeep();
}

/** @throws not_found */
async function find(
  tx: Transaction,
  organizationId: string,
  groupId: string,
  id: string,
): Promise<GroupMember> {
  const member = await tx.groupMember.findFirst({ where: { organizationId, groupId, id } });
  if (!member) throw notFound();
  return member;
}

const idsOf = ({ id, userId, memberGroupId }: GroupMember) => ({
  member: id,
  ...(userId !== null && { user: userId }),
  ...(memberGroupId !== null && { group: memberGroupId }),
});

const toView = ({ id, userId, memberGroupId, createdAt }: GroupMember): MemberView => ({
  id,
  ...(userId !== null && { user_id: userId }),
  ...(memberGroupId !== null && { group_id: memberGroupId }),
  created_at: createdAt.toISOString(),
});
