import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** Groups may lie so many deep, the outermost counted: who asks for somebody's rights goes through all of them. */
export const MAX_LEVELS = 10;

/**
 * What would come of a group becoming a member of another: whether it would hold itself, and over how many levels groups
 * would be nested there. Looks no further than one level past {@link MAX_LEVELS}, hence ends whatever the table holds.
 */
export async function nestingOf(
  tx: SqlTransaction,
  organizationId: string,
  { outer, inner }: { outer: string; inner: string },
): Promise<{ circle: boolean; levels: number }> {
  const [row] = await tx.$queryRaw<{ circle: boolean; levels: number }[]>`
    WITH RECURSIVE above AS (
      SELECT ${outer}::uuid AS group_id, 1 AS level
      UNION
      SELECT m.group_id, a.level + 1 FROM above a
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.member_group_id = a.group_id
      WHERE a.level <= ${MAX_LEVELS}::int
    ), below AS (
      SELECT ${inner}::uuid AS group_id, 1 AS level
      UNION
      SELECT m.member_group_id, b.level + 1 FROM below b
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.group_id = b.group_id
      WHERE m.member_group_id IS NOT NULL AND b.level <= ${MAX_LEVELS}::int
    )
    SELECT EXISTS (SELECT 1 FROM above WHERE group_id = ${inner}::uuid) AS circle,
           ((SELECT max(level) FROM above) + (SELECT max(level) FROM below))::int AS levels`;
  return row!;
}

/** A group, and those in it however deep. */
export async function groupsWithin(
  tx: SqlTransaction,
  organizationId: string,
  groupId: string,
): Promise<string[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    WITH RECURSIVE within AS (
      SELECT ${groupId}::uuid AS id
      UNION
      SELECT m.member_group_id FROM within w
      JOIN group_member m ON m.organization_id = ${organizationId}::uuid AND m.group_id = w.id
      WHERE m.member_group_id IS NOT NULL
    )
    SELECT id FROM within`;
  return rows.map(({ id }) => id);
}
