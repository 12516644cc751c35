import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';
import { Enqueuer } from '../../../platform/queue/enqueuer.js';
import { deliverCode } from '../auth.jobs.js';

/** A code that is not sent after so long is queued again, and then as often, in milliseconds. */
const STALLED_MS = 15_000;
const SWEEP_INTERVAL_MS = 60_000;
/** Codes, counts of guesses and sessions are kept so long after their end. */
const KEPT_MS = 30 * 24 * 3600 * 1000;
const BATCH = 1000;

/** Sends the codes whose job was lost, and forgets sign-ins that are long over. */
@Injectable()
export class UnsentCodes extends Chore {
  readonly name = 'unsent codes';
  /** Queued again a while ago: a mail server that is away must not be asked with every pass. */
  private readonly requeued = new LRUCache<string, true>({ max: 10 * BATCH, ttl: STALLED_MS });
  private sweptAt = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now();
    const stalled = new Date(now.getTime() - STALLED_MS);
    const rows = await this.database.outside.$queryRaw<{ id: string; organization_id: string }[]>`
      SELECT * FROM reconcile_unsent_codes(${stalled}::timestamptz, ${now}::timestamptz, ${BATCH}::int)`;
    const due = rows.filter(({ id }) => !this.requeued.has(id));
    for (const { id } of due) this.requeued.set(id, true);
    await this.enqueuer.enqueue(
      deliverCode,
      due.map(({ id, organization_id }) => ({ challengeId: id, organizationId: organization_id })),
    );
    await this.sweep(now);
  }

  private async sweep(now: Date): Promise<void> {
    if (now.getTime() - this.sweptAt < SWEEP_INTERVAL_MS) return;
    this.sweptAt = now.getTime();
    const ended = new Date(now.getTime() - KEPT_MS);
    for (let swept = BATCH; swept >= BATCH;) {
      const [row] = await this.database.outside.$queryRaw<{ swept: bigint }[]>`
        SELECT sweep_sign_ins(${ended}::timestamptz, ${BATCH}::int) AS swept`;
      swept = Number(row!.swept);
    }
  }
}
