import { Injectable } from '@nestjs/common';
import type { UserIdentity } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { revokeSessionsOfIssuer } from '../auth/session.rows.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import { assertHoldsRightsOf } from './granting.js';
import type {
  IdentityPage,
  IdentityView,
  LinkIdentity,
  ListIdentities,
} from './identity-providers.schemas.js';

/** Who of staff is who at an identity provider. */
@Injectable()
export class IdentitiesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. @throws not_found (the user) */
  list(caller: Caller, userId: string, { limit, cursor }: ListIdentities): Promise<IdentityPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      await this.findStaff(tx, caller, 'users:read', userId);
      const rows = await tx.userIdentity.findMany({
        where: { AND: [{ organizationId, userId }, ...(cursor ? olderThan(cursor) : [])] },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /**
   * Whoever links an identity may be whoever it is of, and comes in as the user: it takes all the rights of the user.
   * @throws not_found (the user, the provider), grant_exceeded, already_exists, idempotency_mismatch
   */
  link(caller: Caller, userId: string, input: LinkIdentity, key: string | undefined): Promise<IdentityView> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'users:link-identity', key, body: { user_id: userId, ...input } };
    return this.changes.change(organizationId, async (tx) => {
      await this.findStaff(tx, caller, 'users:link-identity', userId);
      const provider = await tx.identityProvider.findFirst({
        where: { organizationId, id: input.provider_id },
      });
      if (!provider) throw notFound();
      await assertHoldsRightsOf(tx, caller, { kind: 'user', id: userId });
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, { userId, ...input, issuer: provider.issuer }, caller),
      );
      await this.audit.record(
        tx,
        actedBy<'users:link-identity'>(caller, {
          action: 'users:link-identity',
          resource: { type: 'User', id: userId },
          detail: { identity: id, provider: provider.id, replayed },
        }),
      );
      return toView(await this.find(tx, organizationId, userId, id));
    });
  }

  /** It is no way in any more, and the user's sessions that began at its issuer end. @throws not_found */
  async unlink(caller: Caller, userId: string, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    await this.changes.change(organizationId, async (tx) => {
      await this.findStaff(tx, caller, 'users:unlink-identity', userId);
      const { issuer } = await this.find(tx, organizationId, userId, id);
      await tx.userIdentity.deleteMany({ where: { organizationId, userId, id } });
      const now = this.clock.now();
      const sessions = await revokeSessionsOfIssuer(tx, organizationId, { userId, issuer, now });
      await this.audit.record(
        tx,
        actedBy<'users:unlink-identity'>(caller, {
          action: 'users:unlink-identity',
          resource: { type: 'User', id: userId },
          detail: { identity: id, sessions },
        }),
      );
    });
  }

  private async insert(
    tx: Transaction,
    { userId, issuer, subject }: { userId: string; issuer: string; subject: string },
    { principal: { organizationId } }: Caller,
  ): Promise<string> {
    if ((await tx.userIdentity.count({ where: { organizationId, issuer, subject } })) > 0)
      throw alreadyExists('A link of this identity');
    const [id, createdAt] = [newId(), this.clock.now()];
    await tx.userIdentity.create({ data: { id, organizationId, userId, issuer, subject, createdAt } });
    return id;
  }

  private async find(
    tx: Transaction,
    organizationId: string,
    userId: string,
    id: string,
  ): Promise<UserIdentity> {
    const found = await tx.userIdentity.findFirst({ where: { organizationId, userId, id } });
    if (!found) throw notFound();
    return found;
  }

  /** Patients have no identities: they sign in by code. @throws not_found */
  private async findStaff(tx: Transaction, caller: Caller, operation: string, id: string): Promise<void> {
    const { organizationId } = caller.principal;
    const found = await tx.user.count({
      where: {
        AND: [accessibleBy(caller, operation).ofType('User'), { organizationId, id, kind: 'staff' }],
      },
    });
    if (found === 0) throw notFound();
  }
}

const toView = ({ id, userId, issuer, subject, createdAt }: UserIdentity): IdentityView => ({
  id,
  user_id: userId,
  issuer,
  subject,
  created_at: createdAt.toISOString(),
});
