import { allOperations } from '../../platform/authorization/operations.js';
import { SCOPES } from '../../platform/authorization/scopes.js';
import { subjectNamed } from '../../platform/authorization/subjects.js';
import { BUILT_IN_ROLES } from './built-in-roles.js';
import type { Catalogue } from './catalogue.schemas.js';

/** What the rules of an organization's roles can be made of. Operations across organizations are nobody's to grant. */
export function catalogue(): Catalogue {
  const operations = allOperations().filter(({ platform }) => !platform);
  const subjects = [...new Set(operations.map(({ subject }) => subject))].sort();
  return {
    operations: operations
      .map(({ name, subject, scope = null }) => ({ name, subject, scope }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    subjects: subjects.map((name) => {
      const { conditions = {}, within = {} } = subjectNamed(name);
      return { name, conditions, limits: Object.keys(within) };
    }),
    scopes: [...SCOPES],
    built_in_roles: Object.entries(BUILT_IN_ROLES).map(([name, rules]) => ({ name, rules })),
  };
}
