import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { invalidFlow } from './auth.errors.js';
import { findProvider, type Provider } from './identity-provider.rows.js';
import type { FinishLink, OidcStarted, StartLink } from './oidc.schemas.js';
import { OidcClient } from './oidc-client.js';
import { FLOW_LIFETIME_MS, openFlow, sealFlow, type SignInFlow } from './sign-in-flow.js';
import { spend } from './spent-token.rows.js';

/** Whose way to the provider it is. `userId`: somebody who is signed in and links an identity. */
export interface Traveller {
  organizationId: string;
  userId?: string;
}

/** Somebody a provider has vouched for. */
export interface Proven {
  provider: Provider;
  subject: string;
}

/**
 * The way to an identity provider and back. What has to be remembered of it stays with the app that began it: whoever is
 * lured to another's authorization URL comes back in a browser that holds no flow, and the other never sees the code.
 */
@Injectable()
export class OidcFlows {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly client: OidcClient,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found (the provider), validation_error, provider_unavailable */
  async begin(
    { organizationId, userId }: Traveller,
    { provider_id, redirect_uri }: StartLink,
  ): Promise<OidcStarted> {
    const provider = await this.providerOf(organizationId, provider_id);
    if (!provider) throw notFound();
    if (!provider.redirectUris.includes(redirect_uri))
      throw validationError([{ path: 'redirect_uri', message: 'is none of the provider’s' }]);
    const checks = this.client.newChecks();
    const flow = sealFlow(this.config.SCANDOCK_MASTER_KEY, organizationId, {
      providerId: provider.id,
      redirectUri: redirect_uri,
      ...checks,
      expiresAt: this.clock.now().getTime() + FLOW_LIFETIME_MS,
      ...(userId !== undefined && { userId }),
    });
    return { authorization_url: await this.client.authorizationUrl(provider, redirect_uri, checks), flow };
  }

  /**
   * A flow is spent before the provider is asked, whatever it answers.
   * @throws invalid_flow, validation_error, identity_refused, provider_unavailable
   */
  async complete(
    { organizationId, userId }: Traveller,
    { flow: sealed, callback_url }: FinishLink,
  ): Promise<Proven> {
    const flow = openFlow(this.config.SCANDOCK_MASTER_KEY, organizationId, sealed);
    if (!flow || flow.userId !== userId) throw invalidFlow();
    const callback = new URL(callback_url);
    if (withoutParameters(callback) !== flow.redirectUri)
      throw validationError([{ path: 'callback_url', message: 'is not at the redirect_uri of this flow' }]);
    const provider = await this.providerOf(organizationId, flow.providerId);
    if (!provider?.redirectUris.includes(flow.redirectUri)) throw invalidFlow();
    if (!(await this.isFirst(organizationId, flow))) throw invalidFlow();
    return { provider, subject: await this.client.subjectOf(provider, callback.href, flow) };
  }

  private providerOf(organizationId: string, id: string): Promise<Provider | undefined> {
    return this.database.withOrganizationSql(organizationId, (tx) => findProvider(tx, organizationId, id));
  }

  /** Also that it is in time. */
  private async isFirst(
    organizationId: string,
    { providerId, state, expiresAt }: SignInFlow,
  ): Promise<boolean> {
    if (expiresAt <= this.clock.now().getTime()) return false;
    const token = { organizationId, purpose: 'sign-in-flow', of: providerId, token: state };
    return this.database.withOrganizationSql(organizationId, (tx) => spend(tx, token, new Date(expiresAt)));
  }
}

const withoutParameters = ({ origin, pathname }: URL): string => origin + pathname;
