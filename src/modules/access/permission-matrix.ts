import { compileAbility, type RoleRule } from '../../platform/authorization/ability.js';
import { allOperations, type Operation } from '../../platform/authorization/operations.js';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Route } from '../../platform/http/route-table.js';
import { BUILT_IN_ROLES } from './built-in-roles.js';

/** `own`: on rows that meet conditions. `platform`: in the platform's own organization only. Empty: not at all. */
export type Mark = 'yes' | 'own' | 'platform' | '';

export interface Permission {
  operation: Operation;
  /** `METHOD path`; none, where it is a right that is read elsewhere. */
  routes: string[];
  /** By built-in role. */
  marks: Record<string, Mark>;
}

/** What the built-in roles may do, of everything that asks for a credential. */
export function permissionsOf(routes: Route[]): Permission[] {
  return allOperations()
    .map((operation) => ({
      operation,
      performing: routes.filter((route) => route.operation.name === operation.name),
    }))
    .filter(({ operation: { subject }, performing }) => subject !== 'System' && !isOpen(performing))
    .map(({ operation, performing }) => ({
      operation,
      routes: performing.map(({ method, path }) => `${method} ${path}`),
      marks: Object.fromEntries(
        Object.entries(BUILT_IN_ROLES).map(([role, rules]) => {
          const isElsewhere = performing.some(({ portal }) => portal) && role !== 'patient';
          return [role, isElsewhere ? '' : markOf(rules, operation)];
        }),
      ),
    }));
}

const isOpen = (routes: Route[]): boolean => routes.length > 0 && routes.every((route) => route.public);

const SOMEBODY = '00000000-0000-7000-8000-000000000001';

function markOf(rules: RoleRule[], operation: Operation): Mark {
  const granted = (organizationId: string) =>
    compileAbility(rules, { id: SOMEBODY, organizationId }).rulesFor(operation.name, operation.subject);
  const here = granted(SOMEBODY);
  if (here.length === 0) return granted(PLATFORM_ORGANIZATION).length > 0 ? 'platform' : '';
  return here.some(({ conditions }) => !conditions) ? 'yes' : 'own';
}

const INTRODUCTION = `# Permissions

Which built-in role may perform which operation. This page is written by \`npm run permissions\` from the code, and
\`test/contract/permissions.spec.ts\` calls every route as every role to see that it is true. How roles, scopes and
conditions work together: [access](access.md).

- **yes**: on every row of the organization. **own**: on rows that meet the role's conditions: what a device made itself,
  what is a patient's and not restricted. **platform**: in the platform's own organization only.
- The scope is needed besides: a token may do what its scopes AND its principal's roles allow. \`any\`: no scope is needed.
- Operations without a route are rights that are read while another one is performed.
- Not here: what is open to everybody (tokens, sign-in, share links, health).
`;

/** docs/permissions.md. */
export function permissionsPage(routes: Route[]): string {
  const roles = Object.keys(BUILT_IN_ROLES);
  const bySubject = new Map<string, Permission[]>();
  for (const permission of permissionsOf(routes)) {
    const { subject } = permission.operation;
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), permission]);
  }
  const sections = [...bySubject]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([subject, permissions]) => `## ${subject}\n\n${tableOf(roles, permissions)}\n`);
  return [INTRODUCTION, ...sections].join('\n');
}

function tableOf(roles: string[], permissions: Permission[]): string {
  const head = ['operation', 'scope', ...roles, 'routes'];
  const rows = permissions
    .map(({ operation: { name, scope }, routes, marks }) => [
      `\`${name}\``,
      scope ? `\`${scope}\`` : 'any',
      ...roles.map((role) => marks[role]!),
      routes
        .toSorted()
        .map((route) => `\`${route}\``)
        .join('<br>'),
    ])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));
  const widths = head
    .slice(0, -1)
    .map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]!.length)));
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`.replaceAll(
      / +\|$/g,
      ' |',
    );
  const rule = `|${[...widths, 3].map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
