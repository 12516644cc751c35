import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { Holder } from './rights.rows.js';

interface Membership {
  group_id: string;
  /** Absent: the holder itself is in the group, or is it. */
  member_group_id: string | null;
}

/**
 * By which groups a holder is in each group it is in: the shortest way, from the one it is a member of (or is) to that
 * one. Other holders than users and groups are in none.
 */
export async function groupPathsOf(
  tx: SqlTransaction,
  organizationId: string,
  { kind, id }: Holder,
): Promise<ReadonlyMap<string, string[]>> {
  if (kind !== 'user' && kind !== 'group') return new Map();
  const of = (wanted: Holder['kind']): string | null => (kind === wanted ? id : null);
  const memberships = await tx.$queryRaw<Membership[]>`
    WITH RECURSIVE membership AS (
      SELECT m.group_id, NULL::uuid AS member_group_id FROM group_member m
      WHERE m.organization_id = ${organizationId}::uuid AND m.user_id = ${of('user')}::uuid
      UNION
      SELECT ${of('group')}::uuid, NULL WHERE ${of('group')}::uuid IS NOT NULL
      UNION
      SELECT m.group_id, m.member_group_id FROM membership g
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.member_group_id = g.group_id
    )
    SELECT group_id, member_group_id FROM membership ORDER BY group_id, member_group_id`;
  return shortestPaths(memberships);
}

/** Breadth first: a group is reached by the fewest others. */
function shortestPaths(memberships: Membership[]): Map<string, string[]> {
  const above = new Map<string | null, string[]>();
  for (const { group_id: group, member_group_id: member } of memberships)
    above.set(member, [...(above.get(member) ?? []), group]);
  const paths = new Map<string, string[]>();
  const reached: { from: string | null; path: string[] }[] = [{ from: null, path: [] }];
  for (const { from, path } of reached)
    for (const group of above.get(from) ?? []) {
      if (paths.has(group)) continue;
      paths.set(group, [...path, group]);
      reached.push({ from: group, path: [...path, group] });
    }
  return paths;
}
