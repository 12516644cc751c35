import { merkleProof, merkleRoot } from '../../../formats/merkle/merkle-tree.js';
import type { DatabaseService } from '../../../platform/database/database.service.js';
import {
  exportForm,
  exportLine,
  type ExportStatement,
  headLine,
  manifestText,
  MARK_BYTES,
  monthStatement,
  treeLine,
} from '../export.manifest.js';
import { addRange, type Months, rangesOf } from '../ranges.js';
import { newestLeaf, openSealKey, signForm } from '../seal.js';
import { HASH_BYTES, newestEntries, signingSealKey, unpackLeaves } from '../seal.rows.js';
import { LedgerDamaged } from './export.errors.js';
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

/** Leaves that are read at once, at least. */
const EVENTS_AT_ONCE = 50_000;
const NO_LEAVES = Buffer.alloc(0);

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
  const { organizationId, scope, format } = written;
  const complete = Object.keys(written.filter).length === 0;
  const proven = format === 'ndjson'; // of other files the rows are not the leaves
  const { key, first, bounds } = await database.withOrganizationSql(organizationId, async (tx) => ({
    key: openSealKey(masterKey, (await signingSealKey(tx, masterKey))!), // what is sealed was sealed with one
    first: await firstListed(tx, organizationId, scope, written),
    bounds: await heldBounds(tx, written),
  }));
  const months = monthsOf(parts);
  const statement: ExportStatement = {
    v: 1,
    id: written.exportId,
    organization: organizationId,
    format,
    from: written.from?.toISOString() ?? null,
    to: written.to?.toISOString() ?? null,
    filters: written.filter,
    complete,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    ...(months && { months }),
    ...bounds,
    parts: parts.map(({ bytes, rows, sha256 }) => ({ bytes, rows, sha256: sha256.toString('hex') })),
    made_at: madeAt.toISOString(),
  };
  yield manifestText(exportLine(statement, signForm(key, exportForm(statement))));

  let last: ListedTree | undefined;
  let lastIsListed = true;
  for (let next = first; ; next = last.first + last.size) {
    const page = await database.withOrganizationSql(organizationId, async (tx) => {
      const trees = await listedTreesFrom(tx, organizationId, scope.seal, next);
      const end = trees.length > 0 ? trees.at(-1)!.first + trees.at(-1)!.size : next;
      return { trees, ranges: await heldRanges(tx, written, next, end) };
    });
    if (page.trees.length === 0 || (last = page.trees.at(-1)) === undefined) break;
    const listed = [...heldByTree(page.trees, page.ranges)].filter((each) => complete || isHeld(each));
    for (const some of readTogether(listed)) {
      const leaves =
        proven &&
        (await database.withOrganizationSql(organizationId, (tx) =>
          leavesOf(tx, organizationId, some.filter(isHeld)),
        ));
      for (const each of some) yield lineOf(each, leaves && (leaves.get(each.tree.first) ?? NO_LEAVES));
    }
    lastIsListed = listed.at(-1)?.tree === last;
  }
  if (!last) throw new Error('Nothing is sealed of what was exported.');
  if (!lastIsListed) yield lineOf({ tree: last, held: [] }, proven && NO_LEAVES);

  const { head, newest } = await database.withOrganizationSql(organizationId, async (tx) => ({
    head: await headNumbered(tx, scope.seal),
    newest: await newestEntries(tx, scope.seal),
  }));
  const index = newest.findIndex(({ organization }) => organization === organizationId);
  const leaves = newest.map(({ organization, entry }) => newestLeaf(organization, entry));
  const place = { index, size: leaves.length, entry: last.entry, proof: merkleProof(leaves, [index]) };
  yield manifestText(headLine(head, place));
}

/** Undefined when some parts were written before they told of months. */
function monthsOf(parts: readonly Part[]): ExportStatement['months'] {
  const all: Months = new Map();
  for (const { months } of parts)
    for (const [month, held] of months)
      for (let at = 0; at < held.length; at += 2) addRange(rangesOf(all, month), held[at]!, held[at + 1]!);
  const months = [...all].map(([month, ranges]) => [month, monthStatement(ranges)] as const);
  const told = months.reduce((sum, [, { events }]) => sum + events, 0);
  return told === parts.reduce((sum, { rows }) => sum + rows, 0) ? Object.fromEntries(months) : undefined;
}

/** A tree, and which of its events are held: half-open ranges of indexes in it. */
interface HeldTree {
  tree: ListedTree;
  held: [from: number, to: number][];
}

/** @param ranges of positions, ascending and apart */
function* heldByTree(
  trees: readonly ListedTree[],
  ranges: readonly [from: number, to: number][],
): Generator<HeldTree> {
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

const isHeld = ({ held }: HeldTree): boolean => held.length > 0;

/** Trees whose leaves are read at once. */
function* readTogether(trees: readonly HeldTree[]): Generator<HeldTree[]> {
  let some: HeldTree[] = [];
  let events = 0;
  for (const each of trees) {
    some.push(each);
    events += each.tree.size;
    if (events < EVENTS_AT_ONCE) continue;
    yield some;
    [some, events] = [[], 0];
  }
  if (some.length > 0) yield some;
}

/**
 * With the proof of the tree's root by the events that are held, and their leaves, which name the first that is not as it was.
 * @param packed leaves of the tree, one behind the other; false for neither
 * @throws {LedgerDamaged} of leaves that are not those that were signed
 */
function lineOf({ tree, held }: HeldTree, packed: Buffer | false): string {
  if (!packed) return manifestText(treeLine(tree, held));
  if (held.length === 0) return manifestText(treeLine(tree, held, [tree.root]));
  if (packed.length !== tree.size * HASH_BYTES) throw new LedgerDamaged(tree.first);
  const [[from, to]] = held as [[number, number]];
  const whole = from === 0 && to === tree.size; // nothing is to be proven then
  return manifestText(treeLine(tree, held, whole ? [] : proofOf(tree, held, packed), marksOf(packed, held)));
}

function proofOf({ first, root }: ListedTree, held: HeldTree['held'], packed: Buffer): Buffer[] {
  const leaves = unpackLeaves(packed);
  if (!merkleRoot(leaves).equals(root)) throw new LedgerDamaged(first);
  return merkleProof(leaves, indexesOf(held));
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
