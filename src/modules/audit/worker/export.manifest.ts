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
import { countOfRanges, hashOfRanges, type Ranges } from '../ranges.js';
import { headForm, isSigned, newestLeaf, openSealKey, signForm } from '../seal.js';
import { HASH_BYTES, newestEntries, ourSealKeys, signingSealKey, unpackLeaves } from '../seal.rows.js';
import { EntryChain } from '../verification/chains.js';
import { LedgerDamaged } from './export.errors.js';
import type { ScopedExport } from './export.rows.js';
import { firstBefore, headNumbered, leavesOf, type ListedTree, listedTreesFrom } from './manifest.rows.js';

/** Leaves that are read at once, at least. */
const EVENTS_AT_ONCE = 50_000;
const NO_LEAVES = Buffer.alloc(0);

interface Sources {
  database: DatabaseService;
  masterKey: Uint8Array;
}

/**
 * The manifest of an export, line by line: export.manifest.ts says what they are. Of the ledger it believes what is signed, of the file
 * what this worker has written. @throws LedgerDamaged
 */
export async function* manifestLines(
  { database, masterKey }: Sources,
  written: ScopedExport,
  madeAt: Date,
): AsyncGenerator<string> {
  const { organizationId, scope, format } = written;
  const complete = Object.keys(written.filter).length === 0;
  const proven = format === 'ndjson'; // of other files the rows are not the leaves
  const { key, keys, before } = await database.withOrganizationSql(organizationId, async (tx) => ({
    key: openSealKey(masterKey, (await signingSealKey(tx, masterKey))!), // what is sealed was sealed with one
    keys: await ourSealKeys(tx, masterKey),
    before: await firstBefore(tx, organizationId, scope.first),
  }));
  const { parts, positions, months } = written.contents;
  const statement: ExportStatement = {
    v: 2,
    id: written.exportId,
    organization: organizationId,
    format,
    from: written.from?.toISOString() ?? null,
    to: written.to?.toISOString() ?? null,
    filters: written.filter,
    complete,
    seal: scope.seal,
    rows: countOfRanges(positions),
    positions: hashOfRanges(positions),
    months: Object.fromEntries([...months].map(([month, ranges]) => [month, monthStatement(ranges)])),
    first: positions[0] ?? null,
    last: positions.length > 0 ? positions.at(-1)! - 1 : null,
    parts: parts.map(({ bytes, rows, sha256 }) => ({ bytes, rows, sha256: sha256.toString('hex') })),
    made_at: madeAt.toISOString(),
  };
  yield manifestText(exportLine(statement, signForm(key, exportForm(statement))));

  const chain = new EntryChain(keys, organizationId);
  const heldOf = heldIn(positions);
  let last: ListedTree | undefined;
  let lastIsListed = true;
  for (let next = before ?? scope.first; ; next = last.first + last.size) {
    const trees = await database.withOrganizationSql(organizationId, (tx) =>
      listedTreesFrom(tx, organizationId, scope.seal, next),
    );
    if (trees.length === 0) break;
    if (!last) assertBeginning(trees[0]!, written);
    for (const tree of trees) {
      const wrong = chain.add(tree);
      if (wrong) throw new LedgerDamaged(wrong.seq ?? tree.first);
    }
    last = trees.at(-1)!;
    const all = trees.map((tree) => ({ tree, held: heldOf(tree) }));
    const listed = all.filter((each) => complete || isHeld(each));
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
  if (!last) throw new LedgerDamaged(scope.first);
  if (last.first + last.size !== scope.end)
    throw new LedgerDamaged(Math.min(last.first + last.size, scope.end));
  if (!lastIsListed) yield lineOf({ tree: last, held: [] }, proven && NO_LEAVES);

  const { head, newest } = await database.withOrganizationSql(organizationId, async (tx) => ({
    head: await headNumbered(tx, scope.seal),
    newest: await newestEntries(tx, scope.seal),
  }));
  const index = newest.findIndex(({ organization }) => organization === organizationId);
  const leaves = newest.map(({ organization, entry }) => newestLeaf(organization, entry));
  if (
    !isSigned(keys, headForm(head), head) ||
    !merkleRoot(leaves).equals(head.root) ||
    !chain.hash!.equals(newest[index]!.entry)
  )
    throw new LedgerDamaged(scope.end);
  const place = { index, size: leaves.length, entry: chain.hash!, proof: merkleProof(leaves, [index]) };
  yield manifestText(headLine(head, place));
}

/** Nothing of the interval can be in a tree before it: an event is sealed after it has happened. Its signature is looked at next. */
function assertBeginning({ first, time }: ListedTree, { from, scope }: ScopedExport): void {
  if (first === 1 || (from !== null && first < scope.first && time < from)) return;
  throw new LedgerDamaged(from === null ? 1 : first - 1);
}

/** A tree, and which of its events are held: half-open ranges of indexes in it. */
interface HeldTree {
  tree: ListedTree;
  held: [from: number, to: number][];
}

/** Which events of a tree are held. @returns to be asked for trees by their positions, each once */
function heldIn(positions: Readonly<Ranges>): (tree: ListedTree) => HeldTree['held'] {
  let at = 0;
  return ({ first, size }) => {
    const end = first + size;
    const held: HeldTree['held'] = [];
    for (; at < positions.length && positions[at]! < end; at += 2) {
      const [from, to] = [positions[at]!, positions[at + 1]!];
      if (to > first) held.push([Math.max(from, first) - first, Math.min(to, end) - first]);
      if (to > end) break; // it goes on in the next tree
    }
    return held;
  };
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
