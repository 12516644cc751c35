import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { ApplicationError } from '../../platform/errors/application-error.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { retiredMonths, retiredWithin } from './retired.rows.js';
import { lastSeal, ourSealKeys } from './seal.rows.js';
import type { Verification, Verify } from './seals.schemas.js';
import { fault, type Fault, GONE_BEFORE } from './verification/fault.js';
import { checkHeads, MOST_SIGNATURES } from './verification/ledger-heads.js';
import { BEFORE_ALL, type Interval, type Stretch, stretchOf } from './verification/ledger-reader.js';
import { addedEvent, duplicatedEvent, lostUnsealed } from './verification/ledger-sets.js';
import { LedgerWalk } from './verification/ledger-walk.js';
import { provenMonths } from './verification/proven-months.js';

/** Events of one request at most. */
const MOST_EVENTS = 1_000_000;
/** Ledgers that one process verifies at once: each takes a connection and much of a core. */
const MOST_AT_ONCE = 2;

/**
 * Compares an organization's ledger with its seals, tree by tree. What the seals rest on is checked after that: the heads over all
 * organizations up to the newest, that one of them is over the end of what was walked, and the heads that were taken to the bucket.
 */
@Injectable()
export class VerificationService {
  /** Organizations whose ledger this process is at. */
  private readonly underWay = new Set<string>();
  mostSignatures = MOST_SIGNATURES;
  mostEvents = MOST_EVENTS;

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
    const { keys, head, stretch, told } = await this.inside(organizationId, async (tx) => {
      const head = (await lastSeal(tx))?.seal ?? 0;
      const stretch = await this.stretchOf(tx, organizationId, interval, head);
      return {
        keys: await ourSealKeys(tx, this.config.SCANDOCK_MASTER_KEY),
        head,
        stretch,
        // Trees are judged whole: they may have events of months beside the interval.
        told: retiredWithin(await retiredMonths(tx, organizationId), stretch.spread),
      };
    });
    const proven = await provenMonths({ database, storage }, keys, organizationId, told);
    const months = { told, proven };
    const walk = new LedgerWalk(database, { organizationId, keys, interval, head, months, signal });
    let found = (await walk.begin(stretch.before)) ?? (await walk.goOn(stretch.behind));
    signal?.throwIfAborted();
    found ??= await this.compareSets(organizationId, interval, stretch);
    signal?.throwIfAborted();
    found ??= await this.finish(walk, interval, head);
    const heads = await checkHeads({ database, storage }, walk, this.mostSignatures);
    found ??= heads.fault ?? (await walk.endFault()) ?? walk.firstGap; // which was seen when it was sealed
    return {
      valid: found === undefined,
      events: walk.events,
      seals: walk.seals,
      unsealed: stretch.unsealed,
      retired: walk.retired,
      missing: walk.missing,
      ...(heads.through && { through: heads.through.toISOString() }),
      ...(heads.anchoredThrough && { anchored_through: heads.anchoredThrough.toISOString() }),
      ...(found && { first_bad: found }),
    };
  }

  /**
   * Nothing is in the ledger but what has exactly one position, or waits for it. Trees that were made since the walk count as well: of
   * what waited when it began they may have some. They are walked after this.
   */
  private async compareSets(
    organizationId: string,
    interval: Interval,
    { before: behind = BEFORE_ALL }: Stretch,
  ): Promise<Fault | undefined> {
    const walked = { ...interval, behind };
    const twice = await this.inside(organizationId, (tx) => duplicatedEvent(tx, organizationId, walked));
    if (twice) return fault('duplicated', twice);
    const added = await this.inside(organizationId, (tx) => addedEvent(tx, organizationId, walked));
    if (added) return fault('added', { id: added });
    const lost = await this.inside(organizationId, (tx) => lostUnsealed(tx, organizationId, interval));
    return lost === undefined ? undefined : fault('removed', { id: lost }, GONE_BEFORE);
  }

  /** Walks what was sealed since, so that no tree has vouched for an event that was not walked, and what is behind the interval. */
  private async finish(walk: LedgerWalk, interval: Interval, head: number): Promise<Fault | undefined> {
    const { organizationId } = walk;
    const stretch =
      interval.to &&
      (await this.inside(organizationId, (tx) => this.stretchOf(tx, organizationId, interval, head)));
    return (await walk.goOn(stretch?.behind)) ?? (await walk.finish());
  }

  /** @throws too_many_events */
  private async stretchOf(
    tx: SqlTransaction,
    organizationId: string,
    interval: Interval,
    head: number,
  ): Promise<Stretch> {
    const stretch = await stretchOf(tx, organizationId, interval, head);
    if (stretch.sealed + stretch.unsealed <= this.mostEvents) return stretch;
    throw new ApplicationError(
      'too_many_events',
      422,
      `There are more than ${this.mostEvents} events in this interval, or in what has to be walked for it. Verify shorter ones by from and to, or verify an export.`,
    );
  }

  private inside<T>(organizationId: string, work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return this.database.withOrganizationSql(organizationId, work);
  }
}
