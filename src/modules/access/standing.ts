import { isScope, PATIENT_SCOPES, type Scope, SCOPES } from '../../platform/authorization/scopes.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { type Exclusion, findPrincipal } from './principal.rows.js';
import { type HeldRole, type Holder, rolesOf, rolesOfPatients } from './rights.rows.js';

/** Whoever may come in; a group may not, its members do. */
export interface Comer {
  kind: Exclude<Holder['kind'], 'group'>;
  id: string;
}

/** How a principal stands with its organization, whatever credential it shows. */
export interface Standing {
  /** What the audit ledger calls it. */
  name: string;
  /** What its credentials may be for at most. */
  scopes: readonly Scope[];
  /** A portal is for patients only, whatever the roles of others. */
  isPatient: boolean;
  /** Why it may not come in. */
  excluded?: Exclusion;
  /** Asked for by whoever has seen that it may, or wants to know all the same. */
  roles: () => Promise<HeldRole[]>;
}

/**
 * What a principal has: the one answer that enforcement goes by, and that is explained. A patient has the one role of
 * patients; everybody else the roles bound to them and to their groups. Nothing for who is not of the organization.
 */
export async function standingOf(
  tx: SqlTransaction,
  organizationId: string,
  comer: Comer,
): Promise<Standing | undefined> {
  const row = await findPrincipal(tx, organizationId, comer);
  if (!row) return undefined;
  const isPatient = row.userKind === 'patient';
  return {
    name: row.name,
    isPatient,
    scopes: isPatient ? PATIENT_SCOPES : row.userKind === 'staff' ? SCOPES : row.scopes.filter(isScope),
    ...(row.excluded && { excluded: row.excluded }),
    roles: () => (isPatient ? rolesOfPatients(tx, organizationId) : rolesOf(tx, organizationId, comer)),
  };
}
