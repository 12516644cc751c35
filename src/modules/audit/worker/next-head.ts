import {
  hashOf,
  headForm,
  isSigned,
  type NewestEntry,
  NOTHING_BEFORE,
  rootOver,
  type SealHead,
  type Signed,
} from '../seal.js';
import type { SealKeys } from '../verification/chains.js';

/** What was sealed is not what it was: somebody has cut off, or put in, what no signature of ours is over. Nothing is sealed on top of that. */
export class LedgerRewritten extends Error {
  override readonly name = 'LedgerRewritten';
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/**
 * What the next head is signed over. Nothing of it is taken from the database's word alone: what the last head is over gives the
 * root that we have signed, and each organization ends there, or with entries of which each follows from the one before it.
 * Who can write to the tables can cut a ledger off, and have other events queued: he does not get a signature over the result.
 * @param last the newest head; undefined before the first
 * @param before the newest entries as of `last`, in the order of their organizations
 * @param made the entries made since, by organization and position
 * @throws LedgerRewritten
 */
export function nextHead(
  keys: SealKeys,
  last: (SealHead & Signed) | undefined,
  before: readonly NewestEntry[],
  made: readonly (NewestEntry & { previous: Uint8Array })[],
): Pick<SealHead, 'seal' | 'previous' | 'root'> {
  const form = last && headForm(last);
  if (form && !isSigned(keys, form, last))
    throw new LedgerRewritten(`The head of seal ${last.seal} has no signature of ours.`);
  if (last ? !same(rootOver(before), last.root) : before.length > 0)
    throw new LedgerRewritten(`The ledgers do not end where the head of seal ${last?.seal ?? 0} says.`);
  const ends = new Map(before.map(({ organization, entry }) => [organization, entry]));
  for (const { organization, previous, entry } of made) {
    if (!same(ends.get(organization) ?? NOTHING_BEFORE, previous))
      throw new LedgerRewritten(`A tree of ${organization} does not follow from the one before it.`);
    ends.set(organization, entry);
  }
  const newest = [...ends].map(([organization, entry]) => ({ organization, entry }));
  newest.sort((one, other) => (one.organization < other.organization ? -1 : 1)); // as Postgres orders a uuid
  return {
    seal: (last?.seal ?? 0) + 1,
    previous: form ? hashOf(form) : NOTHING_BEFORE,
    root: rootOver(newest),
  };
}
