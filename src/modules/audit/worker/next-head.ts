import {
  entryForm,
  hashOf,
  headForm,
  isSigned,
  type NewestEntry,
  NOTHING_BEFORE,
  rootOver,
  type SealHead,
  type Signed,
  type TreeEntry,
} from '../seal.js';
import type { SealedEntry } from '../seal.rows.js';
import type { SealKeys } from '../verification/chains.js';

/** What was sealed is not what it was: somebody has cut off, or put in, what no signature of ours is over. Nothing is sealed on top of that. */
export class LedgerRewritten extends Error {
  override readonly name = 'LedgerRewritten';
}

/** Where the next tree of an organization begins, and the hash of the entry before it. */
interface ChainEnd {
  next: number;
  entry: Uint8Array;
}

const BEGINNING: ChainEnd = { next: 1, entry: NOTHING_BEFORE };

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/**
 * What follows from a tree, which has to be ours for that: who can write to the table can put in a row that says it is another's entry.
 * @throws LedgerRewritten
 */
export function endOf(keys: SealKeys, tree: SealedEntry): ChainEnd {
  const form = entryForm(tree);
  if (!isSigned(keys, form, tree))
    throw new LedgerRewritten(`A tree of ${tree.organization} has no signature of ours.`);
  if (!same(hashOf(form), tree.entry))
    throw new LedgerRewritten(`A tree of ${tree.organization} is said to be another one.`);
  return { next: tree.first + tree.size, entry: tree.entry };
}

/** Where an organization's chain ends. @param newest its newest tree; undefined before the first @throws LedgerRewritten */
export const endOfChain = (keys: SealKeys, newest: SealedEntry | undefined): ChainEnd =>
  newest ? endOf(keys, newest) : BEGINNING;

/** The hash of a head. @throws LedgerRewritten when it is not ours */
export function signedHead(keys: SealKeys, head: SealHead & Signed): Buffer {
  const form = headForm(head);
  if (!isSigned(keys, form, head))
    throw new LedgerRewritten(`The head of seal ${head.seal} has no signature of ours.`);
  return hashOf(form);
}

/** What the tables say was sealed. */
export interface Sealed {
  /** The newest head; undefined before the first. */
  last: (SealHead & Signed) | undefined;
  /** The newest entries as of that, in the order of their organizations. */
  before: readonly NewestEntry[];
  /** Those of them that a tree was made after since. */
  followed: readonly TreeEntry[];
  /** The trees made since, by organization and position. */
  made: readonly SealedEntry[];
}

/**
 * What the next head is signed over. Nothing of it is taken from the database's word alone: what the last head is over gives the
 * root that we have signed, and each organization ends there, or with trees that we have signed, each of which follows from the one
 * before it. Who can write to the tables can cut a ledger off, and have other events queued: he does not get a signature over the result.
 * @throws LedgerRewritten
 */
export function nextHead(
  keys: SealKeys,
  { last, before, followed, made }: Sealed,
): Pick<SealHead, 'seal' | 'previous' | 'root'> {
  const previous = last ? signedHead(keys, last) : NOTHING_BEFORE;
  const seal = (last?.seal ?? 0) + 1;
  if (last ? !same(rootOver(before), last.root) : before.length > 0)
    throw new LedgerRewritten(`The ledgers do not end where the head of seal ${seal - 1} says.`);
  const entries = new Map(before.map(({ organization, entry }) => [organization, entry]));
  // The last head is over their hashes: they need no signature of their own.
  const positions = new Map(
    followed
      .filter((tree) => same(hashOf(entryForm(tree)), entries.get(tree.organization) ?? NOTHING_BEFORE))
      .map(({ organization, first, size }) => [organization, first + size]),
  );
  for (const tree of made) {
    const { organization } = tree;
    const end = endOf(keys, tree);
    const former = entries.get(organization);
    const next = former ? positions.get(organization) : BEGINNING.next;
    if (tree.seal !== seal || tree.first !== next || !same(tree.previous, former ?? BEGINNING.entry))
      throw new LedgerRewritten(`A tree of ${organization} does not follow from the one before it.`);
    entries.set(organization, end.entry);
    positions.set(organization, end.next);
  }
  const newest = [...entries].map(([organization, entry]) => ({ organization, entry }));
  newest.sort((one, other) => (one.organization < other.organization ? -1 : 1)); // as Postgres orders a uuid
  return { seal, previous, root: rootOver(newest) };
}
