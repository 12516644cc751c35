import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type AppAbility, compileAbility } from '../../platform/authorization/ability.js';
import type { Credential, Principal } from '../../platform/authorization/principal.js';
import type { Scope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { invalidToken } from '../auth/auth.errors.js';
import { isRevoked, isSignedIn } from './principal.rows.js';
import { type HeldRole, toRights } from './rights.rows.js';
import { standingOf } from './standing.js';

/** What a principal may do, as the database says now. */
export interface Grants {
  principal: Principal;
  ability: AppAbility;
  scopes: readonly Scope[];
  /** A user who is a patient: the only one a portal is for. */
  isPatient: boolean;
}

/** How long grants are believed, in milliseconds: a change of roles is in force in every process within a second. */
const BELIEF_MS = 500;
const MAX_REMEMBERED = 10_000;
/** Abilities of many rules are large: fewer of them are kept. */
const MAX_COMPILED = 2_000;
/** And of the largest even fewer: what a rule takes in memory is a rough guess, and so is the sum, in bytes. */
const RULE_BYTES = 500;
const MAX_COMPILED_BYTES = 256 * 1024 * 1024;

/** From a valid credential to what it may do. */
@Injectable()
export class AccessService {
  private readonly remembered = new LRUCache<string, Promise<Grants>>({
    max: MAX_REMEMBERED,
    ttl: BELIEF_MS,
  });
  /** By principal and rules to the letter, so that belief is renewed for the price of a query, not of reading and compiling them again. */
  private readonly compiled = new LRUCache<string, AppAbility>({
    max: MAX_COMPILED,
    maxSize: MAX_COMPILED_BYTES,
    sizeCalculation: ({ rules }, key) => key.length + rules.length * RULE_BYTES,
  });

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** @throws invalid_token when principal, organization, session or token is disabled, revoked or gone. */
  async grantsOf(credential: Credential): Promise<Grants> {
    const { kind, principalId, organizationId, sessionId = '', tokenId = '' } = credential;
    const key = [kind, principalId, organizationId, sessionId, tokenId].join(' ');
    let grants = this.remembered.get(key);
    if (!grants) {
      grants = this.load(credential);
      this.remembered.set(key, grants);
      grants.catch(() => this.remembered.delete(key));
    }
    const { scopes, ...rest } = await grants;
    return { ...rest, scopes: credential.scopes.filter((scope) => scopes.includes(scope)) };
  }

  /** What this process believes of an organization is asked again: whoever has changed something sees it at once. */
  forget(organizationId: string): void {
    for (const key of this.remembered.keys()) if (key.includes(organizationId)) this.remembered.delete(key);
  }

  private load(credential: Credential): Promise<Grants> {
    const { kind, principalId: id, organizationId, tokenId } = credential;
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      if (tokenId !== undefined && (await isRevoked(tx, organizationId, tokenId))) throw invalidToken();
      if (kind === 'share_link') throw invalidToken(); // it opens pages, and is no credential of the API
      if (kind === 'user') await this.assertSignedIn(tx, credential);
      const standing = await standingOf(tx, organizationId, { kind, id });
      if (!standing || standing.excluded) throw invalidToken();
      const roles = await standing.roles();
      const principal: Principal = { kind, id, organizationId, label: standing.name };
      const { scopes, isPatient } = standing;
      return { principal, ability: this.compile(roles, principal), scopes, isPatient };
    });
  }

  private async assertSignedIn(
    tx: SqlTransaction,
    { principalId: userId, organizationId, sessionId }: Credential,
  ): Promise<void> {
    if (sessionId === undefined) throw invalidToken();
    const now = this.clock.now();
    if (!(await isSignedIn(tx, organizationId, { userId, sessionId, now }))) throw invalidToken();
  }

  private compile(roles: HeldRole[], principal: Principal): AppAbility {
    const held = roles.map(
      ({ resource_type, resource_id, rules }) => `${resource_type} ${resource_id} ${rules}`,
    );
    const key = [principal.id, principal.organizationId, ...held].join('\n'); // no line breaks in JSON that Postgres writes
    let ability = this.compiled.get(key);
    if (!ability) {
      const rules = toRights(roles).map(({ rule }) => rule);
      ability = compileAbility(rules, principal);
      this.compiled.set(key, ability);
    }
    return ability;
  }
}
