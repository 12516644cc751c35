import { SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { AccessRows } from './access-rows.js';
import type { World } from './world.js';

/** A user of the organization's staff, without an invitation: the row is written. Returns the id. */
export const plantStaff = (world: World, organizationId: string): Promise<string> =>
  new AccessRows(world, organizationId).staff();

/** A group with these users in it. Returns the id. */
export async function plantGroup(
  world: World,
  organizationId: string,
  ...userIds: string[]
): Promise<string> {
  const rows = new AccessRows(world, organizationId);
  const groupId = await rows.group();
  for (const id of userIds) await rows.member(groupId, { kind: 'user', id });
  return groupId;
}

/** The row of the organization's newest client or API key. */
export const newestRow = (
  world: World,
  organizationId: string,
  table: 'oauth_client' | 'api_key',
): Promise<string> => new AccessRows(world, organizationId).newest(table);

/** An API key with every scope and no role. */
export async function powerlessKey(
  world: World,
  organizationId: string,
  scopes: readonly Scope[] = SCOPES,
): Promise<{ id: string; key: string }> {
  const { id, token } = await new AccessRows(world, organizationId).bearer('api_key', scopes);
  return { id, key: token };
}
