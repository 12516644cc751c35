import type { Ability, ForcedSubject, RawRuleOf } from '@casl/ability';
import { createPrismaAbility, type PrismaQueryOf } from '@casl/prisma/runtime';
import { z } from 'zod';
import type { Prisma } from '../../generated/prisma/client.js';
import {
  allOperations,
  findOperation,
  type Operation,
  operationsOn,
  type SubjectName,
} from './operations.js';
import { PLATFORM_ORGANIZATION } from './platform-organization.js';
import { type ResourceLimit, subjectNamed } from './subjects.js';

export type AppAbility = Ability<
  [string, SubjectName | 'all' | ForcedSubject<SubjectName>],
  PrismaQueryOf<Prisma.TypeMap>
>;

type Conditions = Record<string, unknown>;

/** One rule of a role as it is stored. `*` stands for every operation, or every subject. */
export const roleRuleSchema = z.strictObject({
  operations: z.array(z.string()).min(1),
  subject: z.string(),
  conditions: z.record(z.string(), z.unknown()).optional(),
});
export type RoleRule = z.infer<typeof roleRuleSchema>;

/** A rule as a binding grants it: of the rows it is about, those of one resource only where the binding is limited. */
export interface GrantedRule extends RoleRule {
  limit?: ResourceLimit;
}

/** Whose rules they are. */
export interface Grantee {
  id: string;
  organizationId: string;
}

/**
 * Rules as one ability. Operations no policy defines are left out: a rule can only grant what exists. Conditions may use
 * `${principal.id}`. What many roles grant alike is in it once, or it would grow with every binding.
 */
export function compileAbility(rules: GrantedRule[], principal: Grantee): AppAbility {
  const granted = new Map<string, ReturnType<typeof toRawRule>>();
  for (const rule of rules) {
    const own = rule.conditions && fillPlaceholders(rule.conditions, principal);
    for (const operation of operationsOf(rule)) {
      if (granted.has(operation.name)) continue; // on all rows, hence on these
      if (operation.unconditional && (own ?? rule.limit)) continue;
      const rows = rowsOf(operation, rule.limit, principal);
      if (!rows) continue;
      const raw = toRawRule(operation, [own, rows]);
      granted.set(raw.conditions ? `${raw.action} ${JSON.stringify(raw.conditions)}` : raw.action, raw);
    }
  }
  const needed = [...granted.values()].filter(
    ({ action, conditions }) => !conditions || !granted.has(action),
  );
  return createPrismaAbility<AppAbility>(needed as RawRuleOf<AppAbility>[]);
}

/** The operations a rule names, each on its own subject. */
export function operationsOf({ operations, subject }: RoleRule): Operation[] {
  if (operations.includes('*')) return subject === '*' ? allOperations() : operationsOn(subject);
  return operations
    .map(findOperation)
    .filter((found) => found !== undefined)
    .filter((found) => subject === '*' || found.subject === subject);
}

/** On which rows the principal may perform it at most; nothing where it may not at all. */
function rowsOf(
  { subject, creates, platform }: Operation,
  limit: ResourceLimit | undefined,
  { organizationId }: Grantee,
): Conditions | undefined {
  if (platform && organizationId !== PLATFORM_ORGANIZATION) return undefined;
  if (!limit) return {};
  return creates ? undefined : subjectNamed(subject).within?.[limit.type]?.(limit.id);
}

function toRawRule(
  { name: action, subject }: Operation,
  all: (Conditions | undefined)[],
): { action: string; subject: SubjectName; conditions?: Conditions | undefined } {
  const asked = all.filter((conditions) => conditions !== undefined && Object.keys(conditions).length > 0);
  if (asked.length === 0) return { action, subject };
  return { action, subject, conditions: asked.length === 1 ? asked[0] : { AND: asked } };
}

/** With the principal where a rule says `${principal.id}`. */
export function fillPlaceholders<T>(value: T, principal: Grantee): T {
  if (typeof value === 'string') return (value === '${principal.id}' ? principal.id : value) as T;
  if (Array.isArray(value)) return value.map((item) => fillPlaceholders(item as unknown, principal)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillPlaceholders(item, principal)]),
  ) as T;
}
