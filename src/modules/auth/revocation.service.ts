import { Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { AuditEntry } from '../audit/audit.events.js';
import { AuditService } from '../audit/audit.service.js';
import type { AccessTokenClaims } from './access-token.claims.js';
import { AccessTokenVerifier } from './access-token.verifier.js';
import { API_KEY_PREFIX } from './api-keys.service.js';
import { unsupportedTokenType } from './auth.errors.js';
import { type AuthenticatedClient, ClientAuthenticationService } from './client-authentication.service.js';
import type { ClientAssertion, ClientCredentials } from './client-credentials.js';
import { REFRESH_TOKEN_PREFIX } from './sessions.service.js';

/** Ends access tokens before their time (RFC 7009). */
@Injectable()
export class RevocationService {
  constructor(
    private readonly clients: ClientAuthenticationService,
    private readonly verifier: AccessTokenVerifier,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * Ends a token that the client itself was issued; every process refuses it within a second. Of any other the caller
   * learns nothing (section 2.2), but the ledger does.
   * @throws invalid_client, unsupported_token_type, rate_limited
   */
  async revoke(
    shown: ClientCredentials | ClientAssertion,
    token: string,
    request: RequestInfo,
  ): Promise<void> {
    const client = await this.clients.authenticate(shown, request.ip);
    if (token.startsWith(API_KEY_PREFIX) || token.startsWith(REFRESH_TOKEN_PREFIX))
      throw unsupportedTokenType();
    const claims = await this.verifier.verify(token);
    await this.database.withOrganizationSql(client.organizationId, (tx) =>
      this.end(tx, client, claims, request),
    );
  }

  private async end(
    tx: SqlTransaction,
    client: AuthenticatedClient,
    claims: AccessTokenClaims | undefined,
    request: RequestInfo,
  ): Promise<void> {
    const event = (
      outcome: AuditEntry['outcome'],
      detail: NonNullable<AuditEntry<'tokens:revoke'>['detail']>,
      jti?: string,
    ): Promise<void> =>
      this.audit.record<'tokens:revoke'>(tx, {
        organizationId: client.organizationId,
        actor: { kind: 'client', id: client.id, label: client.name },
        action: 'tokens:revoke',
        outcome,
        resource: { type: 'Token', ...(jti !== undefined && { id: jti }) },
        origin: request,
        detail,
      });
    if (claims?.org !== client.organizationId)
      return event('denied', { revoked: false, reason: 'not_active' }); // also if it is good somewhere else
    if (claims.client_id !== client.clientId)
      return event('denied', { revoked: false, reason: 'of_another_client' }, claims.jti);
    const revoked = await insertRevokedToken(tx, claims, this.clock.now());
    return event('success', revoked ? { revoked } : { revoked, reason: 'revoked_before' }, claims.jti);
  }
}

/** Returns whether it had not been revoked before. */
async function insertRevokedToken(
  tx: SqlTransaction,
  { org, jti, exp }: AccessTokenClaims,
  now: Date,
): Promise<boolean> {
  const inserted = await tx.$executeRaw`
    INSERT INTO revoked_token (organization_id, jti, revoked_at, expires_at)
    VALUES (${org}::uuid, ${jti}::uuid, ${now}::timestamptz, ${new Date(exp * 1000)}::timestamptz)
    ON CONFLICT DO NOTHING`;
  return inserted > 0;
}
