import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { ApplicationError } from '../../platform/errors/application-error.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { type EventName, eventsNamed } from './ledger.rows.js';
import { isMissing } from './missing-event.js';
import { isRetired, type RetiredMonth, retiredMonths, retiredWithin } from './retired.rows.js';
import { ourSealKeys } from './seal.rows.js';
import type { Verification, Verify } from './seals.schemas.js';
import { EntryChain } from './verification/chains.js';
import { fault, type Fault, GONE_BEFORE } from './verification/fault.js';
import { checkHeads, MOST_SIGNATURES, type WalkedSeals } from './verification/ledger-heads.js';
import {
  addedEvent,
  duplicatedEvent,
  eventById,
  extentOf,
  type Interval,
  lostUnsealed,
  type StoredTree,
  treeBefore,
  treesFrom,
} from './verification/ledger-reader.js';
import { provenMonths } from './verification/proven-months.js';
import { judgeEvents, leafOf } from './verification/tree-events.js';

/** Events of one request at most. */
const MOST_EVENTS = 1_000_000;
/** Ledgers that one process verifies at once: each takes a connection and much of a core. */
const MOST_AT_ONCE = 2;
/** Events that are read at a time: so long the process does nothing else. */
const SLICE = 1_000;

/** A walk under way. */
interface Walk extends WalkedSeals {
  interval: Interval;
  chain: EntryChain;
  events: number;
  seals: number;
  /** Months that were taken out of the ledger: of those that are proven, what is not there was not removed. */
  months: { told: readonly RetiredMonth[]; proven: readonly RetiredMonth[] };
  retired: number;
  /** Events that were gone before their seal, and the first of them. */
  missing: number;
  firstGap?: Fault;
}

/**
 * Compares an organization's ledger with its seals, tree by tree: each batch in a transaction of its own, a batch in memory.
 * What the seals rest on is checked after that: the heads over all organizations up to the newest, and the heads that were
 * taken to the bucket.
 */
