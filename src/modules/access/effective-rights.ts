import { compileAbility, type Grantee } from '../../platform/authorization/ability.js';
import type { EffectiveRights } from './explain.schemas.js';
import type { Right } from './rights.rows.js';

type Bound = EffectiveRights['bindings'][number];

/**
 * Rights as they take effect, by the binding they come from: operations by name instead of `*`, and without those that a
 * limited binding or an organization that is not the platform's grants to nobody. Conditions are told as the role has them.
 * @param paths by group, the groups that lead to it
 */
export function effectiveRights(
  rights: Right[],
  holder: Grantee,
  paths: ReadonlyMap<string, string[]>,
): Bound[] {
  const bound = new Map<string | null, Bound>();
  for (const right of rights) {
    const id = right.binding?.id ?? null;
    const known = bound.get(id) ?? toBound(right, paths);
    known.rights.push(...inEffect(right, holder));
    bound.set(id, known);
  }
  return [...bound.values()];
}

function toBound({ rule: { limit }, role, binding }: Right, paths: ReadonlyMap<string, string[]>): Bound {
  const groupId = binding?.groupId ?? null;
  return {
    id: binding?.id ?? null,
    role: { id: role.id, name: role.name, built_in: role.builtIn },
    group_ids: groupId === null ? [] : (paths.get(groupId) ?? [groupId]),
    ...(limit && { resource: limit }),
    rights: [],
  };
}

/** What enforcement makes of a rule, subject by subject. */
function inEffect({ rule }: Right, holder: Grantee): Bound['rights'] {
  const bySubject = new Map<string, string[]>();
  for (const { action, subject } of compileAbility([rule], holder).rules)
    bySubject.set(String(subject), [...(bySubject.get(String(subject)) ?? []), String(action)]);
  return [...bySubject].map(([subject, operations]) => ({
    subject,
    operations: operations.sort(),
    ...(rule.conditions && { conditions: rule.conditions }),
  }));
}
