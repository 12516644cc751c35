import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { decodeCursor, pageOf } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { AccessChanges } from '../access/access-changes.js';
import { Ledgers } from '../access/ledgers.js';
import { insertOrganization } from '../access/new-organization.js';
import { actedBy } from '../audit/audit.service.js';
import { findTenant, insideOf, tenantFor, toView } from './tenant.rows.js';
import { beingDeleted, platformOrganization, purgeBegun } from './tenants.errors.js';
import type {
  CreateOrganization,
  ListOrganizations,
  OrganizationPage,
  OrganizationView,
  UpdateOrganization,
} from './tenants.schemas.js';

/** Before all others in the order of a list, the newest first. */
const NEWEST = {
  createdAt: new Date('9999-12-31T23:59:59.999Z'),
  id: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
};

/** Organizations as the platform's owner manages them; and its own, as anybody else sees it. */
@Injectable()
export class TenantsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly ledgers: Ledgers,
    private readonly clock: Clock,
  ) {}

  /**
   * The organization, its built-in roles and its first owner, in one transaction with what is remembered of the call.
   * @throws idempotency_conflict, idempotency_mismatch
   */
  create(caller: Caller, input: CreateOrganization, key: string | undefined): Promise<OrganizationView> {
    const claim = { caller, operation: 'organizations:create', key, body: input };
    const { email, first_name: firstName = '', last_name: lastName = '' } = input.owner;
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const earlier = await this.idempotency.earlier(tx, claim);
      const [id, createdAt] = [earlier ?? newId(), this.clock.now()];
      const given = { id, name: input.name, createdAt, owner: { email, firstName, lastName } };
      const made = earlier
        ? undefined
        : await this.database.within(tx, id, () => insertOrganization(tx, given));
      if (!earlier) await this.idempotency.remember(tx, claim, id);
      await this.ledgers.record(
        tx,
        id,
        actedBy<'organizations:create'>(caller, {
          action: 'organizations:create',
          resource: { type: 'Organization', id },
          detail: { owner: made ?? null, replayed: earlier !== undefined },
        }),
      );
      return this.database.within(tx, id, async () =>
        toView(await findTenant(tx, caller, 'organizations:create', id)),
      );
    });
  }

  /** Newest first. Which there are comes from a function that tells ids and times; each row is read inside its organization. */
  async list(caller: Caller, { limit, cursor }: ListOrganizations): Promise<OrganizationPage> {
    const { createdAt, id: before } = cursor ? decodeCursor(cursor) : NEWEST;
    const rows = await this.database.outside.$queryRaw<{ id: string; created_at: Date }[]>`
      SELECT * FROM organization_page(${createdAt}::timestamptz, ${before}::uuid, ${limit + 1}::int)`;
    const { page, next } = pageOf(
      rows.map((row) => ({ id: row.id, createdAt: row.created_at })),
      limit,
    );
    const items: OrganizationView[] = [];
    for (const { id } of page)
      items.push(
        await this.database.withOrganization(insideOf(caller, id), async (tx) =>
          toView(await findTenant(tx, caller, 'organizations:list', id)),
        ),
      );
    return { items, ...(next && { next_cursor: next }) };
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<OrganizationView> {
    return this.database.withOrganization(insideOf(caller, id), async (tx) =>
      toView(await findTenant(tx, caller, 'organizations:read', id)),
    );
  }

  /** @throws not_found, precondition_failed, purge_begun */
  update(
    caller: Caller,
    id: string,
    { name, required_metadata }: UpdateOrganization,
    expected: ExpectedVersion,
  ): Promise<OrganizationView> {
    return this.changes.change(insideOf(caller, id), async (tx) => {
      const { deletion } = await findTenant(tx, caller, 'organizations:update', id);
      if (deletion?.purgeRequestedAt) throw purgeBegun();
      const { count } = await tx.organization.updateMany({
        where: { ...tenantFor(caller, 'organizations:update', id), ...atVersion(expected) },
        data: {
          ...(name !== undefined && { name }),
          ...(required_metadata && { requiredMetadata: required_metadata }),
          version: { increment: 1 },
        },
      });
      if (count === 0) throw preconditionFailed();
      await this.ledgers.record(
        tx,
        id,
        actedBy<'organizations:update'>(caller, {
          action: 'organizations:update',
          resource: { type: 'Organization', id },
          detail: { name: name !== undefined, required_metadata: required_metadata !== undefined },
        }),
      );
      return toView(await findTenant(tx, caller, 'organizations:update', id));
    });
  }

  /** Everybody and everything of it is out within a second. The same answer each time. @throws not_found, platform_organization */
  disable(caller: Caller, id: string): Promise<OrganizationView> {
    return this.set(caller, id, 'organizations:disable', this.clock.now());
  }

  /** What was good before it was disabled is good again. @throws not_found, platform_organization, being_deleted */
  enable(caller: Caller, id: string): Promise<OrganizationView> {
    return this.set(caller, id, 'organizations:enable', null);
  }

  private set(
    caller: Caller,
    id: string,
    action: 'organizations:disable' | 'organizations:enable',
    disabledAt: Date | null,
  ): Promise<OrganizationView> {
    if (id === PLATFORM_ORGANIZATION) throw platformOrganization();
    return this.changes.change(insideOf(caller, id), async (tx) => {
      const { deletion } = await findTenant(tx, caller, action, id);
      if (deletion && !disabledAt) throw beingDeleted();
      const { count } = await tx.organization.updateMany({
        where: { ...tenantFor(caller, action, id), disabledAt: disabledAt ? null : { not: null } },
        data: { disabledAt, version: { increment: 1 } },
      });
      await this.ledgers.record(
        tx,
        id,
        actedBy(caller, {
          action,
          resource: { type: 'Organization', id },
          detail: { repeated: count === 0 },
        }),
      );
      return toView(await findTenant(tx, caller, action, id));
    });
  }
}
