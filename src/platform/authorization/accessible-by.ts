import { accessibleBy as conditionsOf } from '@casl/prisma/runtime';
import type { AppAbility } from './ability.js';
import { operationNamed } from './operations.js';
import type { Caller } from './principal.js';

type Conditions = ReturnType<typeof conditionsOf<AppAbility>>;
type Subject = Parameters<Conditions['ofType']>[0];

/** No row: what Prisma finds by it is nothing, wherever in a filter it stands. */
const NONE = { id: { in: [] } };

/**
 * Conditions on the rows a caller may perform an operation on, by role AND by scope: the route has asked for the scope of
 * its own operation only, and a service may look at rows of another. For who may perform it on none at all CASL says
 * `{ OR: [] }`, which Prisma takes for no row where it stands alone and for NO CONDITION within `AND`, where all of ours
 * stand. Hence this, and a lint rule against the other.
 */
export const accessibleBy = (
  { ability, scopes }: Pick<Caller, 'ability' | 'scopes'>,
  operation: string,
): Pick<Conditions, 'ofType'> => ({
  ofType: <T extends Subject>(subject: T) => {
    const { scope } = operationNamed(operation);
    const may = (!scope || scopes.includes(scope)) && ability.can(operation, subject);
    return may ? conditionsOf(ability, operation).ofType(subject) : (NONE as never);
  },
});
