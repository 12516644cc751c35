import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import {
  auditAnchorBehind,
  auditSealAgeSeconds,
  auditUnsealed,
  auditUnsealedOldestSeconds,
} from '../../../platform/health/metrics.js';
import { Chore } from '../../../platform/queue/chore.js';
import { lastAnchored, lastSeal } from '../seal.rows.js';
import { Anchoring } from './anchoring.js';

/** Tells how far the seals are behind the ledger, and the anchors behind the seals. */
@Injectable()
export class AuditGauges extends Chore {
  readonly name = 'audit gauges';
  override readonly prompt = true;

  constructor(
    private readonly database: DatabaseService,
    private readonly anchoring: Anchoring,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now().getTime();
    const age = (time: Date | undefined) => (time ? Math.max(0, now - time.getTime()) / 1000 : 0);
    const waiting = await this.database.outside.$queryRaw<{ records: bigint; oldest: Date }[]>`
      SELECT records, oldest FROM audit_unsealed_organizations()`;
    auditUnsealed.set(waiting.reduce((sum, { records }) => sum + Number(records), 0));
    const [oldest] = waiting.map((row) => row.oldest).sort((one, other) => one.getTime() - other.getTime());
    auditUnsealedOldestSeconds.set(age(oldest));
    await this.database.withOrganizationSql(PLATFORM_ORGANIZATION, async (tx) => {
      const last = await lastSeal(tx);
      // Of one that is of a time to come as well: nothing is sealed until then.
      auditSealAgeSeconds.set(last ? Math.abs(now - last.time.getTime()) / 1000 : 0);
      for (const place of this.anchoring.placeNames)
        auditAnchorBehind.set(
          { place },
          this.anchoring.behind(place, last?.seal ?? 0, await lastAnchored(tx, place)),
        );
    });
  }
}
