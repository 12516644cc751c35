import type { Operation } from '../../platform/authorization/operations.js';
import type { Explanation } from './explain.schemas.js';
import type { Right } from './rights.rows.js';

/** A verdict in words: names of ours, and what an administrator called the role; nothing of the row. */
export function messageOf(
  reason: Explanation['reason'],
  { name, scope, subject, creates, unconditional }: Operation,
  right: Right | undefined,
  ofRow: boolean,
): string {
  const limit = right?.rule.limit;
  switch (reason) {
    case 'allowed':
      return `The role ${right?.role.name} allows ${name}${ofRow ? ' on this row' : whereTo(right)}.`;
    case 'organization_disabled':
      return 'The organization is disabled: nobody of it may come in.';
    case 'principal_disabled':
      return 'The principal is disabled or revoked, and may not come in.';
    case 'portal_only':
      return `${name} is for patients who signed in at a portal; others are refused there, whatever their roles.`;
    case 'platform_only':
      return `${name} is for principals of the platform’s own organization, whatever their roles elsewhere.`;
    case 'scope_missing':
      return `${name} needs the scope ${scope}.`;
    case 'no_rule':
      return `No role of the principal allows ${name}.`;
    case 'limited_to_another_resource':
      return creates || !ofRow
        ? `Roles allow ${name} by bindings that are limited to a resource, ${creates ? 'and what is made new belongs to none' : `and no ${subject} belongs to such a one`}.`
        : `The role ${right?.role.name} allows ${name} by a binding that is limited to one ${limit?.type}, which this row does not belong to.`;
    case 'resource_unknown':
      return `There is no such ${subject} in the organization, or no longer.`;
    case 'conditions_not_met':
      if (unconditional)
        return `Roles allow ${name} under conditions, and only a rule without any grants it.`;
      return `Roles allow ${name}, and this row does not meet the conditions of any; the nearest is told.`;
  }
}

function whereTo(right: Right | undefined): string {
  const asked = [
    right?.rule.conditions && 'meet its conditions',
    right?.rule.limit && `belong to the ${right.rule.limit.type} its binding is limited to`,
  ].filter(Boolean);
  return asked.length > 0 ? ` on rows that ${asked.join(' and ')}` : '';
}
