import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { AccessChanges } from './access-changes.js';
import { findClientRow } from './clients.service.js';
import { insertSecret } from './credential.rows.js';
import { secretAlreadyTold, tooManySecrets } from './credentials.errors.js';
import type { CreatedSecret } from './credentials.schemas.js';
import { assertMayStandInFor } from './granting.js';

/** So that one can be changed for the other while both work. */
const MAX_LIVE = 2;

/** Secrets of clients: told once, two at a time. */
@Injectable()
export class ClientSecretsService {
  constructor(
    private readonly changes: AccessChanges,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * One more secret; those there are stay good.
   * @throws not_found, grant_exceeded, too_many_secrets, secret_already_told, idempotency_mismatch
   */
  create(caller: Caller, id: string, key: string | undefined): Promise<CreatedSecret> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'clients:create-secret', key, body: { id } };
    return this.changes.change(organizationId, async (tx) => {
      const { scopes, keys } = await findClientRow(tx, caller, 'clients:create-secret', id);
      await assertMayStandInFor(tx, caller, { kind: 'client', id }, scopes);
      if (await this.idempotency.earlier(tx, claim)) throw secretAlreadyTold();
      if (keys.filter(({ revokedAt }) => !revokedAt).length >= MAX_LIVE)
        throw tooManySecrets('secrets of this client');
      const createdAt = this.clock.now();
      const secret = await insertSecret(tx, { organizationId, oauthClientId: id }, createdAt);
      await this.idempotency.remember(tx, claim, secret.id);
      await this.note(tx, caller, 'clients:create-secret', id, secret.id);
      return {
        id: secret.id,
        client_secret: secret.clientSecret,
        created_at: createdAt.toISOString(),
      };
    });
  }

  /**
   * It is good for nothing within a second. Access tokens got by it live on: they are the client's.
   * @throws not_found also when it is revoked already; last_owner
   */
  revoke(caller: Caller, id: string, secretId: string): Promise<void> {
    const { organizationId } = caller.principal;
    return this.changes.change(organizationId, async (tx) => {
      await findClientRow(tx, caller, 'clients:revoke-secret', id);
      const { count } = await tx.clientKey.updateMany({
        where: { organizationId, oauthClientId: id, id: secretId, revokedAt: null },
        data: { revokedAt: this.clock.now() },
      });
      if (count === 0) throw notFound();
      await this.note(tx, caller, 'clients:revoke-secret', id, secretId);
    });
  }

  /** A client is another one with other secrets: its version says so. */
  private async note(
    tx: Transaction,
    caller: Caller,
    action: 'clients:create-secret' | 'clients:revoke-secret',
    id: string,
    secret: string,
  ): Promise<void> {
    const { organizationId } = caller.principal;
    await tx.oauthClient.updateMany({
      where: { organizationId, id },
      data: { version: { increment: 1 } },
    });
    await this.audit.record(
      tx,
      actedBy(caller, { action, resource: { type: 'OauthClient', id }, detail: { secret } }),
    );
  }
}
