import { z } from 'zod';
import { type GrantedRule, type RoleRule, roleRuleSchema } from '../../platform/authorization/ability.js';
import type { SubjectName } from '../../platform/authorization/operations.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** Whoever roles are bound to. A group is no principal: its members have its rights. */
export interface Holder {
  kind: 'user' | 'group' | 'client' | 'api_key';
  id: string;
}

/** One rule somebody has, and where from. */
export interface Right {
  rule: GrantedRule;
  role: { id: string; name: string; builtIn: boolean };
  /** Absent: it is the role of patients, which nothing binds. */
  binding?: { id: string; groupId: string | null };
}

/** A role somebody has, its rules as text: who is asked about again mostly has what they had, and nothing is read twice. */
export interface HeldRole {
  /** Absent of the role of patients. */
  binding_id: string | null;
  group_id: string | null;
  resource_type: SubjectName | null;
  resource_id: string | null;
  role_id: string;
  name: string;
  built_in: boolean;
  rules: string;
}

const rulesSchema = z.array(roleRuleSchema);

/** The rules of a role as its row has them. */
export const rulesOf = (rules: unknown): RoleRule[] => rulesSchema.parse(rules);

/** Every right of a holder, see {@link rolesOf}. */
export async function rightsOf(tx: SqlTransaction, organizationId: string, holder: Holder): Promise<Right[]> {
  return toRights(await rolesOf(tx, organizationId, holder));
}

/**
 * Every role of a holder, by its own bindings and by those of the groups it is in, however deep: oldest binding first. A
 * circle of groups, which nothing makes, would end by itself: UNION adds no group twice.
 */
export async function rolesOf(
  tx: SqlTransaction,
  organizationId: string,
  { kind, id }: Holder,
): Promise<HeldRole[]> {
  const of = (wanted: Holder['kind']): string | null => (kind === wanted ? id : null);
  return tx.$queryRaw<HeldRole[]>`
    WITH RECURSIVE membership AS (
      SELECT m.group_id FROM group_member m
      WHERE m.organization_id = ${organizationId}::uuid AND m.user_id = ${of('user')}::uuid
      UNION
      SELECT ${of('group')}::uuid WHERE ${of('group')}::uuid IS NOT NULL
      UNION
      SELECT m.group_id FROM membership g
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.member_group_id = g.group_id
    ), bound AS (
      SELECT * FROM role_binding WHERE organization_id = ${organizationId}::uuid AND oauth_client_id = ${of('client')}::uuid
      UNION ALL
      SELECT * FROM role_binding WHERE organization_id = ${organizationId}::uuid AND api_key_id = ${of('api_key')}::uuid
      UNION ALL
      SELECT * FROM role_binding WHERE organization_id = ${organizationId}::uuid AND user_id = ${of('user')}::uuid
      UNION ALL
      SELECT b.* FROM membership g
      JOIN role_binding b ON b.organization_id = ${organizationId}::uuid AND b.group_id = g.group_id
    )
    SELECT b.id AS binding_id, b.group_id, b.resource_type, b.resource_id, r.id AS role_id, r.name, r.built_in,
           r.rules::text AS rules
    FROM bound b
    JOIN role r ON r.organization_id = b.organization_id AND r.id = b.role_id
    ORDER BY b.created_at, b.id`;
}

/** The role of every patient, whoever they are. */
export const rolesOfPatients = (tx: SqlTransaction, organizationId: string): Promise<HeldRole[]> =>
  tx.$queryRaw<HeldRole[]>`
    SELECT NULL AS binding_id, NULL AS group_id, NULL AS resource_type, NULL AS resource_id, id AS role_id, name, built_in,
           rules::text AS rules
    FROM role WHERE organization_id = ${organizationId}::uuid AND name = 'patient' AND built_in`;

/** Every role of those who are known by an identity at an issuer, by whichever way they have it: each once. */
export const rolesByIssuer = (
  tx: SqlTransaction,
  organizationId: string,
  issuer: string,
): Promise<HeldRole[]> =>
  tx.$queryRaw<HeldRole[]>`
    WITH RECURSIVE known AS (
      SELECT DISTINCT user_id FROM user_identity
      WHERE organization_id = ${organizationId}::uuid AND issuer = ${issuer}::text
    ), membership AS (
      SELECT m.group_id FROM known k
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.user_id = k.user_id
      UNION
      SELECT m.group_id FROM membership g
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.member_group_id = g.group_id
    ), bound AS (
      SELECT b.role_id, b.resource_type, b.resource_id FROM known k
      JOIN role_binding b ON b.organization_id = ${organizationId}::uuid AND b.user_id = k.user_id
      UNION
      SELECT b.role_id, b.resource_type, b.resource_id FROM membership g
      JOIN role_binding b ON b.organization_id = ${organizationId}::uuid AND b.group_id = g.group_id
    )
    SELECT NULL AS binding_id, NULL AS group_id, b.resource_type, b.resource_id, r.id AS role_id, r.name, r.built_in,
           r.rules::text AS rules
    FROM bound b
    JOIN role r ON r.organization_id = ${organizationId}::uuid AND r.id = b.role_id`;

/** Rule by rule. */
export const toRights = (roles: HeldRole[]): Right[] => roles.flatMap(rightsOfRole);

function rightsOfRole(row: HeldRole): Right[] {
  const { resource_type: type, resource_id: id, binding_id: bindingId } = row;
  const limit = type !== null && id !== null ? { limit: { type, id } } : {};
  return rulesOf(JSON.parse(row.rules)).map((rule) => ({
    rule: { ...rule, ...limit },
    role: { id: row.role_id, name: row.name, builtIn: row.built_in },
    ...(bindingId !== null && { binding: { id: bindingId, groupId: row.group_id } }),
  }));
}
