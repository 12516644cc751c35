import { Injectable } from '@nestjs/common';
import type { Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { newSecret, sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { AuditService } from '../audit/audit.service.js';
import { API_KEY_PREFIX } from '../auth/api-keys.service.js';
import { BUILT_IN_ROLES } from './built-in-roles.js';

interface NewPrincipal {
  organizationId: string;
  name: string;
  role: keyof typeof BUILT_IN_ROLES;
  scopes: readonly Scope[];
}

const OPERATOR = { kind: 'system', id: 'operator' } as const;

/** Makes organizations and their first principals: the operator's commands and the demo; no route leads here. */
@Injectable()
export class OrganizationsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async createOrganization(name: string): Promise<string> {
    const id = newId();
    const createdAt = this.clock.now();
    await this.database.withOrganization(id, async (tx) => {
      await tx.organization.create({ data: { id, name, createdAt } });
      await writeBuiltInRoles(tx, id, createdAt);
      await this.audit.record(tx, {
        organizationId: id,
        actor: OPERATOR,
        action: 'organizations:create',
        outcome: 'success',
        resource: { type: 'Organization', id },
      });
    });
    return id;
  }

  /** The secret is told once and never again. */
  async createClient(given: NewPrincipal): Promise<{ clientId: string; clientSecret: string }> {
    const [id, clientSecret, createdAt] = [newId(), newSecret(), this.clock.now()];
    const clientId = `sdc_${newSecret().slice(0, 22)}`;
    await this.database.withOrganization(given.organizationId, async (tx) => {
      const { organizationId, name, scopes } = given;
      await tx.oauthClient.create({
        data: { id, organizationId, clientId, name, scopes: [...scopes], createdAt },
      });
      const secretHash = Uint8Array.from(sha256(clientSecret));
      await tx.clientKey.create({
        data: { id: newId(), organizationId, oauthClientId: id, secretHash, createdAt },
      });
      await this.bind(tx, given, { oauthClientId: id });
      await this.recordCreation(tx, given, 'clients:create', id);
    });
    return { clientId, clientSecret };
  }

  /** The key is told once and never again. */
  async createApiKey(given: NewPrincipal): Promise<string> {
    const [id, key, createdAt] = [newId(), API_KEY_PREFIX + newSecret(), this.clock.now()];
    await this.database.withOrganization(given.organizationId, async (tx) => {
      const { organizationId, name, scopes } = given;
      const keyHash = Uint8Array.from(sha256(key));
      await tx.apiKey.create({ data: { id, organizationId, name, keyHash, scopes: [...scopes], createdAt } });
      await this.bind(tx, given, { apiKeyId: id });
      await this.recordCreation(tx, given, 'api-keys:create', id);
    });
    return key;
  }

  /** What every order of the organization must have, by keyword. Returns false when there is no such organization. */
  async requireMetadata(id: string, keywords: string[]): Promise<boolean> {
    return this.database.withOrganization(id, async (tx) => {
      const { count } = await tx.organization.updateMany({
        where: { id },
        data: { requiredMetadata: keywords },
      });
      if (count > 0)
        await this.audit.record(tx, {
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

  /** Brings the built-in roles of every organization to what this version says. For the migration command. */
  async refreshBuiltInRoles(): Promise<void> {
    const ids = await this.database.outside.$queryRaw<
      { id: string }[]
    >`SELECT organization_ids AS id FROM organization_ids()`;
    for (const { id } of ids)
      await this.database.withOrganization(id, (tx) => writeBuiltInRoles(tx, id, this.clock.now()));
  }

  private async bind(
    tx: Transaction,
    given: NewPrincipal,
    principal: { oauthClientId: string } | { apiKeyId: string },
  ): Promise<void> {
    const { organizationId, role: name } = given;
    const role = await tx.role.findUniqueOrThrow({
      where: { organizationId_name: { organizationId, name } },
    });
    await tx.roleBinding.create({
      data: { id: newId(), organizationId, roleId: role.id, ...principal, createdAt: this.clock.now() },
    });
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

async function writeBuiltInRoles(tx: Transaction, organizationId: string, createdAt: Date): Promise<void> {
  for (const [name, rules] of Object.entries(BUILT_IN_ROLES))
    await tx.role.upsert({
      where: { organizationId_name: { organizationId, name } },
      create: { id: newId(), organizationId, name, builtIn: true, rules: rules as object[], createdAt },
      update: { rules: rules as object[] },
    });
}
