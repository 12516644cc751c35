import type { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';

/** Files that are there, and that the caller may perform the operation on. */
export const visibleTo = (caller: Caller, operation: string): Prisma.PatientFileWhereInput => ({
  AND: [
    accessibleBy(caller, operation).ofType('PatientFile'),
    { organizationId: caller.principal.organizationId, visibleAt: { not: null }, deletedAt: null },
  ],
});
