import { Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { addressKey } from '../../platform/http/address-key.js';
import { AuditService } from '../audit/audit.service.js';
import { identityUnknown } from './auth.errors.js';
import { type Door, TERMS } from './door.js';
import { FailureLimiter } from './failure-limiter.js';
import { findByIdentity } from './identity-provider.rows.js';
import type { FinishLink, OidcStarted, StartLink } from './oidc.schemas.js';
import { OidcFlows, type Proven } from './oidc-flows.service.js';
import {
  type SessionLink,
  SessionsService,
  USER_TOKEN_LIFETIME_SECONDS,
  type UserTokens,
} from './sessions.service.js';

/** Sign-in of staff with an identity provider of their organization. */
@Injectable()
export class OidcSignInService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly flows: OidcFlows,
    private readonly sessions: SessionsService,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found (organization or provider), validation_error, provider_unavailable */
  start({ named: organizationId }: Door, input: StartLink): Promise<OidcStarted> {
    return this.flows.begin({ organizationId }, input);
  }

  /** @throws invalid_flow, validation_error, identity_refused, identity_unknown, provider_unavailable, rate_limited */
  async finish(door: Door, input: FinishLink, request: RequestInfo): Promise<UserTokens> {
    const link = await this.limiter.count([addressKey(request.ip)], async () => {
      const proven = await this.flows.complete({ organizationId: door.named }, input);
      return this.begin(door, proven, request);
    });
    return this.sessions.tokensOf(link);
  }

  /** An identity is who somebody is at an issuer; an e-mail address there says nothing. */
  private begin(door: Door, { provider, subject }: Proven, request: RequestInfo): Promise<SessionLink> {
    const { organizationId, kind } = door;
    const { id: providerId, issuer } = provider;
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      const userId = await findByIdentity(tx, organizationId, { issuer, subject });
      if (userId === undefined) throw identityUnknown();
      const link = await this.sessions.begin(tx, door, { userId, providerId }, this.clock.now());
      await this.audit.record(tx, {
        organizationId,
        actor: { kind: 'user', id: userId, label: '' },
        action: 'sign-in:finish-oidc',
        outcome: 'success',
        resource: { type: 'Session', id: link.session.id },
        scopes: TERMS[kind].scopes,
        origin: request,
        detail: { provider: providerId, jti: link.jti, lifetime: USER_TOKEN_LIFETIME_SECONDS },
      });
      return link;
    });
  }
}
