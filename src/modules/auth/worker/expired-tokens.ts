import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';

const SWEEP_INTERVAL_MS = 60_000;
/** Kept so long past their end, in milliseconds: the clock of who would still take one may be behind ours. */
const KEPT_MS = 10 * 60_000;
const BATCH = 1000;

/** Forgets tokens that were revoked or used up, once they would have expired anyhow. */
@Injectable()
export class ExpiredTokens extends Chore {
  readonly name = 'expired tokens';
  private sweptAt = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now();
    if (now.getTime() - this.sweptAt < SWEEP_INTERVAL_MS) return;
    this.sweptAt = now.getTime();
    const ended = new Date(now.getTime() - KEPT_MS);
    for (let swept = BATCH; swept >= BATCH;) {
      const [row] = await this.database.outside.$queryRaw<{ swept: bigint }[]>`
        SELECT sweep_tokens(${ended}::timestamptz, ${BATCH}::int) AS swept`;
      swept = Number(row!.swept);
    }
  }
}
