import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { atVersion, type ExpectedVersion, preconditionFailed } from '../../platform/http/etag.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { type ClientRow, toClientView, withSecrets } from './client.view.js';
import { insertClient, insertSecret } from './credential.rows.js';
import { secretAlreadyTold } from './credentials.errors.js';
import type {
  ClientPage,
  ClientView,
  CreateClient,
  CreatedClient,
  ListClients,
  UpdateClient,
} from './credentials.schemas.js';
import { assertHoldsScopes, assertMayStandInFor } from './granting.js';

interface Made {
  id: string;
  clientSecret?: string;
}

/** An organization's OAuth clients, as whoever manages access sees them. */
@Injectable()
export class ClientsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * A client without a role: nobody has rights by it before a role is bound to it.
   * @throws grant_exceeded, secret_already_told, idempotency_mismatch
   */
  create(caller: Caller, input: CreateClient, key: string | undefined): Promise<CreatedClient> {
    const { organizationId } = caller.principal;
    const withSecret = input.with_secret ?? !input.jwks;
    const claim = { caller, operation: 'clients:create', key, body: input };
    return this.changes.change(organizationId, async (tx) => {
      assertHoldsScopes(caller, input.scopes);
      const earlier = await this.idempotency.earlier(tx, claim);
      if (earlier && withSecret) throw secretAlreadyTold();
      const made: Made = earlier ? { id: earlier } : await this.insert(tx, organizationId, input, withSecret);
      if (!earlier) await this.idempotency.remember(tx, claim, made.id);
      await this.audit.record(
        tx,
        actedBy<'clients:create'>(caller, {
          action: 'clients:create',
          resource: { type: 'OauthClient', id: made.id },
          detail: {
            scopes: input.scopes,
            secret: withSecret,
            jwks: input.jwks !== undefined,
            replayed: earlier !== undefined,
          },
        }),
      );
      const view = toClientView(await findClientRow(tx, caller, 'clients:create', made.id));
      return { ...view, ...(made.clientSecret && { client_secret: made.clientSecret }) };
    });
  }

  /** Newest first. */
  list(caller: Caller, { name, state, limit, cursor }: ListClients): Promise<ClientPage> {
    const { organizationId } = caller.principal;
    const where: Prisma.OauthClientWhereInput[] = [
      accessibleBy(caller, 'clients:list').ofType('OauthClient'),
      {
        organizationId,
        ...(name !== undefined && { name }),
        ...(state && { disabledAt: state === 'enabled' ? null : { not: null } }),
      },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.oauthClient.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        include: withSecrets,
      });
      return toPage(rows, limit, toClientView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<ClientView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) =>
      toClientView(await findClientRow(tx, caller, 'clients:read', id)),
    );
  }

  /** @throws not_found, precondition_failed, grant_exceeded, last_owner */
  update(caller: Caller, id: string, input: UpdateClient, expected: ExpectedVersion): Promise<ClientView> {
    const { organizationId } = caller.principal;
    const { name, scopes, token_lifetime: tokenLifetime, jwks } = input;
    return this.changes.change(organizationId, async (tx) => {
      const before = await findClientRow(tx, caller, 'clients:update', id);
      await assertMayUpdate(tx, caller, before, input);
      const { count } = await tx.oauthClient.updateMany({
        where: { organizationId, id, ...atVersion(expected) },
        data: {
          ...(name !== undefined && { name }),
          ...(scopes && { scopes }),
          ...(tokenLifetime !== undefined && { tokenLifetime }),
          ...(jwks !== undefined && { jwks: jwks ?? Prisma.DbNull }),
          version: { increment: 1 },
        },
      });
      if (count === 0) throw preconditionFailed();
      const after = await findClientRow(tx, caller, 'clients:update', id);
      await this.audit.record(
        tx,
        actedBy<'clients:update'>(caller, {
          action: 'clients:update',
          resource: { type: 'OauthClient', id },
          detail: { changed: Object.keys(input), scopes: after.scopes, version: after.version },
        }),
      );
      return toClientView(after);
    });
  }

  /** Nobody comes in as it from now on, tokens included; the same answer each time. @throws not_found, last_owner */
  disable(caller: Caller, id: string): Promise<ClientView> {
    return this.changes.change(caller.principal.organizationId, async (tx) => {
      await findClientRow(tx, caller, 'clients:disable', id);
      return this.setState(tx, caller, id, 'clients:disable', {
        from: null,
        to: this.clock.now(),
      });
    });
  }

  /** Its secrets, keys and unexpired tokens are good again; the same answer each time. @throws not_found, grant_exceeded */
  enable(caller: Caller, id: string): Promise<ClientView> {
    return this.changes.change(caller.principal.organizationId, async (tx) => {
      const { scopes } = await findClientRow(tx, caller, 'clients:enable', id);
      await assertMayStandInFor(tx, caller, { kind: 'client', id }, scopes);
      return this.setState(tx, caller, id, 'clients:enable', { from: { not: null }, to: null });
    });
  }

  private async setState(
    tx: Transaction,
    caller: Caller,
    id: string,
    action: 'clients:disable' | 'clients:enable',
    { from, to }: { from: null | { not: null }; to: Date | null },
  ): Promise<ClientView> {
    const { organizationId } = caller.principal;
    const { count } = await tx.oauthClient.updateMany({
      where: { organizationId, id, disabledAt: from },
      data: { disabledAt: to, version: { increment: 1 } },
    });
    await this.audit.record(
      tx,
      actedBy(caller, {
        action,
        resource: { type: 'OauthClient', id },
        detail: { repeated: count === 0 },
      }),
    );
    return toClientView(await findClientRow(tx, caller, action, id));
  }

  private async insert(
    tx: Transaction,
    organizationId: string,
    { name, scopes, token_lifetime: tokenLifetime, jwks }: CreateClient,
    withSecret: boolean,
  ): Promise<Made> {
    const now = this.clock.now();
    const { id } = await insertClient(tx, { organizationId, name, scopes, tokenLifetime, jwks }, now);
    if (!withSecret) return { id };
    const { clientSecret } = await insertSecret(tx, { organizationId, oauthClientId: id }, now);
    return { id, clientSecret };
  }
}

/** @throws not_found when there is none, or none the caller may perform the operation on. */
export async function findClientRow(
  tx: Transaction,
  caller: Caller,
  operation: string,
  id: string,
): Promise<ClientRow> {
  const { organizationId } = caller.principal;
  const found = await tx.oauthClient.findFirst({
    where: { AND: [accessibleBy(caller, operation).ofType('OauthClient'), { organizationId, id }] },
    include: withSecrets,
  });
  if (!found) throw notFound();
  return found;
}

/**
 * More scopes are more of the rights it has: they take these rights, since somebody may know its secret who was to have
 * fewer. Another key set lets others in as it.
 */
async function assertMayUpdate(
  tx: Transaction,
  caller: Caller,
  { id, scopes: former, jwks: known }: ClientRow,
  { scopes, jwks }: UpdateClient,
): Promise<void> {
  const added = (scopes ?? []).filter((scope) => !former.includes(scope));
  const newKeys = jwks != null && !isDeepStrictEqual(jwks, known);
  if (newKeys) await assertMayStandInFor(tx, caller, { kind: 'client', id }, scopes ?? former);
  else if (added.length > 0) await assertMayStandInFor(tx, caller, { kind: 'client', id }, added);
}
