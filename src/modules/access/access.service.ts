import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type AppAbility, compileAbility, roleRuleSchema } from '../../platform/authorization/ability.js';
import type { Credential, Principal } from '../../platform/authorization/principal.js';
import { isScope, type Scope } from '../../platform/authorization/scopes.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { invalidToken } from '../auth/auth.errors.js';

/** What a principal may do, as the database says now. */
export interface Grants {
  principal: Principal;
  ability: AppAbility;
  scopes: readonly Scope[];
}

/** How long grants are believed, in milliseconds: a change of roles is in force in every process within a second. */
const BELIEF_MS = 500;
const MAX_REMEMBERED = 10_000;

const rulesSchema = z.array(roleRuleSchema);
const withRules = { bindings: { include: { role: true } }, organization: true } as const;

/** From a valid credential to what it may do. */
@Injectable()
export class AccessService {
  private readonly remembered = new LRUCache<string, Promise<Grants>>({
    max: MAX_REMEMBERED,
    ttl: BELIEF_MS,
  });

  constructor(private readonly database: DatabaseService) {}

  /** @throws invalid_token when principal or organization is disabled, revoked or gone. */
  async grantsOf(credential: Credential): Promise<Grants> {
    const key = `${credential.kind} ${credential.principalId} ${credential.organizationId}`;
    let grants = this.remembered.get(key);
    if (!grants) {
      grants = this.load(credential);
      this.remembered.set(key, grants);
      grants.catch(() => this.remembered.delete(key));
    }
    const { scopes, ...rest } = await grants;
    return { ...rest, scopes: credential.scopes.filter((scope) => scopes.includes(scope)) };
  }

  private load(credential: Credential): Promise<Grants> {
    const { kind, principalId: id, organizationId } = credential;
    return this.database.withOrganization(organizationId, async (tx) => {
      const row = kind === 'client' ? await findClient(tx, id) : await findApiKey(tx, id);
      if (!row || row.organization.disabledAt) throw invalidToken();
      const principal: Principal = { kind, id, organizationId, label: row.name };
      const rules = row.bindings.flatMap(({ role }) => rulesSchema.parse(role.rules));
      return { principal, ability: compileAbility(rules, principal), scopes: row.scopes.filter(isScope) };
    });
  }
}

const findClient = (tx: Transaction, id: string) =>
  tx.oauthClient.findFirst({ where: { id, disabledAt: null }, include: withRules });

const findApiKey = (tx: Transaction, id: string) =>
  tx.apiKey.findFirst({ where: { id, revokedAt: null }, include: withRules });
