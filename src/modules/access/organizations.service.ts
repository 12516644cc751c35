import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { OPERATOR } from '../audit/audit.actors.js';
import { AuditService } from '../audit/audit.service.js';
import { organizationNotFound } from '../auth/auth.errors.js';
import { PLATFORM_OWNER_ROLE } from './built-in-roles.js';
import { insertApiKey, insertClient, insertSecret } from './credential.rows.js';
import { Ledgers } from './ledgers.js';
import './organizations.events.js';
import { bindBuiltIn, type FirstOwner, insertOrganization, writeBuiltInRoles } from './new-organization.js';

interface NewPrincipal {
  organizationId: string;
  name: string;
  role: string;
  scopes: readonly Scope[];
}

/** What whoever runs the deployment needs to manage its organizations. */
const PLATFORM_SCOPES = ['access:manage', 'audit:read', 'audit:export'] as const;
const PLATFORM_NAME = 'Platform';

/** Makes organizations and their first principals: the operator's commands and the demo; no route leads here. */
@Injectable()
export class OrganizationsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly ledgers: Ledgers,
    private readonly clock: Clock,
  ) {}

  /** @param owner absent, somebody has to make a client that owns it */
  async createOrganization(name: string, owner?: FirstOwner): Promise<string> {
    const [id, createdAt] = [newId(), this.clock.now()];
    await this.database.withOrganization(id, async (tx) => {
      const ownerId = await insertOrganization(tx, { id, name, createdAt, owner });
      await this.ledgers.record<'organizations:create'>(tx, id, {
        organizationId: PLATFORM_ORGANIZATION,
        actor: OPERATOR,
        action: 'organizations:create',
        outcome: 'success',
        resource: { type: 'Organization', id },
        detail: { owner: ownerId ?? null },
      });
    });
    return id;
  }

  /**
   * A client that manages the deployment's organizations; its secret is told once and never again.
   * @throws organization_not_found when the database was not migrated to a version that has the platform's organization
   */
  async createPlatformOwner(name: string): Promise<{ clientId: string; clientSecret: string }> {
    return this.createClient({
      organizationId: PLATFORM_ORGANIZATION,
      name,
      role: PLATFORM_OWNER_ROLE,
      scopes: PLATFORM_SCOPES,
    });
  }

  /** The secret is told once and never again. */
  async createClient(given: NewPrincipal): Promise<{ clientId: string; clientSecret: string }> {
    const { organizationId } = given;
    const createdAt = this.clock.now();
    return this.database.withOrganization(organizationId, async (tx) => {
      await this.assertThere(tx, organizationId);
      const { id, clientId } = await insertClient(tx, given, createdAt);
      const { clientSecret } = await insertSecret(tx, { organizationId, oauthClientId: id }, createdAt);
      await bindBuiltIn(tx, organizationId, given.role, { oauthClientId: id }, createdAt);
      await this.recordCreation(tx, given, 'clients:create', id);
      return { clientId, clientSecret };
    });
  }

  /** The key is told once and never again. */
  async createApiKey(given: NewPrincipal): Promise<string> {
    const { organizationId, name, scopes } = given;
    const createdAt = this.clock.now();
    return this.database.withOrganization(organizationId, async (tx) => {
      const row = { organizationId, name, purpose: 'secret', scopes } as const;
      const { id, key } = await insertApiKey(tx, row, createdAt);
      await bindBuiltIn(tx, organizationId, given.role, { apiKeyId: id }, createdAt);
      await this.recordCreation(tx, given, 'api-keys:create', id);
      return key;
    });
  }

  /**
   * The key of a patients' app: it tells the organization and grants nothing, so it has neither scopes nor roles. Only its
   * hash is kept.
   * @throws organization_not_found
   */
  async createPortalKey({
    organizationId,
    name,
  }: Pick<NewPrincipal, 'organizationId' | 'name'>): Promise<string> {
    return this.database.withOrganization(organizationId, async (tx) => {
      await this.assertThere(tx, organizationId);
      const row = { organizationId, name, purpose: 'portal', scopes: [] } as const;
      const { id, key } = await insertApiKey(tx, row, this.clock.now());
      await this.audit.record(tx, {
        organizationId,
        actor: OPERATOR,
        action: 'api-keys:create',
        outcome: 'success',
        resource: { type: 'ApiKey', id },
        detail: { purpose: 'portal' },
      });
      return key;
    });
  }

  /** What every order of the organization must have, by keyword. Returns false when there is no such organization. */
  async requireMetadata(id: string, keywords: string[]): Promise<boolean> {
    return this.database.withOrganization(id, async (tx) => {
      const { count } = await tx.organization.updateMany({
        where: { id },
        data: { requiredMetadata: keywords, version: { increment: 1 } },
      });
      if (count > 0)
        await this.audit.record<'organizations:require-metadata'>(tx, {
          organizationId: id,
          actor: OPERATOR,
          action: 'organizations:require-metadata',
          outcome: 'success',
          resource: { type: 'Organization', id },
          detail: { attributes: keywords },
        });
      return count > 0;
    });
  }

  /**
   * Brings the built-in roles of every organization to what this version says, the platform's own among them, which is made
   * where there is none. For the migration command.
   */
  async refreshBuiltInRoles(): Promise<void> {
    await this.ensurePlatform();
    const ids = await this.database.outside.$queryRaw<
      { id: string }[]
    >`SELECT organization_ids AS id FROM organization_ids()`;
    for (const { id } of ids)
      await this.database.withOrganization(id, async (tx) => {
        const gone = { organizationId: id, purgeRequestedAt: { not: null } };
        if ((await tx.organizationDeletion.count({ where: gone })) > 0) return; // it stays empty
        const roles = await writeBuiltInRoles(tx, id, this.clock.now());
        if (roles.length > 0)
          await this.audit.record<'roles:refresh'>(tx, {
            organizationId: id,
            actor: OPERATOR,
            action: 'roles:refresh',
            outcome: 'success',
            resource: { type: 'Role' },
            detail: { roles },
          });
      });
  }

  private async ensurePlatform(): Promise<void> {
    const id = PLATFORM_ORGANIZATION;
    await this.database.withOrganization(id, async (tx) => {
      const data = { id, name: PLATFORM_NAME, createdAt: this.clock.now() };
      await tx.organization.createMany({ data, skipDuplicates: true });
    });
  }

  private async assertThere(tx: Transaction, organizationId: string): Promise<void> {
    if ((await tx.organization.count({ where: { id: organizationId } })) === 0) throw organizationNotFound();
  }

  private async recordCreation(
    tx: Transaction,
    given: NewPrincipal,
    action: string,
    id: string,
  ): Promise<void> {
    const { organizationId, role, scopes } = given;
    await this.audit.record(tx, {
      organizationId,
      actor: OPERATOR,
      action,
      outcome: 'success',
      resource: { type: action === 'clients:create' ? 'OauthClient' : 'ApiKey', id },
      detail: { role, scopes: [...scopes] },
    });
  }
}
