import type { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Caller } from '../../platform/authorization/principal.js';
import type { Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import type { OrganizationView } from './tenants.schemas.js';

const withDeletion = { deletion: true } as const satisfies Prisma.OrganizationInclude;
export type TenantRow = Prisma.OrganizationGetPayload<{ include: typeof withDeletion }>;

/** The organization whose rows a call on the organization `id` may see: the platform's owner that one, anybody else their own. */
export const insideOf = ({ principal: { organizationId } }: Caller, id: string): string =>
  organizationId === PLATFORM_ORGANIZATION ? id : organizationId;

/** Conditions on the row of the organization `id`, where the caller may perform the operation on it. */
export const tenantFor = (caller: Caller, operation: string, id: string): Prisma.OrganizationWhereInput => ({
  AND: [accessibleBy(caller, operation).ofType('Organization'), { id }, { id: insideOf(caller, id) }],
});

/** @throws not_found when there is none, or none the caller may perform the operation on */
export async function findTenant(
  tx: Transaction,
  caller: Caller,
  operation: string,
  id: string,
): Promise<TenantRow> {
  const found = await tx.organization.findFirst({
    where: tenantFor(caller, operation, id),
    include: withDeletion,
  });
  if (!found) throw notFound();
  return found;
}

export const toView = (row: TenantRow): OrganizationView => ({
  id: row.id,
  name: row.name,
  state: stateOf(row),
  required_metadata: row.requiredMetadata,
  created_at: row.createdAt.toISOString(),
  version: row.version,
});

function stateOf({ deletion, disabledAt }: TenantRow): OrganizationView['state'] {
  if (deletion) return deletion.state === 'purged' ? 'purged' : 'deleting';
  return disabledAt ? 'disabled' : 'enabled';
}
