import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { headForm, isSigned, type NewestEntry, rootOver, type SealHead, type Signed } from '../seal.js';
import { newestEntries } from '../seal.rows.js';
import { HeadChain, type SealKeys } from './chains.js';
import { fault, type Fault } from './fault.js';
import { headsFrom } from './ledger-reader.js';

/**
 * The heads from the first one that is concerned to the newest. Of each: number, signature if it is asked for, and that it follows
 * from the one before it. {@link rootFault} says whether one is over the newest entries of all organizations as of then.
 */
export class HeadCheck {
  private readonly chain: HeadChain;
  /** The newest one. */
  newest: (SealHead & Signed) | undefined;

  constructor(
    keys: SealKeys,
    /** Number of the first. */
    private readonly from: number,
    /** Whose signature is checked; the others are what was signed if the last one is. */
    private readonly signed: (seal: number) => boolean = () => true,
  ) {
    this.chain = new HeadChain(keys);
  }

  /** Takes the next head. Returns what is wrong with it. */
  add(head: SealHead & Signed & { head: Buffer }): Fault | undefined {
    if (!this.newest && head.seal !== this.from) return fault('head', { seal: this.from }, 'It is missing.');
    this.newest = head;
    const wrong = this.chain.add(head, !this.signed(head.seal));
    if (wrong) return wrong;
    if (this.chain.hash?.equals(head.head)) return undefined;
    return fault('head', { seal: head.seal }, 'It has another hash than is kept beside it.');
  }
}

/** Whether a head is over what the ledgers have. */
export async function rootFault(tx: SqlTransaction, head: SealHead): Promise<Fault | undefined> {
  return coveredBy(head, await newestEntries(tx, head.seal)) ? undefined : otherEnd(head.seal);
}

/**
 * Whether the head of a seal is one that we have signed, and over the very entry that a walk of an organization's ledger has come to.
 * What the database says is that organization's newest entry need not be of a tree that anybody can walk to.
 * @param entry hash of the last entry walked of those made up to that seal; undefined when there was none
 */
export async function endFault(
  tx: SqlTransaction,
  keys: SealKeys,
  seal: number,
  { organization, entry }: { organization: string; entry: Uint8Array | undefined },
): Promise<Fault | undefined> {
  if (seal === 0) return undefined; // no head yet
  const head = await headOf(tx, seal);
  if (!head) return fault('head', { seal }, 'It is missing.');
  if (!isSigned(keys, headForm(head), head))
    return fault('head', { seal }, 'No key of this deployment has signed it.');
  const newest = await newestEntries(tx, seal);
  if (!coveredBy(head, newest)) return otherEnd(seal);
  const covered = newest.find((each) => each.organization === organization)?.entry;
  if (covered && entry ? Buffer.compare(covered, entry) === 0 : covered === entry) return undefined;
  return fault('truncated', { seal }, 'The head covers another end of this ledger than can be walked to.');
}

const coveredBy = ({ root }: SealHead, newest: readonly NewestEntry[]): boolean =>
  rootOver(newest).equals(root);

const otherEnd = (seal: number): Fault =>
  fault(
    'truncated',
    { seal },
    'The head covers another end of this ledger, or of another organization’s, than is there.',
  );

async function headOf(tx: SqlTransaction, seal: number): Promise<(SealHead & Signed) | undefined> {
  const [head] = await headsFrom(tx, seal);
  return head?.seal === seal ? head : undefined;
}
