import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { SealHead, Signed, TreeEntry } from '../seal.js';

/** Trees that are read at once, without their events. Nothing else is done while their signatures are checked, 0.1 ms each. */
const MOST_TREES = 200;

/** A signed tree, without its leaves. */
export type ListedTree = TreeEntry & Signed & { entry: Buffer };

/** Position of the tree that stands before another one, if there is one. */
export async function firstBefore(
  tx: SqlTransaction,
  organizationId: string,
  first: number,
): Promise<number | undefined> {
  const [row] = await tx.$queryRaw<{ first: bigint }[]>`
    SELECT first_position AS first FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position < ${first}::bigint
    ORDER BY first_position DESC LIMIT 1`;
  return row && Number(row.first);
}

/** Trees of an organization as of a seal, by position. */
export async function listedTreesFrom(
  tx: SqlTransaction,
  organizationId: string,
  seal: number,
  first: number,
): Promise<ListedTree[]> {
  const rows = await tx.$queryRaw<(ListedTree & { seal: bigint; first: bigint })[]>`
    SELECT organization_id AS organization, seal_number AS seal, sealed_at AS time, first_position AS first, size, root, previous,
           kid, signature, entry
    FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position >= ${first}::bigint AND seal_number <= ${seal}::bigint
    ORDER BY first_position LIMIT ${MOST_TREES}::int`;
  return rows.map((row) => ({ ...row, seal: Number(row.seal), first: Number(row.first) }));
}

/** Leaf hashes of trees by their first positions, one behind the other. */
export async function leavesOf(
  tx: SqlTransaction,
  organizationId: string,
  trees: readonly { tree: ListedTree }[],
): Promise<Map<number, Buffer>> {
  const rows = await tx.$queryRaw<{ first: bigint; leaves: Buffer }[]>`
    SELECT first_position AS first, leaves FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position = ANY (${trees.map(({ tree }) => tree.first)}::bigint[])`;
  return new Map(rows.map(({ first, leaves }) => [Number(first), leaves]));
}

export async function headNumbered(tx: SqlTransaction, seal: number): Promise<SealHead & Signed> {
  const [row] = await tx.$queryRaw<(SealHead & Signed)[]>`
    SELECT sealed_at AS time, previous, root, kid, signature FROM audit_seal WHERE number = ${seal}::bigint`;
  return { ...row!, seal };
}
