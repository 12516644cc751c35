import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { rootOver, type SealHead, type Signed } from '../seal.js';
import { newestEntries } from '../seal.rows.js';
import { HeadChain, type SealKeys } from './chains.js';
import { fault, type Fault } from './fault.js';

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
export async function rootFault(tx: SqlTransaction, { seal, root }: SealHead): Promise<Fault | undefined> {
  const newest = await newestEntries(tx, seal);
  if (rootOver(newest).equals(root)) return undefined;
  return fault(
    'truncated',
    { seal },
    'The head covers another end of this ledger, or of another organization’s, than is there.',
  );
}
