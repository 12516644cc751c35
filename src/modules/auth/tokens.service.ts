import { randomUUID, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import type { Credential, RequestInfo } from '../../platform/authorization/principal.js';
import { isScope, type Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { AuditService } from '../audit/audit.service.js';
import { invalidClient, invalidScope } from './auth.errors.js';
import type { TokenResponse } from './auth.schemas.js';
import type { ClientCredentials } from './client-credentials.js';
import { FailureLimiter } from './failure-limiter.js';
import { SIGNING_ALGORITHM, SigningKeysService } from './signing-keys.service.js';

export const TOKEN_LIFETIME_SECONDS = 3600;

/** `typ` of access tokens (RFC 9068, section 2.1): no other JWT of ours can be taken for one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** A last use is written at most this often, so that a busy client's row is not a hot spot. */
const LAST_USE_RESOLUTION_MS = 60_000;

interface ResolvedClient {
  organization_id: string;
  id: string;
  key_id: string;
  secret_hash: Uint8Array;
}

/** Issues access tokens for client credentials (RFC 6749, section 4.4; RFC 9068). */
@Injectable()
export class TokensService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly keys: SigningKeysService,
    private readonly limiter: FailureLimiter,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws invalid_client, invalid_scope, rate_limited */
  async issue(
    credentials: ClientCredentials,
    scope: string | undefined,
    request: RequestInfo,
  ): Promise<TokenResponse> {
    const client = await this.counted(credentials, request.ip, () => this.resolve(credentials));
    const jti = randomUUID();
    const now = this.clock.now();
    const scopes = await this.database.withOrganization(client.organization_id, async (tx) => {
      const { name, scopes: allowed } = await tx.oauthClient.findUniqueOrThrow({ where: { id: client.id } });
      const granted = narrow(allowed.filter(isScope), scope);
      await recordUse(tx, client, now);
      await this.audit.record(tx, {
        organizationId: client.organization_id,
        actor: { kind: 'client', id: client.id, label: name },
        action: 'tokens:issue',
        outcome: 'success',
        resource: { type: 'Token', id: jti },
        scopes: granted,
        origin: request,
        detail: { jti, lifetime: TOKEN_LIFETIME_SECONDS },
      });
      return granted;
    });
    const access_token = await this.sign({ client, clientId: credentials.clientId, jti, scopes, now });
    return {
      access_token,
      token_type: 'Bearer',
      expires_in: TOKEN_LIFETIME_SECONDS,
      scope: scopes.join(' '),
    };
  }

  /**
   * The credential of a client that shows its id and secret with a request, rather than a token got for them: all of the
   * client's scopes, no expiry.
   * @throws invalid_client, rate_limited
   */
  async authenticate(credentials: ClientCredentials, ip: string | undefined): Promise<Credential> {
    const client = await this.counted(credentials, ip, () => this.resolve(credentials));
    return this.database.withOrganization(client.organization_id, async (tx) => {
      const { scopes } = await tx.oauthClient.findUniqueOrThrow({ where: { id: client.id } });
      await recordUse(tx, client, this.clock.now());
      return {
        kind: 'client',
        principalId: client.id,
        organizationId: client.organization_id,
        scopes: scopes.filter(isScope),
      };
    });
  }

  /** The credential a verified access token stands for. */
  credentialOf(claims: { sub: string; org: string; scope: string; exp: number }): Credential {
    return {
      kind: 'client',
      principalId: claims.sub,
      organizationId: claims.org,
      scopes: claims.scope.split(' ').filter(isScope),
      expiresAt: new Date(claims.exp * 1000),
    };
  }

  private counted<T>(
    { clientId }: ClientCredentials,
    ip: string | undefined,
    attempt: () => Promise<T>,
  ): Promise<T> {
    return this.limiter.count([ip, `client ${clientId}`], attempt);
  }

  private async resolve({ clientId, clientSecret }: ClientCredentials): Promise<ResolvedClient> {
    const presented = sha256(clientSecret);
    const rows = /^[\x21-\x7e]{1,128}$/.test(clientId)
      ? await this.database.outside.$queryRaw<
          ResolvedClient[]
        >`SELECT * FROM resolve_oauth_client(${clientId})`
      : [];
    // An unknown client costs a comparison too.
    const candidates = rows.length > 0 ? rows : [{ secret_hash: new Uint8Array(32) } as ResolvedClient];
    const match = candidates.filter(({ secret_hash }) => timingSafeEqual(secret_hash, presented))[0];
    if (!match?.id) throw invalidClient();
    return match;
  }

  private async sign(token: {
    client: ResolvedClient;
    clientId: string;
    jti: string;
    scopes: Scope[];
    now: Date;
  }): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    const issuedAt = Math.floor(token.now.getTime() / 1000);
    return new SignJWT({
      client_id: token.clientId,
      org: token.client.organization_id,
      scope: token.scopes.join(' '),
    })
      .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid })
      .setIssuer(this.config.PUBLIC_URL)
      .setAudience(this.config.PUBLIC_URL)
      .setSubject(token.client.id)
      .setJti(token.jti)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + TOKEN_LIFETIME_SECONDS)
      .sign(privateKey);
  }
}

const recordUse = (tx: Transaction, { key_id: id }: ResolvedClient, now: Date) => {
  const stale = new Date(now.getTime() - LAST_USE_RESOLUTION_MS);
  return tx.clientKey.updateMany({
    where: { id, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: stale } }] },
    data: { lastUsedAt: now },
  });
};

/** The scopes asked for, all of which must be allowed; all that are allowed when none is asked for. */
function narrow(allowed: Scope[], requested: string | undefined): Scope[] {
  if (requested === undefined || requested.trim() === '') return allowed;
  const wanted = [...new Set(requested.trim().split(/ +/))];
  if (!wanted.every((scope) => isScope(scope) && allowed.includes(scope))) throw invalidScope();
  return wanted as Scope[];
}
