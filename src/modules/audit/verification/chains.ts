import type { KeyObject } from 'node:crypto';
import {
  entryForm,
  hashOf,
  headForm,
  isSigned,
  NOTHING_BEFORE,
  type SealHead,
  type Signed,
  type TreeEntry,
} from '../seal.js';
import { fault, type Fault } from './fault.js';

export type SealKeys = ReadonlyMap<string, KeyObject>;

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/** The entries of one organization's trees, one after the other: each signed, each following from the one before it. */
export class EntryChain {
  private former: { next: number; hash: Buffer; seal: number } | undefined;

  constructor(
    private readonly keys: SealKeys,
    private readonly organization: string,
    /** Whether trees may be left out between two of them, as those are in which an export has nothing. */
    private readonly loose = false,
  ) {}

  /** Position after the last entry's events. */
  get next(): number | undefined {
    return this.former?.next;
  }

  /** Hash of the last entry. */
  get hash(): Buffer | undefined {
    return this.former?.hash;
  }

  /** Takes the next entry. Returns what is wrong with it. */
  add(entry: TreeEntry & Signed): Fault | undefined {
    const { former } = this;
    const form = entryForm(entry);
    this.former = { next: entry.first + entry.size, hash: hashOf(form), seal: entry.seal };
    const { seal } = entry;
    // Where it stands is signed: of one that is not, the place is not known either.
    const seq = former && !this.loose ? Math.min(former.next, entry.first) : entry.first;
    if (entry.organization !== this.organization || !isSigned(this.keys, form, entry))
      return fault('forged', { seq, seal });
    if (entry.first === 1 && !same(entry.previous, NOTHING_BEFORE))
      return fault('unchained', { seq: 1, seal });
    if (!former) return undefined;
    if (entry.first < former.next || entry.seal < former.seal) return fault('reordered', { seq, seal });
    if (entry.first === former.next)
      return same(entry.previous, former.hash) ? undefined : fault('unchained', { seq, seal });
    if (this.loose) return undefined;
    return fault('removed', { seq }, `So is all up to position ${entry.first - 1}.`);
  }
}

/** Heads, one after the other by number. */
export class HeadChain {
  private former: { seal: number; hash: Buffer } | undefined;

  constructor(private readonly keys: SealKeys) {}

  /** Hash of the last head. */
  get hash(): Buffer | undefined {
    return this.former?.hash;
  }

  /**
   * @param trusting leaves its signature to the next one's, which is over its hash
   * @returns what is wrong with the head that comes next
   */
  add(head: SealHead & Signed, trusting = false): Fault | undefined {
    const { former } = this;
    const form = headForm(head);
    this.former = { seal: head.seal, hash: hashOf(form) };
    const { seal } = head;
    if (former && seal !== former.seal + 1) return fault('head', { seal: former.seal + 1 }, 'It is missing.');
    if (!trusting && !isSigned(this.keys, form, head))
      return fault('head', { seal }, 'No key of this deployment has signed it.');
    const before = former?.hash ?? (seal === 1 ? NOTHING_BEFORE : undefined);
    if (before && !same(before, head.previous))
      return fault('head', { seal }, 'It does not follow from the one before it.');
    return undefined;
  }
}
