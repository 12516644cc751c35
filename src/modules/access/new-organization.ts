import type { Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { builtInRolesOf } from './built-in-roles.js';

/** Who manages a new organization first: staff, who signs in by a code sent to this address. */
export interface FirstOwner {
  email: string;
  firstName: string;
  lastName: string;
}

interface NewOrganization {
  id: string;
  name: string;
  createdAt: Date;
  owner?: FirstOwner | undefined;
}

/**
 * The rows of a new organization: itself, its built-in roles, and its first owner. To be called in its own transaction.
 * Returns the owner's id.
 */
export async function insertOrganization(
  tx: Transaction,
  { id, name, createdAt, owner }: NewOrganization,
): Promise<string | undefined> {
  await tx.organization.create({ data: { id, name, createdAt } });
  await writeBuiltInRoles(tx, id, createdAt);
  return owner && insertFirstOwner(tx, id, owner, createdAt);
}

/** The one place where an organization gets an owner that nobody of it has invited. */
async function insertFirstOwner(
  tx: Transaction,
  organizationId: string,
  { email, firstName, lastName }: FirstOwner,
  createdAt: Date,
): Promise<string> {
  const id = newId();
  await tx.user.create({
    data: { id, organizationId, kind: 'staff', email, firstName, lastName, createdAt, invitedAt: createdAt },
  });
  await bindBuiltIn(tx, organizationId, 'owner', { userId: id }, createdAt);
  return id;
}

/** Binds a built-in role to somebody, without a limit. */
export async function bindBuiltIn(
  tx: Transaction,
  organizationId: string,
  name: string,
  principal: { oauthClientId: string } | { apiKeyId: string } | { userId: string },
  createdAt: Date,
): Promise<void> {
  const role = await tx.role.findUniqueOrThrow({ where: { organizationId_name: { organizationId, name } } });
  await tx.roleBinding.create({
    data: { id: newId(), organizationId, roleId: role.id, ...principal, createdAt },
  });
}

/** Brings an organization's built-in roles to what this version says. Returns the names of those that were otherwise, or not there. */
export async function writeBuiltInRoles(
  tx: Transaction,
  organizationId: string,
  createdAt: Date,
): Promise<string[]> {
  const written: { name: string }[] = [];
  for (const [name, rules] of Object.entries(builtInRolesOf(organizationId)))
    written.push(
      ...(await tx.$queryRaw<{ name: string }[]>`
        INSERT INTO role (id, organization_id, name, built_in, rules, created_at)
        VALUES (${newId()}::uuid, ${organizationId}::uuid, ${name}::text, true, ${JSON.stringify(rules)}::jsonb, ${createdAt}::timestamptz)
        ON CONFLICT (organization_id, name) DO UPDATE SET rules = EXCLUDED.rules WHERE role.rules IS DISTINCT FROM EXCLUDED.rules
        RETURNING name`),
    );
  return written.map(({ name }) => name);
}
