import { Injectable } from '@nestjs/common';
import type { ApiKey, Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { insertApiKey, replaceKey } from './credential.rows.js';
import { keyRevoked, secretAlreadyTold, tooManySecrets } from './credentials.errors.js';
import type {
  ApiKeyPage,
  ApiKeyView,
  CreateApiKey,
  ListApiKeys,
  ToldApiKey,
  UpdateApiKey,
} from './credentials.schemas.js';
import { assertHoldsScopes, assertMayStandInFor } from './granting.js';

/** API keys and portals' keys of an organization, as whoever manages access sees them. */
@Injectable()
export class ManagedApiKeysService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * A key without a role: nobody has rights by it before a role is bound to it.
   * @throws grant_exceeded, secret_already_told, idempotency_mismatch
   */
  create(caller: Caller, input: CreateApiKey, idempotencyKey: string | undefined): Promise<ToldApiKey> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'api-keys:create', key: idempotencyKey, body: input };
    return this.changes.change(organizationId, async (tx) => {
      assertHoldsScopes(caller, input.scopes);
      if (await this.idempotency.earlier(tx, claim)) throw secretAlreadyTold();
      const { id, key } = await insertApiKey(tx, { organizationId, ...input }, this.clock.now());
      await this.idempotency.remember(tx, claim, id);
      await this.audit.record(
        tx,
        actedBy<'api-keys:create'>(caller, {
          action: 'api-keys:create',
          resource: { type: 'ApiKey', id },
          detail: { purpose: input.purpose, scopes: input.scopes },
        }),
      );
      return { ...toView(await find(tx, caller, 'api-keys:create', id)), key };
    });
  }

  /** Newest first, revoked ones too. */
  list(caller: Caller, { purpose, state, limit, cursor }: ListApiKeys): Promise<ApiKeyPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.ApiKeyWhereInput[] = [
      accessibleBy(caller, 'api-keys:list').ofType('ApiKey'),
      {
        organizationId,
        ...(purpose && { purpose }),
        ...(state && { revokedAt: state === 'live' ? null : { not: null } }),
      },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.apiKey.findMany({
        where: { AND: where },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<ApiKeyView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toView(await find(tx, caller, 'api-keys:read', id)),
    );
  }

  /** @throws not_found, precondition_failed, grant_exceeded, last_owner, validation_error (scopes for a portal's key) */
  update(caller: Caller, id: string, input: UpdateApiKey, expected: ExpectedVersion): Promise<ApiKeyView> {
    const { organizationId } = caller.principal;
    const { name, scopes = [] } = input;
    return this.changes.change(organizationId, async (tx) => {
      const before = await find(tx, caller, 'api-keys:update', id);
      if (before.purpose === 'portal' && scopes.length > 0)
        throw validationError([{ path: 'scopes', message: 'a portal’s key has none' }]);
      const added = scopes.filter((scope) => !before.scopes.includes(scope));
      // More scopes are more of the rights it has, for whoever knows its value.
      if (added.length > 0) await assertMayStandInFor(tx, caller, { kind: 'api_key', id }, added);
      const { count } = await tx.apiKey.updateMany({
        where: { organizationId, id, ...atVersion(expected) },
        data: {
          ...(name !== undefined && { name }),
          ...(input.scopes && { scopes }),
          version: { increment: 1 },
        },
      });
      if (count === 0) throw preconditionFailed();
      const after = await find(tx, caller, 'api-keys:update', id);
      await this.audit.record(
        tx,
        actedBy<'api-keys:update'>(caller, {
          action: 'api-keys:update',
          resource: { type: 'ApiKey', id },
          detail: { changed: Object.keys(input), scopes: after.scopes, version: after.version },
        }),
      );
      return toView(after);
    });
  }

  /**
   * Another value. The one there was stays good, as the previous one, until {@link retirePrevious}.
   * @throws not_found, grant_exceeded, api_key_revoked, too_many_secrets, secret_already_told, idempotency_mismatch
   */
  rotate(caller: Caller, id: string, idempotencyKey: string | undefined): Promise<ToldApiKey> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'api-keys:rotate', key: idempotencyKey, body: { id } };
    return this.changes.change(organizationId, async (tx) => {
      const before = await find(tx, caller, 'api-keys:rotate', id);
      await assertMayStandInFor(tx, caller, { kind: 'api_key', id }, before.scopes);
      if (await this.idempotency.earlier(tx, claim)) throw secretAlreadyTold();
      if (before.revokedAt) throw keyRevoked();
      if (before.previousKeyHash) throw tooManySecrets('values of this key');
      const key = await replaceKey(tx, before);
      await this.idempotency.remember(tx, claim, id);
      await this.audit.record(
        tx,
        actedBy<'api-keys:rotate'>(caller, {
          action: 'api-keys:rotate',
          resource: { type: 'ApiKey', id },
          detail: { purpose: before.purpose },
        }),
      );
      return { ...toView(await find(tx, caller, 'api-keys:rotate', id)), key };
    });
  }

  /** The previous value is good for nothing within a second; the same answer each time. @throws not_found */
  retirePrevious(caller: Caller, id: string): Promise<ApiKeyView> {
    return this.end(caller, id, 'api-keys:retire-previous', {
      while: { previousKeyHash: { not: null } },
      to: { previousKeyHash: null, previousLastUsedAt: null },
    });
  }

  /** Both its values are good for nothing within a second, for ever; the same answer each time. @throws not_found, last_owner */
  async revoke(caller: Caller, id: string): Promise<void> {
    await this.end(caller, id, 'api-keys:revoke', {
      while: { revokedAt: null },
      to: { revokedAt: this.clock.now(), previousKeyHash: null, previousLastUsedAt: null },
    });
  }

  private end(
    caller: Caller,
    id: string,
    action: 'api-keys:retire-previous' | 'api-keys:revoke',
    change: { while: Prisma.ApiKeyWhereInput; to: Prisma.ApiKeyUpdateManyMutationInput },
  ): Promise<ApiKeyView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      await find(tx, caller, action, id);
      const { count } = await tx.apiKey.updateMany({
        where: { organizationId, id, ...change.while },
        data: { ...change.to, version: { increment: 1 } },
      });
      await this.audit.record(
        tx,
        actedBy(caller, { action, resource: { type: 'ApiKey', id }, detail: { repeated: count === 0 } }),
      );
      return toView(await find(tx, caller, action, id));
    });
  }
}

/** @throws not_found when there is none, or none the caller may perform the operation on. */
async function find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<ApiKey> {
  const { organizationId } = caller.principal;
  const found = await tx.apiKey.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('ApiKey'), { organizationId, id }] },
  });
  if (!found) throw notFound();
  return found;
}

const toView = (row: ApiKey): ApiKeyView => ({
  id: row.id,
  name: row.name,
  purpose: row.purpose,
  state: row.revokedAt ? 'revoked' : 'live',
  scopes: row.scopes,
  last_used_at: row.lastUsedAt?.toISOString() ?? null,
  previous: row.previousKeyHash && { last_used_at: row.previousLastUsedAt?.toISOString() ?? null },
  created_at: row.createdAt.toISOString(),
  version: row.version,
});
