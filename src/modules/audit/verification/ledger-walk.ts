import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { type EventName, eventsNamed } from '../ledger.rows.js';
import { isMissing } from '../missing-event.js';
import { isRetired, type RetiredMonth } from '../retired.rows.js';
import type { Signed, TreeEntry } from '../seal.js';
import { EntryChain, type SealKeys } from './chains.js';
import { fault, type Fault, GONE_BEFORE } from './fault.js';
import { endFault } from './head-check.js';
import type { WalkedSeals } from './ledger-heads.js';
import {
  BEFORE_ALL,
  entriesBehind,
  eventById,
  type Interval,
  mayBeWithin,
  type StoredTree,
  treesBehind,
} from './ledger-reader.js';
import { judgeEvents, leafOf } from './tree-events.js';

/** Events that are read at a time: so long the process does nothing else. */
const SLICE = 1_000;

export interface WalkOf {
  organizationId: string;
  keys: SealKeys;
  interval: Interval;
  /** Number of the newest head when the walk begins: all trees of its seal and of those before are there to be walked. */
  head: number;
  /** Months that were taken out of the ledger: of those that are proven, what is not there was not removed. */
  months: { told: readonly RetiredMonth[]; proven: readonly RetiredMonth[] };
  signal: AbortSignal | undefined;
}

/**
 * A walk along an organization's trees: from the one before an interval, over all that are of it, whose events are looked at, to
 * the one behind it. Each batch is in a transaction of its own, a batch in memory.
 */
export class LedgerWalk implements WalkedSeals {
  readonly organizationId: string;
  readonly keys: SealKeys;
  readonly signal: AbortSignal | undefined;
  firstSeal?: number;
  lastSeal?: number;
  events = 0;
  seals = 0;
  retired = 0;
  /** Events that were gone before their seal, and the first of them. */
  missing = 0;
  firstGap?: Fault;
  private readonly chain: EntryChain;
  /** Where the last tree begins that was taken. */
  private at = BEFORE_ALL;
  /** The head that is over the last one that was taken of those made up to its seal. */
  private end: { seal: number; entry: Buffer | undefined };

  constructor(
    private readonly database: DatabaseService,
    private readonly of: WalkOf,
  ) {
    ({ organizationId: this.organizationId, keys: this.keys, signal: this.signal } = of);
    this.chain = new EntryChain(this.keys, this.organizationId);
    this.end = { seal: of.head, entry: undefined };
  }

  /** Takes the tree before the interval: what it says of itself has to be signed, and what comes next follows from it. */
  async begin(before: bigint | undefined): Promise<Fault | undefined> {
    if (before === undefined) return undefined;
    const [entry] = await this.inside((tx) => entriesBehind(tx, this.organizationId, before - 1n));
    const { from } = this.of.interval;
    // It was found by what is written beside its signature, a moment ago.
    if (!entry || BigInt(entry.first) !== before || !from || entry.time >= from || entry.seal > this.of.head)
      return fault('record', { seq: Number(before) }, 'It is not what it was a moment ago.');
    return this.take(entry);
  }

  /** Goes on, up to the tree that begins at `behind`; without it, to the end. */
  async goOn(behind: bigint | undefined): Promise<Fault | undefined> {
    for (;;) {
      this.signal?.throwIfAborted();
      const { wrong, more } = await this.inside((tx) => this.batch(tx, behind));
      if (wrong || !more) return wrong;
    }
  }

  /**
   * Takes what is behind the interval, without its events: the tree there, which says that it is of another time, and the others of its seal,
   * since a head is over the last of those.
   */
  async finish(): Promise<Fault | undefined> {
    let seal: number | undefined;
    for (;;) {
      this.signal?.throwIfAborted();
      const entries = await this.inside((tx) => entriesBehind(tx, this.organizationId, this.at));
      const next = entries[0];
      if (!next) return undefined;
      // It was made since, or it is not what it was: its events may be of the interval.
      if (seal === undefined && this.of.interval.to && mayBeWithin(this.of.interval, next.time)) {
        const { at } = this;
        const wrong = await this.goOn(BigInt(next.first) + 1n);
        if (wrong) return wrong;
        if (this.at === at)
          return fault('record', { seq: next.first, seal: next.seal }, 'It cannot be read.');
        continue;
      }
      for (const entry of entries) {
        if (seal !== undefined && entry.seal > seal) {
          this.end.seal = Math.min(seal, this.of.head);
          return undefined;
        }
        const wrong = this.link(entry);
        if (wrong) return wrong;
        seal = entry.seal;
        this.firstSeal ??= seal;
      }
    }
  }

