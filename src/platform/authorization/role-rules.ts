import { z } from 'zod';
import { operationsOf, type RoleRule, roleRuleSchema } from './ability.js';
import { findOperation, operationsOn, type SubjectName } from './operations.js';
import { type ConditionKind, subjectNamed } from './subjects.js';

const MAX_RULES = 200;
const MAX_OPERATIONS = 200;
/** Operations of all rules of a role together, `*` being each of those it stands for: what it takes to read and compare it. */
const MAX_GRANTS = 2000;

const id = z.uuid();

/**
 * The rules of a custom role: only operations some policy defines, each on its own subject, and of the rows only what the
 * subject says may be asked of them. A rule that could never allow anything is a mistake, and said to be one.
 */
export const customRulesSchema = z
  .array(
    roleRuleSchema
      .extend({ operations: z.array(z.string().max(100)).min(1).max(MAX_OPERATIONS) })
      .check((ctx) => {
        for (const { path, message } of mistakesIn(ctx.value))
          ctx.issues.push({ code: 'custom', input: ctx.value, path, message });
      })
      .transform(({ conditions, ...rule }): RoleRule => ({
        ...rule,
        ...(conditions && { conditions: inLowerCase(conditions) }),
      })),
  )
  .max(MAX_RULES)
  .refine((rules) => rules.reduce((sum, rule) => sum + operationsOf(rule).length, 0) <= MAX_GRANTS, {
    message: `must not come to more than ${MAX_GRANTS} operations`,
  });

interface Mistake {
  path: (string | number)[];
  message: string;
}

function mistakesIn({ operations, subject, conditions }: RoleRule): Mistake[] {
  if (subject !== '*' && operationsOn(subject).length === 0)
    return [{ path: ['subject'], message: 'is not a subject of any operation' }];
  return [
    ...operations.flatMap((name, at) => mistakesInOperation(name, at, subject)),
    ...(conditions ? mistakesInConditions(conditions, subject) : []),
  ];
}

function mistakesInOperation(name: string, at: number, subject: string): Mistake[] {
  if (name === '*') return [];
  const operation = findOperation(name);
  const path = ['operations', at];
  if (!operation || operation.platform) return [{ path, message: 'is not an operation' }];
  if (subject === '*' || operation.subject === subject) return [];
  return [{ path, message: `is an operation on ${operation.subject}` }];
}

function mistakesInConditions(conditions: Record<string, unknown>, subject: string): Mistake[] {
  const allowed = subject === '*' ? undefined : subjectNamed(subject as SubjectName).conditions;
  if (!allowed) return [{ path: ['conditions'], message: `${subject} has no conditions` }];
  if (Object.keys(conditions).length === 0)
    return [{ path: ['conditions'], message: 'must ask for something, or be left out' }];
  return mistakesInColumns(conditions, allowed, ['conditions']);
}

const mistakesInColumns = (
  given: Record<string, unknown>,
  allowed: Record<string, ConditionKind>,
  path: string[],
): Mistake[] =>
  Object.entries(given).flatMap(([column, value]): Mistake[] => {
    const here = [...path, column];
    const kind = Object.hasOwn(allowed, column) ? allowed[column]! : undefined;
    if (kind === undefined)
      return [{ path: here, message: `may not be asked of; only ${Object.keys(allowed).join(', ')}` }];
    if (kind === 'boolean')
      return typeof value === 'boolean' ? [] : [{ path: here, message: 'must be true or false' }];
    if (kind === 'principal')
      return value === '${principal.id}' || id.safeParse(value).success
        ? []
        : [{ path: here, message: 'must be ${principal.id} or an id' }];
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      return [{ path: here, message: 'must be an object' }];
    if (Object.keys(value).length === 0) return [{ path: here, message: 'must ask for something' }];
    return mistakesInColumns(value as Record<string, unknown>, kind, here);
  });

/** Ids as the database writes them: what decides on rows in memory compares letters, as Postgres does not. */
const inLowerCase = (conditions: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(conditions).map(([column, value]) => [
      column,
      typeof value === 'string'
        ? value.toLowerCase()
        : typeof value === 'object'
          ? inLowerCase(value as Record<string, unknown>)
          : value,
    ]),
  );
