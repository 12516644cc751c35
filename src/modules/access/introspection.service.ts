import { Inject, Injectable } from '@nestjs/common';
import type { Credential, RequestInfo } from '../../platform/authorization/principal.js';
import { SCOPES } from '../../platform/authorization/scopes.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { ApplicationError } from '../../platform/errors/application-error.js';
import { AuditService } from '../audit/audit.service.js';
import { credentialOf } from '../auth/access-token.claims.js';
import { AccessTokenVerifier } from '../auth/access-token.verifier.js';
import { API_KEY_PREFIX, ApiKeysService } from '../auth/api-keys.service.js';
import type { Introspection } from '../auth/auth.schemas.js';
import { ClientAuthenticationService } from '../auth/client-authentication.service.js';
import type { ClientAssertion, ClientCredentials } from '../auth/client-credentials.js';
import { AccessService } from './access.service.js';

/** A credential somebody asks about, and what it says of itself. */
interface Shown {
  credential: Credential;
  claims: Partial<Extract<Introspection, { active: true }>>;
}

/** Tells clients what the tokens they are shown are worth (RFC 7662). */
@Injectable()
export class IntrospectionService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly clients: ClientAuthenticationService,
    private readonly verifier: AccessTokenVerifier,
    private readonly apiKeys: ApiKeysService,
    private readonly access: AccessService,
    private readonly audit: AuditService,
  ) {}

  /**
   * What enforcement would say of an access token or API key now: its scopes are those it still has. Of one that is unknown,
   * over, revoked, of another organization, or whose principal or session is out, only that it is not active.
   * @throws invalid_client, rate_limited
   */
  async introspect(
    shown: ClientCredentials | ClientAssertion,
    token: string,
    request: RequestInfo,
  ): Promise<Introspection> {
    const client = await this.clients.authenticate(shown, request.ip);
    const { organizationId, id, name } = client;
    const found = await (token.startsWith(API_KEY_PREFIX) ? this.ofApiKey(token) : this.ofAccessToken(token));
    const own = found?.credential.organizationId === organizationId ? found : undefined;
    const answer = own ? await this.standing(own) : ({ active: false } as const);
    await this.audit.append({
      organizationId,
      actor: { kind: 'client', id, label: name },
      action: 'tokens:introspect',
      outcome: 'success',
      resource: { type: 'Token', ...(own && { id: own.credential.tokenId ?? own.credential.principalId }) },
      origin: request,
      detail: { active: answer.active },
    });
    return answer;
  }

  private async ofAccessToken(token: string): Promise<Shown | undefined> {
    const claims = await this.verifier.verify(token);
    if (!claims) return undefined;
    const { PUBLIC_URL } = this.config;
    const { client_id, iat, exp, jti } = claims;
    return {
      credential: credentialOf(claims),
      claims: { client_id, iss: PUBLIC_URL, aud: PUBLIC_URL, iat, exp, jti },
    };
  }

  private async ofApiKey(key: string): Promise<Shown | undefined> {
    const found = await this.apiKeys.find(key);
    return found && { credential: { kind: 'api_key', scopes: SCOPES, ...found }, claims: {} };
  }

  private async standing({ credential, claims }: Shown): Promise<Introspection> {
    try {
      const { principal, scopes } = await this.access.grantsOf(credential);
      return {
        active: true,
        scope: scopes.join(' '),
        sub: principal.id,
        org: principal.organizationId,
        token_type: 'Bearer',
        ...claims,
      };
    } catch (error) {
      if (error instanceof ApplicationError && error.status === 401) return { active: false };
      throw error;
    }
  }
}
