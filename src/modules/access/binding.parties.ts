import type { Transaction } from '../../platform/database/database.service.js';
import type { ResourceLimit } from '../../platform/authorization/subjects.js';
import { notFound } from '../../platform/errors/application-error.js';
import { notStaff } from './access.errors.js';
import type { CreateBinding } from './bindings.schemas.js';
import { portalKeyBound } from './roles.errors.js';

/** Whom a binding is for, as callers name them: one of these. */
type Named = Pick<CreateBinding, 'user_id' | 'group_id' | 'client_id' | 'api_key_id'>;

/** The columns of a binding that say so. */
export const bindingPrincipal = ({ user_id, group_id, client_id, api_key_id }: Named) => ({
  ...(user_id !== undefined && { userId: user_id }),
  ...(group_id !== undefined && { groupId: group_id }),
  ...(client_id !== undefined && { oauthClientId: client_id }),
  ...(api_key_id !== undefined && { apiKeyId: api_key_id }),
});

/**
 * Somebody of the organization to whom roles are bound.
 * @throws not_found, not_staff of a patient, portal_key of a key that everybody knows
 */
export async function assertBindable(
  tx: Transaction,
  organizationId: string,
  { user_id, group_id, client_id, api_key_id }: Named,
): Promise<void> {
  const of = (id: string) => ({ where: { organizationId, id } });
  if (user_id !== undefined) {
    const user = found(await tx.user.findFirst(of(user_id)));
    if (user.kind !== 'staff') throw notStaff();
  }
  if (group_id !== undefined) found(await tx.group.findFirst(of(group_id)));
  if (client_id !== undefined) found(await tx.oauthClient.findFirst(of(client_id)));
  if (api_key_id !== undefined) {
    const key = found(await tx.apiKey.findFirst(of(api_key_id)));
    if (key.purpose === 'portal') throw portalKeyBound();
  }
}

/** The part of Prisma's delegates that says whether a row is there. */
interface Counts {
  count(of: { where: { organizationId: string; id: string } }): Promise<number>;
}

/** Something of the organization's: the subjects that limit are models, under their names. @throws not_found */
export async function assertLimitable(
  tx: Transaction,
  organizationId: string,
  { type, id }: ResourceLimit,
): Promise<void> {
  const delegate = type.charAt(0).toLowerCase() + type.slice(1);
  const rows = (tx as unknown as Record<string, Counts>)[delegate]!;
  if ((await rows.count({ where: { organizationId, id } })) === 0) throw notFound();
}

function found<Row>(row: Row | null): Row {
  if (row === null) throw notFound();
  return row;
}
