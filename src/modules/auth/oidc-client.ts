import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import * as oidc from 'openid-client';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { unseal } from '../../platform/crypto/master-key.js';
import { GuardedFetch } from '../../platform/outbound/guarded-fetch.js';
import { identityRefused, providerUnavailable } from './auth.errors.js';
import { type Provider, secretContext } from './identity-provider.rows.js';
import { failureOf } from './oidc-failure.js';
import { isLoopback, isProviderUrl } from './provider-url.js';

/** What a provider says of itself is asked for again after so long, and after a failure after so long, in milliseconds. */
const KNOWN_MS = 5 * 60_000;
const FAILED_MS = 5_000;
const MAX_KNOWN = 500;
const TIMEOUT_SECONDS = 10;
/** Metadata, keys and tokens: none is larger, in bytes. */
const MAX_BYTES = 128 * 1024;

/** What binds the way there to the way back. */
export interface Checks {
  state: string;
  nonce: string;
  verifier: string;
}

/** Asks identity providers (OpenID Connect Core, code flow with PKCE), through the guarded fetcher alone. */
@Injectable()
export class OidcClient {
  /** By provider and version: a change of it is another. */
  private readonly known = new LRUCache<string, Promise<oidc.Configuration>>({
    max: MAX_KNOWN,
    ttl: KNOWN_MS,
  });

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly outbound: GuardedFetch,
  ) {}

  newChecks(): Checks {
    return { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
  }

  /** Where to send the browser. @throws provider_unavailable */
  async authorizationUrl(provider: Provider, redirectUri: string, checks: Checks): Promise<string> {
    const configuration = await this.configurationOf(provider);
    const { state, nonce, verifier } = checks;
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: 'openid',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return url.href;
  }

  /**
   * Who came back (`sub`): state, `iss` (RFC 9207), code, verifier, and the ID token's signature, issuer, audience, times
   * and nonce are checked.
   * @throws identity_refused, provider_unavailable
   */
  async subjectOf(
    provider: Provider,
    callbackUrl: string,
    { state, nonce, verifier }: Checks,
  ): Promise<string> {
    const configuration = await this.configurationOf(provider);
    const tokens = await oidc
      .authorizationCodeGrant(configuration, new URL(callbackUrl), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      .catch((error: unknown) => {
        throw failureOf(error);
      });
    const claims = tokens.claims();
    // openid-client lets some providers speak for many issuers; ours are one each.
    if (!claims || !isSame(claims.iss, provider.issuer)) throw identityRefused();
    return claims.sub;
  }

  private configurationOf(provider: Provider): Promise<oidc.Configuration> {
    const key = `${provider.id} ${provider.version}`;
    const known = this.known.get(key);
    if (known) return known;
    const found = this.discover(provider);
    this.known.set(key, found);
    found.catch(() => this.known.set(key, found, { ttl: FAILED_MS }));
    return found;
  }

  /** OpenID Connect Discovery. @throws provider_unavailable */
  private async discover(provider: Provider): Promise<oidc.Configuration> {
    const issuer = new URL(provider.issuer);
    const { NODE_ENV } = this.config;
    const insecure = NODE_ENV !== 'production' && isLoopback(issuer);
    const execute = [oidc.enableNonRepudiationChecks, ...(insecure ? [oidc.allowInsecureRequests] : [])];
    const options = { [oidc.customFetch]: this.fetch, timeout: TIMEOUT_SECONDS, execute };
    try {
      const discovered = await oidc.discovery(issuer, provider.clientId, undefined, oidc.None(), options);
      const metadata = discovered.serverMetadata();
      const { authorization_endpoint: page } = metadata;
      // A browser is sent there: it must be a page, and not a script.
      if (!isSame(metadata.issuer, provider.issuer) || !page || !isProviderUrl(new URL(page), NODE_ENV))
        throw new Error('The metadata of the identity provider cannot be used.');
      const configuration = new oidc.Configuration(
        metadata,
        provider.clientId,
        undefined,
        this.authentication(provider, metadata.token_endpoint_auth_methods_supported),
      );
      configuration[oidc.customFetch] = this.fetch;
      configuration.timeout = TIMEOUT_SECONDS;
      for (const extend of execute) extend(configuration);
      return configuration;
    } catch (error) {
      throw providerUnavailable(error);
    }
  }

  /** By Basic unless the provider takes it in the body only (OpenID Connect Core, section 9). */
  private authentication({ id, sealedSecret }: Provider, methods: string[] | undefined): oidc.ClientAuth {
    if (!sealedSecret) return oidc.None();
    const secret = unseal(this.config.SCANDOCK_MASTER_KEY, secretContext(id), sealedSecret).toString('utf8');
    const inBody = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic');
    return inBody ? oidc.ClientSecretPost(secret) : oidc.ClientSecretBasic(secret);
  }

  private readonly fetch: oidc.CustomFetch = (url, { method, headers, body, signal }) =>
    this.outbound.fetch(url, {
      method,
      headers,
      maxBytes: MAX_BYTES,
      ...(body instanceof URLSearchParams && { body }),
      ...(signal && { signal }),
    });
}

const isSame = (one: string, other: string): boolean => new URL(one).href === new URL(other).href;