  /** Whether what was walked ends where a head says. To be asked for once it is finished. */
  endFault(): Promise<Fault | undefined> {
    const { organizationId: organization, keys, end } = this;
    return this.inside((tx) => endFault(tx, keys, end.seal, { organization, entry: end.entry }));
  }

  /** @returns whether there may be more, or what is wrong */
  private async batch(
    tx: SqlTransaction,
    behind: bigint | undefined,
  ): Promise<{ wrong?: Fault | undefined; more?: boolean }> {
    const trees = await treesBehind(tx, this.organizationId, this.at, behind);
    const leaves = await this.leavesOf(
      tx,
      trees.flatMap(({ events }) => events),
    );
    let at = 0;
    for (const tree of trees) {
      const actual = leaves.slice(at, (at += tree.events.length));
      const wrong = await this.judge(tx, tree, actual);
      if (wrong) return { wrong };
    }
    return { more: trees.length > 0 };
  }

  private async judge(
    tx: SqlTransaction,
    tree: StoredTree,
    actual: (Buffer | undefined)[],
  ): Promise<Fault | undefined> {
    const { months, interval } = this.of;
    const gaps = new Set<number>();
    this.firstSeal ??= tree.seal;
    this.lastSeal = tree.seal;
    const wrong =
      this.link(tree) ??
      (tree.isReadable
        ? undefined
        : fault('record', { seq: tree.first, seal: tree.seal }, 'It names no events by ids and times.')) ??
      (await judgeEvents(tree, {
        actual,
        retired: ({ occurredAt }) =>
          isRetired(months.proven, occurredAt)
            ? 'proven'
            : isRetired(months.told, occurredAt)
              ? 'told'
              : undefined,
        gap: (index) => {
          gaps.add(index);
          const place = { seq: tree.first + index, id: tree.events[index]!.id };
          this.firstGap ??= fault('removed', place, GONE_BEFORE);
        },
        elsewhere: (id) => eventById(tx, this.organizationId, id),
      })) ??
      recordFault(tree, this.chain.hash!);
    if (wrong) return wrong;
    this.seals++;
    for (const [index, event] of tree.events.entries()) {
      if (!isWithin(interval, event.occurredAt)) continue;
      if (actual[index]) this.events++;
      else if (gaps.has(index)) this.missing++;
      else this.retired++;
    }
    return undefined;
  }

  /** Takes the next tree: nothing is before the first one that is walked, unless the walk began behind another one. */
  private link(entry: TreeEntry & Signed): Fault | undefined {
    if (this.chain.next === undefined && entry.first > 1)
      return fault('removed', { seq: 1 }, `So is all up to position ${entry.first - 1}.`);
    return this.take(entry);
  }

  private take(entry: TreeEntry & Signed): Fault | undefined {
    const wrong = this.chain.add(entry);
    this.at = BigInt(entry.first);
    if (entry.seal <= this.of.head) this.end.entry = this.chain.hash;
    return wrong;
  }

  private async leavesOf(tx: SqlTransaction, names: readonly EventName[]): Promise<(Buffer | undefined)[]> {
    const leaves: (Buffer | undefined)[] = [];
    for (let from = 0; from < names.length; from += SLICE) {
      const slice = names.slice(from, from + SLICE);
      const found = await eventsNamed(tx, this.organizationId, slice);
      for (const { id, occurredAt } of slice) {
        const event = found.get(id, occurredAt);
        leaves.push(event && !isMissing(event) ? leafOf(event) : undefined);
      }
    }
    return leaves;
  }

  private inside<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return this.database.withOrganizationSql(this.organizationId, work);
  }
}

const isWithin = ({ from, to }: Interval, time: Date): boolean =>
  (from === undefined || time >= from) && (to === undefined || time < to);

/** What a tree says beside its signed entry; by it the tree is found. */
function recordFault(
  { first, seal, entry, events, firstTime, lastTime }: StoredTree,
  hash: Buffer,
): Fault | undefined {
  const outside = events.findIndex(({ occurredAt }) => occurredAt < firstTime || occurredAt > lastTime);
  if (outside >= 0) return fault('record', { seq: first + outside, id: events[outside]!.id, seal });
  const fits =
    hash.equals(entry) &&
    firstTime.getTime() === events[0]!.occurredAt.getTime() &&
    lastTime.getTime() === events.at(-1)!.occurredAt.getTime();
  return fits ? undefined : fault('record', { seq: first, seal });
}