@Injectable()
export class VerificationService {
  /** Organizations whose ledger this process is at. */
  private readonly underWay = new Set<string>();
  mostSignatures = MOST_SIGNATURES;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
  ) {}

  /**
   * One at a time for an organization and few for all, since each reads and hashes as much as a million events.
   * @param signal ends it: nobody waits for what is found
   * @throws verification_under_way, too_many_events; what the signal was aborted with
   */
  async verify(organizationId: string, interval: Verify, signal?: AbortSignal): Promise<Verification> {
    if (this.underWay.has(organizationId) || this.underWay.size >= MOST_AT_ONCE)
      throw new ApplicationError(
        'verification_under_way',
        409,
        'This ledger is being verified, or several others are. Ask again when that has been answered.',
      );
    this.underWay.add(organizationId);
    try {
      return await this.walk(organizationId, interval, signal);
    } finally {
      this.underWay.delete(organizationId);
    }
  }

  private async walk(
    organizationId: string,
    { from, to }: Verify,
    signal?: AbortSignal,
  ): Promise<Verification> {
    const { database, storage } = this;
    const interval = { ...(from && { from: new Date(from) }), ...(to && { to: new Date(to) }) };
    const [keys, extent, told] = await this.inside(organizationId, async (tx) => [
      await ourSealKeys(tx, this.config.SCANDOCK_MASTER_KEY),
      await extentOf(tx, organizationId, interval),
      retiredWithin(await retiredMonths(tx, organizationId), interval),
    ]);
    if (extent.sealed + extent.unsealed > MOST_EVENTS)
      throw new ApplicationError(
        'too_many_events',
        422,
        `There are more than ${MOST_EVENTS} events in this interval. Verify shorter ones by from and to, or verify an export.`,
      );
    const proven = await provenMonths({ database, storage }, keys, organizationId, told);
    const chain = new EntryChain(keys, organizationId);
    const months = { told, proven };
    const walk: Walk = {
      organizationId,
      interval,
      signal,
      keys,
      chain,
      events: 0,
      seals: 0,
      months,
      retired: 0,
      missing: 0,
    };
    const first = from === undefined ? 1 : extent.first;
    const last = to === undefined ? Number.MAX_SAFE_INTEGER : extent.last;
    let found =
      first === undefined || last === undefined ? undefined : await this.walkTrees(walk, first, last);
    signal?.throwIfAborted();
    found ??= await this.compareSets(walk);
    signal?.throwIfAborted();
    const heads = await checkHeads({ database, storage }, walk, this.mostSignatures);
    found ??= heads.fault ?? walk.firstGap; // which was seen when it was sealed
    return {
      valid: found === undefined,
      events: walk.events,
      seals: walk.seals,
      unsealed: extent.unsealed,
      retired: walk.retired,
      missing: walk.missing,
      ...(heads.through && { through: heads.through.toISOString() }),
      ...(heads.anchoredThrough && { anchored_through: heads.anchoredThrough.toISOString() }),
      ...(found && { first_bad: found }),
    };
  }

  private async walkTrees(walk: Walk, first: number, last: number): Promise<Fault | undefined> {
    const { organizationId, chain } = walk;
    const before = await this.inside(organizationId, async (tx) => {
      const at = await treeBefore(tx, organizationId, first);
      return at === undefined ? undefined : (await treesFrom(tx, organizationId, at, at))[0];
    });
    if (before) {
      const wrong = chain.add(before);
      if (wrong) return wrong;
    }
    for (let next = first; ;) {
      walk.signal?.throwIfAborted();
      const { wrong, end } = await this.inside(organizationId, (tx) => this.walkBatch(tx, walk, next, last));
      if (wrong || end === undefined) return wrong;
      next = end;
    }
  }

  /** @returns where the next batch begins, or what is wrong */
  private async walkBatch(
    tx: SqlTransaction,
    walk: Walk,
    from: number,
    last: number,
  ): Promise<{ wrong?: Fault | undefined; end?: number }> {
    const trees = await treesFrom(tx, walk.organizationId, from, last);
    if (trees.length === 0) return {};
    const leaves = await this.leavesOf(
      tx,
      walk.organizationId,
      trees.flatMap(({ events }) => events),
    );
    let at = 0;
    for (const tree of trees) {
      const actual = leaves.slice(at, (at += tree.events.length));
      const wrong = await this.judgeTree(tx, walk, tree, actual);
      if (wrong) return { wrong };
    }
    return { end: trees.at(-1)!.first + 1 };
  }

  private async judgeTree(
    tx: SqlTransaction,
    walk: Walk,
    tree: StoredTree,
    actual: (Buffer | undefined)[],
  ): Promise<Fault | undefined> {
    const { organizationId, chain, interval } = walk;
    const gaps = new Set<number>();
    if (chain.next === undefined && tree.first > 1 && interval.from === undefined)
      return fault('removed', { seq: 1 }, `So is all up to position ${tree.first - 1}.`);
    walk.firstSeal ??= tree.seal;
    walk.lastSeal = tree.seal;
    const wrong =
      chain.add(tree) ??
      (await judgeEvents(tree, {
        actual,
        retired: ({ occurredAt }) =>
          isRetired(walk.months.proven, occurredAt)
            ? 'proven'
            : isRetired(walk.months.told, occurredAt)
              ? 'told'
              : undefined,
        gap: (index) => {
          gaps.add(index);
          const place = { seq: tree.first + index, id: tree.events[index]!.id };
          walk.firstGap ??= fault('removed', place, GONE_BEFORE);
        },
        elsewhere: (id) => eventById(tx, organizationId, id),
      })) ??
      recordFault(tree, chain.hash!);
    if (wrong) return wrong;
    walk.seals++;
    for (const [index, event] of tree.events.entries()) {
      if (!isWithin(interval, event.occurredAt)) continue;
      if (actual[index]) walk.events++;
      else if (gaps.has(index)) walk.missing++;
      else walk.retired++;
    }
    return undefined;
  }

  private async leavesOf(
    tx: SqlTransaction,
    organizationId: string,
    names: readonly EventName[],
  ): Promise<(Buffer | undefined)[]> {
    const leaves: (Buffer | undefined)[] = [];
    for (let from = 0; from < names.length; from += SLICE) {
      const slice = names.slice(from, from + SLICE);
      const found = await eventsNamed(tx, organizationId, slice);
      for (const { id, occurredAt } of slice) {
        const event = found.get(id);
        const isThere = event?.occurredAt.getTime() === occurredAt.getTime() && !isMissing(event);
        leaves.push(isThere ? leafOf(event) : undefined);
      }
    }
    return leaves;
  }

  /** Nothing is in the ledger but what has exactly one position, or waits for it. */
  private async compareSets({ organizationId, interval }: Walk): Promise<Fault | undefined> {
    const twice = await this.inside(organizationId, (tx) => duplicatedEvent(tx, organizationId, interval));
    if (twice) return fault('duplicated', twice);
    const added = await this.inside(organizationId, (tx) => addedEvent(tx, organizationId, interval));
    if (added) return fault('added', { id: added });
    const lost = await this.inside(organizationId, (tx) => lostUnsealed(tx, organizationId, interval));
    return lost === undefined ? undefined : fault('removed', { id: lost }, GONE_BEFORE);
  }

  private inside<T>(organizationId: string, work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return this.database.withOrganizationSql(organizationId, work);
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
