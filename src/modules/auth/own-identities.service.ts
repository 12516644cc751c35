import { Injectable } from '@nestjs/common';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import { identityTaken, staffOnly } from './auth.errors.js';
import { insertIdentity, isStaff } from './identity-provider.rows.js';
import type { FinishLink, IdentityLinked, OidcStarted, StartLink } from './oidc.schemas.js';
import { OidcFlows, type Traveller } from './oidc-flows.service.js';

/** How somebody of staff who came in by a code makes their account at an identity provider the way in. */
@Injectable()
export class OwnIdentitiesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly flows: OidcFlows,
    private readonly clock: Clock,
  ) {}

  /** @throws forbidden, not_found (the provider), validation_error, provider_unavailable */
  async start(caller: Caller, input: StartLink): Promise<OidcStarted> {
    return this.flows.begin(await this.travellerOf(caller), input);
  }

  /**
   * A flow links to whoever began it, and to nobody else.
   * @throws forbidden, invalid_flow, validation_error, identity_refused, already_exists, provider_unavailable
   */
  async finish(caller: Caller, input: FinishLink): Promise<IdentityLinked> {
    const traveller = await this.travellerOf(caller);
    const { organizationId, userId } = traveller;
    const { provider, subject } = await this.flows.complete(traveller, input);
    await caller.confirm?.(); // the provider took its time
    const [id, createdAt] = [newId(), this.clock.now()];
    await this.database.withOrganizationSql(organizationId, async (tx) => {
      const { issuer } = provider;
      if (!(await insertIdentity(tx, organizationId, { id, userId, issuer, subject, createdAt })))
        throw identityTaken();
      await this.audit.record(
        tx,
        actedBy<'sign-in:link-identity'>(caller, {
          action: 'sign-in:link-identity',
          resource: { type: 'Session' },
          detail: { identity: id, provider: provider.id },
        }),
      );
    });
    return { id, provider_id: provider.id, created_at: createdAt.toISOString() };
  }

  /** Clients and API keys have no account anywhere, and patients have another door. */
  private async travellerOf({ principal }: Caller): Promise<Required<Traveller>> {
    const { kind, id: userId, organizationId } = principal;
    const ofStaff =
      kind === 'user' &&
      (await this.database.withOrganizationSql(organizationId, (tx) => isStaff(tx, organizationId, userId)));
    if (!ofStaff) throw staffOnly();
    return { organizationId, userId };
  }
}
