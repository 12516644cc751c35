import { Inject, Injectable } from '@nestjs/common';
import type { IdentityProvider } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { authenticate, seal } from '../../platform/crypto/master-key.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { secretContext } from '../auth/identity-provider.rows.js';
import { isProviderUrl } from '../auth/provider-url.js';
import { revokeSessionsOfProvider } from '../auth/session.rows.js';
import { AccessChanges } from './access-changes.js';
import { alreadyExists } from './access.errors.js';
import { assertHoldsRightsByIssuer } from './granting.js';
import type {
  CreateProvider,
  ListProviders,
  ProviderPage,
  ProviderView,
  UpdateProvider,
} from './identity-providers.schemas.js';

/** Identity providers that an organization's staff may sign in with. */
@Injectable()
export class IdentityProvidersService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Newest first. */
  list(caller: Caller, { limit, cursor }: ListProviders): Promise<ProviderPage> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.identityProvider.findMany({
        where: {
          AND: [
            accessibleBy(caller, 'identity-providers:list').ofType('IdentityProvider'),
            { organizationId },
            ...(cursor ? olderThan(cursor) : []),
          ],
        },
        ...newestFirst(limit),
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<ProviderView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toView(await this.find(tx, caller, 'identity-providers:read', id)),
    );
  }

  /** @throws validation_error, already_exists, idempotency_mismatch */
  create(caller: Caller, input: CreateProvider, key: string | undefined): Promise<ProviderView> {
    if (!isProviderUrl(new URL(input.issuer), this.config.NODE_ENV))
      throw validationError([{ path: 'issuer', message: 'must be an https URL without credentials' }]);
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'identity-providers:create', key, body: this.withoutSecret(input) };
    return this.changes.change(organizationId, async (tx) => {
      const { id, replayed } = await this.idempotency.once(tx, claim, () =>
        this.insert(tx, organizationId, input),
      );
      await this.audit.record(
        tx,
        actedBy<'identity-providers:create'>(caller, {
          action: 'identity-providers:create',
          resource: { type: 'IdentityProvider', id },
          detail: {
            secret: input.client_secret !== undefined,
            redirect_uris: input.redirect_uris.length,
            replayed,
          },
        }),
      );
      return toView(await this.find(tx, caller, 'identity-providers:create', id));
    });
  }

  /** @throws not_found, grant_exceeded, precondition_failed */
  update(
    caller: Caller,
    id: string,
    input: UpdateProvider,
    expected: ExpectedVersion,
  ): Promise<ProviderView> {
    const { organizationId } = caller.principal;
    const { name, client_id: clientId, client_secret: secret, redirect_uris: redirectUris } = input;
    return this.changes.change(organizationId, async (tx) => {
      const before = await this.find(tx, caller, 'identity-providers:update', id);
      if (answersElsewhere(before, input)) await assertHoldsRightsByIssuer(tx, caller, before.issuer);
      const { count } = await tx.identityProvider.updateMany({
        where: {
          AND: [
            accessibleBy(caller, 'identity-providers:update').ofType('IdentityProvider'),
            { organizationId, id, ...atVersion(expected) },
          ],
        },
        data: {
          ...(name !== undefined && { name }),
          ...(clientId !== undefined && { clientId }),
          ...(secret !== undefined && { sealedSecret: secret === null ? null : this.seal(id, secret) }),
          ...(redirectUris !== undefined && { redirectUris }),
          version: { increment: 1 },
        },
      });
      if (count === 0) throw preconditionFailed();
      const found = await this.find(tx, caller, 'identity-providers:update', id);
      await this.audit.record(
        tx,
        actedBy<'identity-providers:update'>(caller, {
          action: 'identity-providers:update',
          resource: { type: 'IdentityProvider', id },
          detail: { changed: Object.keys(input) },
        }),
      );
      return toView(found);
    });
  }

  /** Nobody comes in by it from now on, and whoever did is out at once. The same answer each time. @throws not_found */
  disable(caller: Caller, id: string): Promise<ProviderView> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      const { repeated, row } = await this.turn(tx, caller, id, { to: 'disable' });
      const now = this.clock.now();
      const sessions = await revokeSessionsOfProvider(tx, organizationId, { providerId: id, now });
      await this.audit.record(
        tx,
        actedBy<'identity-providers:disable'>(caller, {
          action: 'identity-providers:disable',
          resource: { type: 'IdentityProvider', id },
          detail: { repeated, sessions },
        }),
      );
      return toView(row);
    });
  }

  /** It is a way in again, for all who are known by it; sessions that ended stay so. @throws not_found, grant_exceeded */
  enable(caller: Caller, id: string): Promise<ProviderView> {
    return this.changes.change(caller.principal.organizationId, async (tx) => {
      const { issuer, disabledAt } = await this.find(tx, caller, 'identity-providers:enable', id);
      if (disabledAt) await assertHoldsRightsByIssuer(tx, caller, issuer);
      const { repeated, row } = await this.turn(tx, caller, id, { to: 'enable' });
      await this.audit.record(
        tx,
        actedBy<'identity-providers:enable'>(caller, {
          action: 'identity-providers:enable',
          resource: { type: 'IdentityProvider', id },
          detail: { repeated },
        }),
      );
      return toView(row);
    });
  }

  private async turn(
    tx: Transaction,
    caller: Caller,
    id: string,
    { to }: { to: 'disable' | 'enable' },
  ): Promise<{ repeated: boolean; row: IdentityProvider }> {
    const { organizationId } = caller.principal;
    const operation = `identity-providers:${to}`;
    const { count } = await tx.identityProvider.updateMany({
      where: {
        AND: [
          accessibleBy(caller, operation).ofType('IdentityProvider'),
          { organizationId, id, disabledAt: to === 'disable' ? null : { not: null } },
        ],
      },
      data: { disabledAt: to === 'disable' ? this.clock.now() : null, version: { increment: 1 } },
    });
    return { repeated: count === 0, row: await this.find(tx, caller, operation, id) };
  }

  private async insert(tx: Transaction, organizationId: string, input: CreateProvider): Promise<string> {
    const { name, issuer, client_id: clientId, client_secret: secret, redirect_uris: redirectUris } = input;
    if ((await tx.identityProvider.count({ where: { organizationId, issuer } })) > 0)
      throw alreadyExists('A provider with this issuer');
    const id = newId();
    const sealedSecret = secret === undefined ? null : this.seal(id, secret);
    const createdAt = this.clock.now();
    await tx.identityProvider.create({
      data: { id, organizationId, name, issuer, clientId, redirectUris, sealedSecret, createdAt },
    });
    return id;
  }

  /** @throws not_found when there is none, or none the caller may perform the operation on. */
  private async find(
    tx: Transaction,
    caller: Caller,
    operation: string,
    id: string,
  ): Promise<IdentityProvider> {
    const { organizationId } = caller.principal;
    const found = await tx.identityProvider.findFirst({
      where: { AND: [accessibleBy(caller, operation).ofType('IdentityProvider'), { organizationId, id }] },
    });
    if (!found) throw notFound();
    return found;
  }

  private seal(id: string, secret: string): Uint8Array<ArrayBuffer> {
    return seal(this.config.SCANDOCK_MASTER_KEY, secretContext(id), Buffer.from(secret));
  }

  /** What of a request is remembered as a hash: of a secret that somebody chose, only one nobody can guess by. */
  private withoutSecret({ client_secret: secret, ...rest }: CreateProvider): object {
    if (secret === undefined) return rest;
    const key = authenticate(this.config.SCANDOCK_MASTER_KEY, 'identity-provider-secret', secret);
    return { ...rest, secret: key.toString('hex') };
  }
}

/** Whether somebody else would get what the provider says of who signs in: another client there, or another app of ours. */
const answersElsewhere = (
  { clientId, redirectUris }: IdentityProvider,
  { client_id = clientId, redirect_uris = [] }: UpdateProvider,
): boolean => client_id !== clientId || redirect_uris.some((uri) => !redirectUris.includes(uri));

const toView = (row: IdentityProvider): ProviderView => ({
  id: row.id,
  name: row.name,
  issuer: row.issuer,
  client_id: row.clientId,
  has_secret: row.sealedSecret !== null,
  redirect_uris: row.redirectUris,
  created_at: row.createdAt.toISOString(),
  disabled_at: row.disabledAt?.toISOString() ?? null,
  version: row.version,
});
