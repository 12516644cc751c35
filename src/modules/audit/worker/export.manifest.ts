import { merkleProof } from '../../../formats/merkle/merkle-tree.js';
import type { DatabaseService } from '../../../platform/database/database.service.js';
import {
  exportForm,
  exportLine,
  type ExportStatement,
  headLine,
  manifestText,
  MARK_BYTES,
  treeLine,
} from '../export.manifest.js';
import { newestLeaf, openSealKey, signForm } from '../seal.js';
import { HASH_BYTES, newestEntries, signingSealKey, unpackLeaves } from '../seal.rows.js';
import type { Part, ScopedExport } from './export.rows.js';
import {
  firstListed,
  headNumbered,
  heldBounds,
  heldRanges,
  leavesOf,
  type ListedTree,
  listedTreesFrom,
} from './manifest.rows.js';

interface Sources {
  database: DatabaseService;
  masterKey: Uint8Array;
}

/** The manifest of an export, line by line: export.manifest.ts says what they are. */
export async function* manifestLines(
  { database, masterKey }: Sources,
  written: ScopedExport,
  parts: readonly Part[],
  madeAt: Date,
): AsyncGenerator<string> {
  const { organizationId, scope } = written;
  const complete = Object.keys(written.filter).length === 0;
  const { key, first, bounds } = await database.withOrganizationSql(organizationId, async (tx) => ({
    key: openSealKey(masterKey, (await signingSealKey(tx))!), // what is sealed was sealed with one
    first: await firstListed(tx, organizationId, scope, written),
    bounds: await heldBounds(tx, written),
  }));
  const statement: ExportStatement = {
    v: 1,
    id: written.exportId,
    organization: organizationId,
    format: written.format,
    from: written.from?.toISOString() ?? null,
    to: written.to?.toISOString() ?? null,
    filters: written.filter,
    complete,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    ...bounds,
    parts: parts.map(({ bytes, rows, sha256 }) => ({ bytes, rows, sha256: sha256.toString('hex') })),
    made_at: madeAt.toISOString(),
  };
  yield manifestText(exportLine(statement, signForm(key, exportForm(statement))));

  let last: ListedTree | undefined;
  let listed = true;
  for (let next = first; ; next = last.first + last.size) {
    const page = await database.withOrganizationSql(organizationId, async (tx) => {
      const trees = await listedTreesFrom(tx, organizationId, scope.seal, next);
      const end = trees.length > 0 ? trees.at(-1)!.first + trees.at(-1)!.size : next;
      return { trees, ranges: await heldRanges(tx, written, next, end) };
    });
    if (page.trees.length === 0 || (last = page.trees.at(-1)) === undefined) break;
    for (const { tree, held } of heldByTree(page.trees, page.ranges)) {
      listed = complete || held.length > 0;
      if (listed)
        yield manifestText(treeLine(tree, held, ...(await provenBy(database, written, tree, held))));
    }
  }
  if (!last) throw new Error('Nothing is sealed of what was exported.');
  if (!listed) yield manifestText(treeLine(last, [], ...(await provenBy(database, written, last, []))));

  const { head, newest } = await database.withOrganizationSql(organizationId, async (tx) => ({
    head: await headNumbered(tx, scope.seal),
    newest: await newestEntries(tx, scope.seal),
  }));
  const index = newest.findIndex(({ organization }) => organization === organizationId);
  const leaves = newest.map(({ organization, entry }) => newestLeaf(organization, entry));
  const place = { index, size: leaves.length, entry: last.entry, proof: merkleProof(leaves, [index]) };
  yield manifestText(headLine(head, place));
}

/** Which events of each tree are held, by their indexes in it. @param ranges of positions, ascending and apart */
function* heldByTree(
  trees: readonly ListedTree[],
  ranges: readonly [from: number, to: number][],
): Generator<{ tree: ListedTree; held: [from: number, to: number][] }> {
  let at = 0;
  for (const tree of trees) {
    const end = tree.first + tree.size;
    const held: [number, number][] = [];
    for (; at < ranges.length && ranges[at]![0] < end; at++) {
      const [from, to] = ranges[at]!;
      if (to > tree.first)
        held.push([Math.max(from, tree.first) - tree.first, Math.min(to, end) - tree.first]);
      if (to > end) break; // it goes on in the next tree
    }
    yield { tree, held };
  }
}

/**
 * The proof of the tree's root by the events that are held, and their leaves, which name the first that is not as it was. None
 * beside a file whose rows are not the leaves.
 */
async function provenBy(
  database: DatabaseService,
  { organizationId, format }: ScopedExport,
  tree: ListedTree,
  held: readonly [from: number, to: number][],
): Promise<[proof?: Uint8Array[], marks?: Uint8Array]> {
  if (format !== 'ndjson') return [];
  if (held.length === 0) return [[tree.root]];
  const packed = await leavesOf(database, organizationId, tree.first);
  const [[from, to]] = held as [[number, number]];
  const whole = from === 0 && to === tree.size; // nothing is to be proven then
  const proof = whole ? [] : merkleProof(unpackLeaves(packed), indexesOf(held));
  return [proof, marksOf(packed, held)];
}

const indexesOf = (held: readonly [from: number, to: number][]): number[] =>
  held.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at));

/** @param packed leaf hashes, one behind the other */
function marksOf(packed: Uint8Array, held: readonly [from: number, to: number][]): Uint8Array {
  const marks = new Uint8Array(held.reduce((sum, [from, to]) => sum + to - from, 0) * MARK_BYTES);
  let at = 0;
  for (const [from, to] of held)
    for (let leaf = from * HASH_BYTES; leaf < to * HASH_BYTES; leaf += HASH_BYTES)
      for (let byte = 0; byte < MARK_BYTES; byte++) marks[at++] = packed[leaf + byte]!;
  return marks;
}
