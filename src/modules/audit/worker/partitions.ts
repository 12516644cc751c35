import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { auditDefaultRows } from '../../../platform/health/metrics.js';
import { Chore } from '../../../platform/queue/chore.js';

/** Passes are more frequent than months. */
const INTERVAL_MS = 60_000;
const AHEAD_MONTHS = 3;

/** Makes the partitions of the months to come, and tells of events that none took. */
@Injectable()
export class Partitions extends Chore {
  readonly name = 'audit partitions';
  private lookedAt = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now();
    if (now.getTime() - this.lookedAt < INTERVAL_MS) return;
    await this.database.outside
      .$queryRaw`SELECT audit_ensure_partitions(${now}::date, ${AHEAD_MONTHS}::int)::text`;
    const [unplaced] = await this.database.outside.$queryRaw<{ records: bigint }[]>`
      SELECT audit_default_records() AS records`;
    auditDefaultRows.set(Number(unplaced!.records));
    this.lookedAt = now.getTime();
  }
}
