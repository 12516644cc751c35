import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Credential, RequestInfo } from '../../platform/authorization/principal.js';
import { isScope, type Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { AuditService } from '../audit/audit.service.js';
import { AccessTokenSigner } from './access-token.signer.js';
import { invalidScope } from './auth.errors.js';
import type { TokenResponse } from './auth.schemas.js';
import { ClientAuthenticationService } from './client-authentication.service.js';
import type { ClientAssertion, ClientCredentials } from './client-credentials.js';

/** Issues access tokens for client credentials (RFC 6749, section 4.4; RFC 9068). */
@Injectable()
export class TokensService {
  constructor(
    private readonly clients: ClientAuthenticationService,
    private readonly signer: AccessTokenSigner,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws invalid_client, invalid_scope, rate_limited */
  async issue(
    shown: ClientCredentials | ClientAssertion,
    scope: string | undefined,
    request: RequestInfo,
  ): Promise<TokenResponse> {
    const jti = randomUUID();
    const issuedAt = this.clock.now();
    const { client, scopes } = await this.clients.within(shown, request.ip, async (tx, client) => {
      const { organizationId, id, name, kid, tokenLifetime: lifetime } = client;
      const granted = narrow(client.scopes, scope);
      await this.audit.record(tx, {
        organizationId,
        actor: { kind: 'client', id, label: name },
        action: 'tokens:issue',
        outcome: 'success',
        resource: { type: 'Token', id: jti },
        scopes: granted,
        origin: request,
        detail: { jti, lifetime, ...(kid !== undefined && { kid }) },
      });
      return { client, scopes: granted };
    });
    const access_token = await this.signer.sign({
      subject: client.id,
      organizationId: client.organizationId,
      clientId: client.clientId,
      scopes,
      jti,
      issuedAt,
      lifetimeSeconds: client.tokenLifetime,
    });
    return { access_token, token_type: 'Bearer', expires_in: client.tokenLifetime, scope: scopes.join(' ') };
  }

  /**
   * The credential of a client that shows its id and secret with a request, rather than a token got for them: all of the
   * client's scopes, no expiry.
   * @throws invalid_client, rate_limited
   */
  async authenticate(credentials: ClientCredentials, ip: string | undefined): Promise<Credential> {
    const { id, organizationId, scopes } = await this.clients.authenticate(credentials, ip);
    return { kind: 'client', principalId: id, organizationId, scopes };
  }
}

/** The scopes asked for, all of which must be allowed; all that are allowed when none is asked for. */
function narrow(allowed: Scope[], requested: string | undefined): Scope[] {
  if (requested === undefined || requested.trim() === '') return allowed;
  const wanted = [...new Set(requested.trim().split(/ +/))];
  if (!wanted.every((scope) => isScope(scope) && allowed.includes(scope))) throw invalidScope();
  return wanted as Scope[];
}
