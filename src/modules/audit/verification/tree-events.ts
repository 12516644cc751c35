import { merkleRoot } from '../../../formats/merkle/merkle-tree.js';
import { writableForm } from '../audit.canonical.js';
import type { AuditRecord } from '../audit.events.js';
import type { EventName } from '../ledger.rows.js';
import { missingForm } from '../missing-event.js';
import { eventLeaf } from '../seal.js';
import type { TreeRow } from '../seal.rows.js';
import { fault, type Fault } from './fault.js';

/** A tree's part that is judged here. Its entry was found good, so that `first`, `size` and `root` are what was sealed. */
export type SealedTree = Pick<TreeRow, 'organization' | 'first' | 'size' | 'root' | 'events' | 'leaves'>;

/** What the ledger has of a tree's events. */
export interface LedgerEvents {
  /** The leaf of each event as it stands in the ledger under its id and time, by position; undefined of one that is not there, or missing. */
  actual: readonly (Buffer | undefined)[];
  /** Whether an event's month was taken out of the ledger by retention, and whether an export in the bucket proves it. */
  retired(event: EventName): 'proven' | 'told' | undefined;
  /** Is told of each event that was gone before its seal, by its index: that was seen then, and what comes after it is looked at. */
  gap(index: number): void;
  /** The event under its id, whatever its time says now. */
  elsewhere(id: string): Promise<AuditRecord | undefined>;
}

/** The leaf of an event as it stands; empty, which is no leaf, of one that somebody has made unwritable (nested without end). */
export function leafOf(event: AuditRecord): Buffer {
  const form = writableForm(event);
  return form ? eventLeaf(form) : Buffer.alloc(0);
}

const same = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0;

/** Compares a tree with the ledger. Returns the first event that is not as it was sealed, by position. */
export async function judgeEvents(tree: SealedTree, ledger: LedgerEvents): Promise<Fault | undefined> {
  if (tree.events.length !== tree.size || tree.leaves.length !== tree.size)
    return fault('record', { seq: tree.first }, 'It has not as many as it says.');
  if (!same(merkleRoot(tree.leaves), tree.root)) return changedLeaves(tree, ledger);
  for (const [index, event] of tree.events.entries()) {
    const leaf = tree.leaves[index]!;
    const actual = ledger.actual[index];
    if (same(actual, leaf)) continue;
    if (actual) {
      const code = tree.leaves.some((other) => same(actual, other)) ? 'reordered' : 'altered';
      return fault(code, { seq: tree.first + index, id: event.id });
    }
    if (same(eventLeaf(missingForm(tree.organization, event)), leaf)) ledger.gap(index);
    else if (ledger.retired(event) !== 'proven') return judgeAbsent(tree, index, ledger);
  }
  return undefined;
}

/** An event that is not there under its id and time. */
async function judgeAbsent(tree: SealedTree, index: number, ledger: LedgerEvents): Promise<Fault> {
  const { id, occurredAt } = tree.events[index]!;
  const leaf = tree.leaves[index]!;
  const place = { seq: tree.first + index, id };
  const found = await ledger.elsewhere(id);
  if (!found)
    return fault(
      'removed',
      place,
      ledger.retired(tree.events[index]!) &&
        'Its month was retired, and no export in the bucket proves what it held.',
    );
  const actual = leafOf(found);
  if (same(actual, leaf)) return fault('record', place, 'It has another time for this one.');
  if (tree.leaves.some((other) => same(actual, other))) return fault('reordered', place);
  const asDated = same(leafOf({ ...found, occurredAt }), leaf);
  return fault('re-dated', place, asDated ? undefined : 'And it was altered.');
}

/**
 * The leaves that the tree keeps do not give the root that was signed. Either only they were changed, or their order, or the
 * events with them: then the root says that it happened within this tree, and nothing says where.
 */
function changedLeaves({ first, root, events, leaves }: SealedTree, { actual }: LedgerEvents): Fault {
  if (actual.every((leaf) => leaf !== undefined) && same(merkleRoot(actual), root)) {
    const index = leaves.findIndex((leaf, at) => !same(actual[at], leaf));
    return fault('record', { seq: first + index, id: events[index]!.id });
  }
  const order = [...events.keys()].sort((one, other) => compare(events[one]!, events[other]!));
  if (same(merkleRoot(order.map((index) => leaves[index]!)), root)) {
    const index = order.findIndex((from, to) => from !== to);
    return fault('reordered', { seq: first + index, id: events[index]!.id });
  }
  return fault('altered', { seq: first }, 'It, or another one of the same tree.');
}

/** The order in which the sealer takes them. */
function compare(one: EventName, other: EventName): number {
  const byTime = one.occurredAt.getTime() - other.occurredAt.getTime();
  return byTime || (one.id < other.id ? -1 : 1);
}
