import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import {
  type AppAbility,
  compileAbility,
  fillPlaceholders,
  operationsOf,
} from '../../platform/authorization/ability.js';
import type { Operation } from '../../platform/authorization/operations.js';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Scope } from '../../platform/authorization/scopes.js';
import { subjectNamed } from '../../platform/authorization/subjects.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { tellConditions } from './explain.conditions.js';
import type { Explanation } from './explain.schemas.js';
import { groupPathsOf } from './group-paths.rows.js';
import type { Exclusion } from './principal.rows.js';
import { type Asked, findResource, meets, type ResourceRow } from './resource.rows.js';
import type { Right } from './rights.rows.js';
import type { Comer } from './standing.js';
import { messageOf } from './verdict.messages.js';

/** All that is known of whether somebody may do something. */
interface Matter {
  tx: Transaction;
  operation: Operation;
  principal: Comer & { organizationId: string };
  excluded: Exclusion | undefined;
  /** Its routes take no credential that such a principal has. */
  closedTo: boolean;
  rights: Right[];
  held: readonly Scope[];
  /** Absent: whether there can be any row. */
  row: Asked | undefined;
}

interface Verdict {
  reason: Explanation['reason'];
  /** By which right, or for want of what in the one that came nearest. */
  right?: Right | undefined;
  resource?: ResourceRow;
}

/**
 * Decides as enforcement does, in its order: who comes in, the scope, any row at all (the guard), this row (the service,
 * by `accessibleBy`). Rules are looked at one by one only to say which of them it was.
 */
export async function judge(matter: Matter): Promise<Explanation> {
  const verdict = beforeRows(matter) ?? (await onRow(matter, matter.row!));
  const { operation, held } = matter;
  const { reason, right, resource } = verdict;
  return {
    allowed: reason === 'allowed',
    reason,
    message: messageOf(reason, operation, right, matter.row !== undefined),
    ...(right && (await described(matter, right, resource))),
    scopes: { needed: operation.scope ?? null, held: [...held] },
  };
}

/** Nothing: the row decides. */
function beforeRows(matter: Matter): Verdict | undefined {
  const { operation, excluded, closedTo, principal, rights, held, row } = matter;
  if (excluded) return { reason: excluded };
  if (closedTo) return { reason: 'portal_only' };
  if (operation.platform && principal.organizationId !== PLATFORM_ORGANIZATION)
    return { reason: 'platform_only' };
  if (operation.scope && !held.includes(operation.scope)) return { reason: 'scope_missing' };
  const naming = namedBy(rights, operation);
  if (!allOf(matter).can(operation.name, operation.subject)) return refusedOnAll(naming[0]);
  if (row) return undefined;
  return { reason: 'allowed', right: naming.find((right) => canByItself(right, matter)) };
}

/** @param naming a right that names the operation, and allows it on no row */
const refusedOnAll = (naming: Right | undefined): Verdict =>
  naming
    ? { reason: naming.rule.limit ? 'limited_to_another_resource' : 'conditions_not_met', right: naming }
    : { reason: 'no_rule' };

async function onRow(matter: Matter, row: Asked): Promise<Verdict> {
  const { tx, operation, rights } = matter;
  const resource = await findResource(tx, operation.subject, row);
  if (!resource) return { reason: 'resource_unknown' };
  const naming = namedBy(rights, operation);
  if (!(await reaches(matter, allOf(matter), row))) return { ...nearest(naming, matter, resource), resource };
  for (const right of naming)
    if (await reaches(matter, byItself(right, matter), row)) return { reason: 'allowed', right, resource };
  return { reason: 'allowed', resource }; // not reached: what all rules allow, one of them does
}

/** Whether the row is one that a service finds for who has the ability and the scopes. */
const reaches = (
  { tx, operation: { name, subject }, held: scopes }: Matter,
  ability: AppAbility,
  row: Asked,
): Promise<boolean> => meets(tx, row, accessibleBy({ ability, scopes }, name).ofType(subject as never));

/** Of the rights none of which allows it, the one of whose conditions the row misses least. */
function nearest(naming: Right[], matter: Matter, resource: ResourceRow): Verdict {
  const missed = (right: Right): number =>
    conditionsOf(right, matter, resource).filter(({ matches }) => matches !== true).length;
  const [right] = naming.toSorted((a, b) => missed(a) - missed(b));
  // Where every condition is met, it is the binding's limit that is not.
  return { reason: missed(right!) === 0 ? 'limited_to_another_resource' : 'conditions_not_met', right };
}

const namedBy = (rights: Right[], operation: Operation): Right[] =>
  rights.filter(({ rule }) => operationsOf(rule).includes(operation));

const allOf = ({ rights, principal }: Matter): AppAbility =>
  compileAbility(
    rights.map(({ rule }) => rule),
    principal,
  );
const byItself = ({ rule }: Right, { principal }: Matter): AppAbility => compileAbility([rule], principal);
const canByItself = (right: Right, matter: Matter): boolean =>
  byItself(right, matter).can(matter.operation.name, matter.operation.subject);

/** What a right asks of rows, and what this one has. */
const conditionsOf = (
  { rule }: Right,
  { operation, principal }: Matter,
  resource?: ResourceRow,
): NonNullable<Explanation['conditions']> =>
  tellConditions(
    fillPlaceholders(rule.conditions ?? {}, principal),
    subjectNamed(operation.subject).conditions ?? {},
    resource,
  );

async function described(
  matter: Matter,
  right: Right,
  resource: ResourceRow | undefined,
): Promise<Pick<Explanation, 'rule' | 'role' | 'binding' | 'conditions'>> {
  const { rule, role, binding } = right;
  const { operations, subject, conditions, limit } = rule;
  return {
    rule: { operations, subject, ...(conditions && { conditions }) },
    role: { id: role.id, name: role.name, built_in: role.builtIn },
    ...(binding && {
      binding: {
        id: binding.id,
        group_ids: await groupsOf(matter, binding),
        ...(limit && { resource: limit }),
      },
    }),
    ...(conditions && { conditions: conditionsOf(right, matter, resource) }),
  };
}

async function groupsOf(
  { tx, principal }: Matter,
  { groupId }: NonNullable<Right['binding']>,
): Promise<string[]> {
  if (groupId === null) return [];
  const paths = await groupPathsOf(tx, principal.organizationId, principal);
  return paths.get(groupId) ?? [groupId];
}
