import { call, type ClientCredentials, tokenOf } from './api-calls.js';

interface Found {
  items: { id: string; kind?: string }[];
}

/**
 * Somebody of staff who owns the organization, as its owner invites them through the API. An interrupted start may have done
 * a part of it: what is there already is found.
 */
export async function inviteOwner(
  baseUrl: string,
  owner: ClientCredentials,
  { email, ...name }: { email: string; first_name: string; last_name: string },
): Promise<void> {
  const admin = `${baseUrl}/api/v1/admin`;
  // All scopes: nobody grants what they do not hold.
  const token = await tokenOf(baseUrl, owner, '');
  const known = await call<Found>(`${admin}/users/search`, token, { email });
  const user =
    known.items.find(({ kind }) => kind === 'staff') ??
    (await call<{ id: string }>(`${admin}/users`, token, { email, ...name }));
  const roles = await call<Found>(`${admin}/roles?name=owner`, token);
  const role = roles.items[0]!;
  const bound = await call<Found>(`${admin}/bindings?user_id=${user.id}&role_id=${role.id}`, token);
  if (bound.items.length === 0)
    await call(`${admin}/bindings`, token, { role_id: role.id, user_id: user.id });
}
