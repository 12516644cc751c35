import { isDeepStrictEqual } from 'node:util';
import { type GrantedRule, operationsOf, type RoleRule } from '../../platform/authorization/ability.js';
import type { Caller } from '../../platform/authorization/principal.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { grantExceeded } from './access.errors.js';
import { type Holder, rightsOf, rolesByIssuer, toRights } from './rights.rows.js';
import { standingOf } from './standing.js';

/**
 * Nobody grants what they do not hold. What a caller holds is read in the transaction of the change, not taken from what
 * was believed when the request came in; of it counts what the caller's token has the scopes for. To be called under the
 * lock of {@link AccessChanges}.
 * @throws grant_exceeded
 */
export async function assertHolds(tx: SqlTransaction, caller: Caller, granted: GrantedRule[]): Promise<void> {
  if (granted.length === 0) return;
  const { rules, scopes } = await heldBy(tx, caller);
  const missing = firstNotHeld(rules, scopes, granted);
  if (missing !== undefined) throw grantExceeded(missing);
}

/** Nothing of who may no longer come in: another process may believe for half a second that they may. */
async function heldBy(
  tx: SqlTransaction,
  { principal, scopes }: Caller,
): Promise<{ rules: GrantedRule[]; scopes: readonly string[] }> {
  const { kind, id, organizationId } = principal;
  const standing = kind === 'share_link' ? undefined : await standingOf(tx, organizationId, { kind, id });
  if (!standing || standing.excluded) return { rules: [], scopes: [] };
  return {
    rules: toRights(await standing.roles()).map(({ rule }) => rule),
    scopes: scopes.filter((scope) => standing.scopes.includes(scope)),
  };
}

/**
 * Whoever can come in as somebody, by a new secret of theirs for example, has their rights: it takes all of them.
 * @throws grant_exceeded
 */
export async function assertHoldsRightsOf(tx: SqlTransaction, caller: Caller, holder: Holder): Promise<void> {
  const rights = await rightsOf(tx, caller.principal.organizationId, holder);
  await assertHolds(
    tx,
    caller,
    rights.map(({ rule }) => rule),
  );
}

/**
 * Whoever says where an identity provider's answers go can come in as anybody who is known by an identity at its issuer: it
 * takes the rights of them all.
 * @throws grant_exceeded
 */
export async function assertHoldsRightsByIssuer(
  tx: SqlTransaction,
  caller: Caller,
  issuer: string,
): Promise<void> {
  const roles = await rolesByIssuer(tx, caller.principal.organizationId, issuer);
  await assertHolds(
    tx,
    caller,
    toRights(roles).map(({ rule }) => rule),
  );
}

/** A credential is for no more than the caller's own is. @throws grant_exceeded */
export function assertHoldsScopes({ scopes }: Pick<Caller, 'scopes'>, granted: readonly string[]): void {
  const missing = granted.find((scope) => !(scopes as readonly string[]).includes(scope));
  if (missing !== undefined) throw grantExceeded(`the scope ${missing}`);
}

/** The first of what is granted that is not held, in words. */
export function firstNotHeld(
  held: GrantedRule[],
  scopes: readonly string[],
  granted: GrantedRule[],
): string | undefined {
  for (const rule of granted) {
    for (const atom of atomsOf(rule))
      if (!held.some((own) => contains(own, atom)))
        return `${atom.operations[0]!} on ${atom.subject}${atom.conditions || atom.limit ? ' under these conditions' : ''}`;
    const lacking = operationsOf(rule).find(({ scope }) => scope && !scopes.includes(scope));
    if (lacking) return `${lacking.name} without the scope ${lacking.scope}`;
  }
  return undefined;
}

/** A rule for each of its operations: those of one rule may be held by several. A named one has one subject, whatever the rule says. */
function atomsOf(rule: GrantedRule): GrantedRule[] {
  if (rule.operations.includes('*')) return [{ ...rule, operations: ['*'] }];
  return operationsOf(rule).map(({ name, subject }) => ({ ...rule, operations: [name], subject }));
}

/** Literally: conditions are compared, never reasoned about. */
const contains = (
  held: GrantedRule,
  { operations: [name], subject, conditions, limit }: GrantedRule,
): boolean =>
  (held.operations.includes('*') || held.operations.includes(name!)) &&
  (held.subject === '*' || held.subject === subject) &&
  (!held.conditions || isDeepStrictEqual(held.conditions, conditions)) &&
  (!held.limit || isDeepStrictEqual(held.limit, limit));

/** Of a role's new rules, those it did not have: whoever edits a role gives those, and no others. */
export const addedRules = (before: RoleRule[], after: RoleRule[]): RoleRule[] =>
  after.filter((rule) => !before.some((known) => isDeepStrictEqual(known, rule)));

/**
 * Whoever gets a credential of somebody, or lets one work again, can do all they can: by role, and by scope.
 * @throws grant_exceeded
 */
export async function assertMayStandInFor(
  tx: SqlTransaction,
  caller: Caller,
  holder: Holder,
  scopes: readonly string[],
): Promise<void> {
  assertHoldsScopes(caller, scopes);
  await assertHoldsRightsOf(tx, caller, holder);
}
