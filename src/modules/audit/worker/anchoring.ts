import { Injectable, Logger } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { Chore } from '../../../platform/queue/chore.js';
import { insertAnchor, lastAnchored, lastSeal } from '../seal.rows.js';
import { headsFrom } from '../verification/ledger-reader.js';
import { AnchorConflictError, type AnchorPlace, BucketAnchors, UrlAnchors } from './anchor-places.js';

/** Longest that heads are taken to a place within one pass, in milliseconds: others wait for the pass to end. */
const TURN_MS = 3_000;
/** A place that did not take a head is asked again after so long, in milliseconds; twice as long each time. */
const AGAIN_MS = { first: 5_000, most: 60_000 };

/**
 * Takes each head out of the database, to every place there is, in the order of their numbers: none is given up, and none is left
 * out unless the database has been made to say that it was taken. A place that is away keeps no other from its heads, and gets those it has missed when it is back.
 */
@Injectable()
export class Anchoring extends Chore {
  readonly name = 'anchoring';
  private readonly logger = new Logger(Anchoring.name);
  private readonly places: AnchorPlace[];
  private readonly refused = new Map<string, { until: number; pause: number }>();
  /** The last head that this process has taken to each place. */
  private readonly taken = new Map<string, { seal: number; head: Buffer }>();

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
    bucket: BucketAnchors,
    url: UrlAnchors,
  ) {
    super();
    this.places = url.available ? [bucket, url] : [bucket];
  }

  async run(): Promise<void> {
    for (const place of this.places) {
      const { until = 0, pause = AGAIN_MS.first } = this.refused.get(place.name) ?? {};
      if (this.clock.now().getTime() < until) continue;
      try {
        await this.takeAll(place);
        this.refused.delete(place.name);
      } catch (error) {
        this.refused.set(place.name, {
          until: this.clock.now().getTime() + pause,
          pause: Math.min(2 * pause, AGAIN_MS.most),
        });
        this.report(place, error as Error & { code?: string });
      }
    }
  }

  /** The names of the places that heads are taken to. */
  get placeNames(): string[] {
    return this.places.map(({ name }) => name);
  }

  /** How many heads a place has not got. @param noted the last that the database says it has */
  behind(place: string, seal: number, noted: number): number {
    return Math.max(0, seal - (this.taken.get(place)?.seal ?? Math.min(noted, seal)));
  }

  /**
   * From the one behind the last that was noted. That is a row of the very database which anchors are to guard: whatever it says,
   * the newest head is taken, and with it all before are bound.
   */
  private async takeAll(place: AnchorPlace): Promise<void> {
    const end = performance.now() + TURN_MS;
    const [newest, noted] = await this.inside(async (tx) => [
      await lastSeal(tx),
      await lastAnchored(tx, place.name),
    ]);
    const taken = this.taken.get(place.name);
    if (!newest || taken?.head.equals(newest.head)) return;
    const last = noted <= newest.seal ? noted : (taken?.seal ?? newest.seal - 1); // none is noted before it is there
    let next = Math.min(last + 1, newest.seal);
    while (performance.now() < end) {
      const heads = await this.inside((tx) => headsFrom(tx, next));
      if (heads.length === 0) return;
      for (const head of heads) {
        await place.take(head);
        this.taken.set(place.name, head);
        await this.inside((tx) => insertAnchor(tx, place.name, head.seal, this.clock.now()));
        next = head.seal + 1;
        if (performance.now() >= end) return;
      }
    }
  }

  private report({ name }: AnchorPlace, error: Error & { code?: string }): void {
    if (error instanceof AnchorConflictError)
      return this.logger.error(`${error.message} History was written anew, or somebody else writes there.`);
    this.logger.warn(`heads could not be taken to the ${name} (${error.code ?? error.name}); tried again`);
  }

  private inside<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return this.database.withOrganizationSql(PLATFORM_ORGANIZATION, work);
  }
}
