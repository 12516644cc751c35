import type { Ability, ForcedSubject, RawRuleOf } from '@casl/ability';
import { createPrismaAbility, type PrismaQueryOf } from '@casl/prisma/runtime';
import { z } from 'zod';
import type { Prisma } from '../../generated/prisma/client.js';
import { allOperations, type SubjectName } from './operations.js';

export type AppAbility = Ability<
  [string, SubjectName | 'all' | ForcedSubject<SubjectName>],
  PrismaQueryOf<Prisma.TypeMap>
>;

/** One rule of a role as it is stored. `*` stands for every operation, or every subject. */
export const roleRuleSchema = z.strictObject({
  operations: z.array(z.string()).min(1),
  subject: z.string(),
  conditions: z.record(z.string(), z.unknown()).optional(),
});
export type RoleRule = z.infer<typeof roleRuleSchema>;

/**
 * The rules of a principal's roles as one ability. Operations no policy defines are left out: a rule can only grant
 * what exists. Conditions may use `${principal.id}`.
 */
export function compileAbility(rules: RoleRule[], principal: { id: string }): AppAbility {
  const granted = rules.flatMap((rule) =>
    allOperations()
      .filter(({ name }) => rule.operations.includes('*') || rule.operations.includes(name))
      .filter(({ subject }) => rule.subject === '*' || rule.subject === subject)
      .map(({ name, subject }) => ({
        action: name,
        subject,
        ...(rule.conditions && { conditions: fillPlaceholders(rule.conditions, principal) }),
      })),
  );
  return createPrismaAbility<AppAbility>(granted as RawRuleOf<AppAbility>[]);
}

function fillPlaceholders<T>(value: T, principal: { id: string }): T {
  if (typeof value === 'string') return (value === '${principal.id}' ? principal.id : value) as T;
  if (Array.isArray(value)) return value.map((item) => fillPlaceholders(item as unknown, principal)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillPlaceholders(item, principal)]),
  ) as T;
}
