import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { WriteExportPayload } from '../exports.jobs.js';
import type { SealHead, Signed, TreeEntry } from '../seal.js';
import type { ExportScope, Interval } from './export.scope.js';

/** Trees that are read at once, without their events. */
const MOST_TREES = 1_000;

/** A signed tree, without its leaves. */
export type ListedTree = TreeEntry & Signed & { entry: Buffer };

/**
 * Position of the first tree a complete export lists: an event is sealed after it has happened, so that nothing of the
 * interval can be in a tree before it.
 */
export async function firstListed(
  tx: SqlTransaction,
  organizationId: string,
  { seal, first }: ExportScope,
  { from }: Interval,
): Promise<number> {
  const [row] = await tx.$queryRaw<{ first: bigint }[]>`
    SELECT least(
      (SELECT min(t.first_position) FROM audit_tree t
       WHERE t.organization_id = ${organizationId}::uuid AND t.seal_number <= ${seal}::bigint
         AND (${from}::timestamptz IS NULL OR t.sealed_at >= ${from}::timestamptz)),
      (SELECT max(t.first_position) FROM audit_tree t
       WHERE t.organization_id = ${organizationId}::uuid AND t.seal_number <= ${seal}::bigint AND t.first_position <= ${first}::bigint)
    ) AS first`;
  return Number(row!.first);
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

/** Ranges of positions that an export's file holds, which touch those from `first` up to `end`. Ascending and apart. */
export async function heldRanges(
  tx: SqlTransaction,
  { organizationId, exportId }: WriteExportPayload,
  first: number,
  end: number,
): Promise<[from: number, to: number][]> {
  const rows = await tx.$queryRaw<{ held: string[] }[]>`
    SELECT held::text[] FROM audit_export_part
    WHERE organization_id = ${organizationId}::uuid AND export_id = ${exportId}::uuid
      AND held[1] < ${end}::bigint AND held[cardinality(held)] > ${first}::bigint
    ORDER BY number`;
  const ranges: [number, number][] = [];
  for (const { held } of rows)
    for (let at = 0; at < held.length; at += 2) {
      const [from, to] = [Number(held[at]), Number(held[at + 1])];
      const last = ranges.at(-1);
      if (last?.[1] === from) last[1] = to;
      else ranges.push([from, to]);
    }
  return ranges;
}

/** Positions of the first and the last event of an export's file. */
export async function heldBounds(
  tx: SqlTransaction,
  { organizationId, exportId }: WriteExportPayload,
): Promise<{ first: number | null; last: number | null }> {
  const [row] = await tx.$queryRaw<{ first: bigint | null; behind: bigint | null }[]>`
    SELECT min(held[1]) AS first, max(held[cardinality(held)]) AS behind FROM audit_export_part
    WHERE organization_id = ${organizationId}::uuid AND export_id = ${exportId}::uuid`;
  const { first, behind } = row!;
  return { first: first === null ? null : Number(first), last: behind === null ? null : Number(behind) - 1 };
}
