import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import { isScope, type Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { addressKey } from '../../platform/http/address-key.js';
import { invalidClient } from './auth.errors.js';
import { verifyAssertion } from './client-assertion.js';
import type { ClientAssertion, ClientCredentials } from './client-credentials.js';
import { FailureLimiter } from './failure-limiter.js';
import { spend } from './spent-token.rows.js';

/** A last use is written at most this often, so that a busy client's row is not a hot spot. */
const LAST_USE_RESOLUTION_MS = 60_000;

/** A client that has proved who it is. */
export interface AuthenticatedClient {
  organizationId: string;
  id: string;
  /** The one it is known by outside. */
  clientId: string;
  name: string;
  scopes: Scope[];
  /** Of the access tokens it is given, in seconds. */
  tokenLifetime: number;
  /** The key it has signed with, if it was not a secret that it has shown. */
  kid?: string;
}

interface ResolvedSecret {
  organization_id: string;
  id: string;
  key_id: string;
  secret_hash: Uint8Array;
}

/** Where a client that nobody knows is looked for: in the transaction that one who is known would cost. */
const NOBODY = { organization_id: PLATFORM_ORGANIZATION, id: PLATFORM_ORGANIZATION };

/**
 * Finds out whether a client is who it says, by secret (RFC 6749, section 2.3.1) or by assertion (RFC 7523). Refusals are
 * counted by address and by client, and an unknown client costs what a known one does.
 */
@Injectable()
export class ClientAuthenticationService {
  private readonly audiences: string[];

  constructor(
    @Inject(CONFIG) config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {
    this.audiences = [`${config.PUBLIC_URL}/oauth2/token`, config.PUBLIC_URL];
  }

  /**
   * Runs `work` in one transaction with what its authentication leaves behind: an assertion is used up when, and only
   * when, what it was shown for has happened.
   * @throws invalid_client, rate_limited
   */
  within<T>(
    shown: ClientCredentials | ClientAssertion,
    ip: string | undefined,
    work: (tx: Transaction, client: AuthenticatedClient) => Promise<T>,
  ): Promise<T> {
    return this.limiter.count([addressKey(ip), `client ${shown.clientId}`], () =>
      'assertion' in shown ? this.byAssertion(shown, work) : this.bySecret(shown, work),
    );
  }

  /** @throws invalid_client, rate_limited */
  authenticate(
    shown: ClientCredentials | ClientAssertion,
    ip: string | undefined,
  ): Promise<AuthenticatedClient> {
    return this.within(shown, ip, (_tx, client) => Promise.resolve(client));
  }

  private async bySecret<T>(
    shown: ClientCredentials,
    work: (tx: Transaction, client: AuthenticatedClient) => Promise<T>,
  ): Promise<T> {
    const { organization_id, id, key_id } = await this.resolveSecret(shown);
    return this.database.withOrganization(organization_id, async (tx) => {
      const client = await findClient(tx, organization_id, id);
      if (!client) throw invalidClient();
      await recordUse(tx, key_id, this.clock.now());
      return work(tx, client);
    });
  }

  private async byAssertion<T>(
    { clientId, assertion }: ClientAssertion,
    work: (tx: Transaction, client: AuthenticatedClient) => Promise<T>,
  ): Promise<T> {
    const [known] = isClientId(clientId)
      ? await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
          SELECT * FROM resolve_client_id(${clientId})`
      : [];
    const { organization_id, id } = known ?? NOBODY;
    return this.database.withOrganization(organization_id, async (tx) => {
      const client = await findClient(tx, organization_id, id);
      const { audiences } = this;
      const now = this.clock.now();
      const { jti, kid, expiresAt } = await verifyAssertion(assertion, {
        clientId,
        jwks: client?.jwks,
        audiences,
        now,
      });
      if (!client) throw invalidClient();
      const token = { organizationId: organization_id, purpose: 'client-assertion', of: id, token: jti };
      if (!(await spend(tx, token, expiresAt))) throw invalidClient();
      return work(tx, { ...client, kid });
    });
  }

  private async resolveSecret({ clientId, clientSecret }: ClientCredentials): Promise<ResolvedSecret> {
    const presented = sha256(clientSecret);
    const rows = isClientId(clientId)
      ? await this.database.outside.$queryRaw<
          ResolvedSecret[]
        >`SELECT * FROM resolve_oauth_client(${clientId})`
      : [];
    // An unknown client costs a comparison too.
    const candidates = rows.length > 0 ? rows : [{ secret_hash: new Uint8Array(32) } as ResolvedSecret];
    const match = candidates.filter(({ secret_hash }) => timingSafeEqual(secret_hash, presented))[0];
    if (!match?.id) throw invalidClient();
    return match;
  }
}

const isClientId = (value: string): boolean => /^[\x21-\x7e]{1,128}$/.test(value);

async function findClient(
  tx: Transaction,
  organizationId: string,
  id: string,
): Promise<(AuthenticatedClient & { jwks: unknown }) | undefined> {
  const row = await tx.oauthClient.findFirst({ where: { organizationId, id, disabledAt: null } });
  if (!row) return undefined;
  const { clientId, name, scopes, tokenLifetime, jwks } = row;
  return { organizationId, id, clientId, name, scopes: scopes.filter(isScope), tokenLifetime, jwks };
}

const recordUse = (tx: Transaction, id: string, now: Date) => {
  const stale = new Date(now.getTime() - LAST_USE_RESOLUTION_MS);
  return tx.clientKey.updateMany({
    where: { id, OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: stale } }] },
    data: { lastUsedAt: now },
  });
};
