import { Injectable } from '@nestjs/common';
import type { Prisma, User } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { MailSender } from '../../platform/messages/mail-sender.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { revokeSessionsOf } from '../auth/session.rows.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import { deliverInvitation } from './access.jobs.js';
import { assertHoldsRightsOf } from './granting.js';
import { groupsWithin } from './group.rows.js';
import type {
  Invite,
  Invited,
  ListUsers,
  SearchUsers,
  UpdateUser,
  UserPage,
  UserView,
} from './users.schemas.js';

/** An address is one user's of each kind. */
const MOST_OF_AN_ADDRESS = 2;

/** Those who work in an organization, and those who are treated there, as administrators see them. */
@Injectable()
export class UsersService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly mail: MailSender,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes a user of staff, who is told by mail where there is a mail server.
   * @throws already_exists, idempotency_mismatch
   */
  async invite(caller: Caller, input: Invite, key: string | undefined): Promise<Invited> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'users:invite', key, body: input };
    const { user, replayed } = await this.changes.change(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, organizationId, input),
      );
      const made = await this.find(tx, caller, 'users:invite', id);
      await this.audit.record(
        tx,
        actedBy<'users:invite'>(caller, {
          action: 'users:invite',
          resource: { type: 'User', id },
          detail: { invitation: invitationOf(made), replayed },
        }),
      );
      return { user: made, replayed };
    });
    const { requestId, traceId } = caller.request;
    const job = { organizationId, userId: user.id, requestId, ...(traceId !== undefined && { traceId }) };
    if (!replayed && user.invitedAt) await this.enqueuer.enqueue(deliverInvitation, [job]);
    return { ...toView(user), invitation: invitationOf(user) };
  }

  /** Newest first. */
  list(caller: Caller, { kind, state, group_id, limit, cursor }: ListUsers): Promise<UserPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const where: Prisma.UserWhereInput[] = [
        accessibleBy(caller, 'users:list').ofType('User'),
        {
          organizationId,
          ...(kind && (kind === 'staff' ? { isStaff: true } : { kind })),
          ...(state && { disabledAt: state === 'enabled' ? null : { not: null } }),
        },
        ...(group_id ? [await this.within(tx, caller, group_id)] : []),
        ...(cursor ? olderThan(cursor) : []),
      ];
      const rows = await tx.user.findMany({
        where: { AND: where },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /** Whoever has that address: somebody of staff, a patient, or both. */
  search(caller: Caller, { email }: SearchUsers): Promise<UserPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const where = [accessibleBy(caller, 'users:list').ofType('User'), { organizationId, email }];
      const rows = await tx.user.findMany({ where: { AND: where }, ...newestFirst(MOST_OF_AN_ADDRESS) });
      return toPage(rows, MOST_OF_AN_ADDRESS, toView);
    });
  }

  /** With the groups they are in themselves, of those whose members the caller may list. @throws not_found */
  read(caller: Caller, id: string): Promise<UserView> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const found = await this.find(tx, caller, 'users:read', id);
      caller.request.about = about(found);
      if (!caller.ability.can('groups:list-members', 'Group')) return toView(found);
      const groups = await tx.group.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'groups:list-members').ofType('Group'),
            { organizationId, members: { some: { organizationId, userId: id } } },
          ],
        },
        select: { id: true },
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      });
      return { ...toView(found), group_ids: groups.map((group) => group.id) };
    });
  }

  /** @throws not_found, precondition_failed */
  update(
    caller: Caller,
    id: string,
    { first_name, last_name }: UpdateUser,
    expected: ExpectedVersion,
  ): Promise<UserView> {
    const { organizationId } = caller.principal;
    const names = {
      ...(first_name !== undefined && { firstName: first_name }),
      ...(last_name !== undefined && { lastName: last_name }),
    };
    return this.changes.change(organizationId, async (tx) => {
      const found = await this.find(tx, caller, 'users:update', id);
      const { count } = await tx.user.updateMany({
        where: { organizationId, id, ...atVersion(expected) },
        data: { ...names, version: { increment: 1 } },
      });
      if (count === 0) throw preconditionFailed();
      await this.audit.record(
        tx,
        actedBy<'users:update'>(caller, {
          action: 'users:update',
          ...about(found),
          detail: { changed: Object.keys(names) },
        }),
      );
      return toView(await this.find(tx, caller, 'users:update', id));
    });
  }

  /** They are out at once, tokens included; the same answer each time. @throws not_found, last_owner */
  disable(caller: Caller, id: string): Promise<UserView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const found = await this.find(tx, caller, 'users:disable', id);
      const now = this.clock.now();
      await this.setDisabled(tx, found, now);
      const sessions = await revokeSessionsOf(tx, organizationId, id, { reason: 'disabled', now });
      await this.audit.record(
        tx,
        actedBy<'users:disable'>(caller, {
          action: 'users:disable',
          ...about(found),
          detail: { repeated: found.disabledAt !== null, sessions },
        }),
      );
      return toView(await this.find(tx, caller, 'users:disable', id));
    });
  }

  /**
   * They have their rights again, and sign in anew; the same answer each time.
   * @throws not_found, grant_exceeded
   */
  enable(caller: Caller, id: string): Promise<UserView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const found = await this.find(tx, caller, 'users:enable', id);
      const repeated = found.disabledAt === null;
      if (!repeated) {
        await assertHoldsRightsOf(tx, caller, { kind: 'user', id });
        await this.setDisabled(tx, found, null);
        // One that began while the user was being disabled, seen by nobody, must not come to life again.
        await revokeSessionsOf(tx, organizationId, id, { reason: 'disabled', now: this.clock.now() });
      }
      await this.audit.record(
        tx,
        actedBy<'users:enable'>(caller, { action: 'users:enable', ...about(found), detail: { repeated } }),
      );
      return toView(await this.find(tx, caller, 'users:enable', id));
    });
  }

  /** @throws already_exists */
  private async insert(
    tx: Transaction,
    organizationId: string,
    { email, first_name, last_name }: Invite,
  ): Promise<string> {
    const [id, createdAt] = [newId(), this.clock.now()];
    const { count } = await tx.user.createMany({
      data: [
        {
          id,
          organizationId,
          kind: 'staff',
          email,
          firstName: first_name ?? '',
          lastName: last_name ?? '',
          createdAt,
          invitedAt: this.mail.available ? createdAt : null,
        },
      ],
      skipDuplicates: true, // an operator's command may make users, too
    });
    if (count === 0) throw alreadyExists('Somebody of staff with that address');
    return id;
  }

  /** Does nothing to who is disabled, or enabled, already. */
  private async setDisabled(
    tx: Transaction,
    { organizationId, id }: User,
    disabledAt: Date | null,
  ): Promise<void> {
    await tx.user.updateMany({
      where: { organizationId, id, disabledAt: disabledAt ? null : { not: null } },
      data: { disabledAt, version: { increment: 1 } },
    });
  }

  /** Those in a group, however deep; nobody, when there is none whose members the caller may list. */
  private async within(tx: Transaction, caller: Caller, groupId: string): Promise<Prisma.UserWhereInput> {
    const { organizationId } = caller.principal;
    const visible = await tx.group.count({
      where: {
        AND: [accessibleBy(caller, 'groups:list-members').ofType('Group'), { organizationId, id: groupId }],
      },
    });
    const ids = visible > 0 ? await groupsWithin(tx, organizationId, groupId) : [];
    return { memberships: { some: { organizationId, groupId: { in: ids } } } };
  }

  /** @throws not_found when there is none, or none the caller may perform the operation on. */
  private async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<User> {
    const { organizationId } = caller.principal;
    const found = await tx.user.findFirst({
      where: { AND: [accessibleBy(caller, operation).ofType('User'), { organizationId, id }] },
    });
    if (!found) throw notFound();
    return found;
  }
}

/** What an event is about: of a patient, it is the patient's. */
const about = ({ id, kind }: User) => ({
  resource: { type: 'User', id },
  ...(kind === 'patient' && { patientRef: id }),
});

const invitationOf = ({ invitedAt }: User): Invited['invitation'] => (invitedAt ? 'queued' : 'unavailable');

const toView = (row: User): UserView => ({
  id: row.id,
  kind: row.kind,
  email: row.email,
  phone_number: row.phoneNumber,
  first_name: row.firstName,
  last_name: row.lastName,
  state: row.disabledAt ? 'disabled' : 'enabled',
  created_at: row.createdAt.toISOString(),
  version: row.version,
});
