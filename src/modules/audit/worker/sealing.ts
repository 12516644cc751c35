import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { auditSealFailures } from '../../../platform/health/metrics.js';
import { causeForLog } from '../../../platform/logging/cause-for-log.js';
import { Chore } from '../../../platform/queue/chore.js';
import { lastSeal } from '../seal.rows.js';
import { SealerService } from './sealer.service.js';

/** Seals the ledger once a minute, whether something has happened or not: a seal that is missing is seen. */
@Injectable()
export class Sealing extends Chore {
  readonly name = 'sealing';
  override readonly prompt = true;
  private readonly logger = new Logger(Sealing.name);

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly sealer: SealerService,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const last = await lastSeal(this.database.outside);
    const due = last ? last.time.getTime() + this.config.AUDIT_SEAL_INTERVAL_MS : 0;
    if (this.clock.now().getTime() < due) return;
    await this.sealer.seal().catch((error: unknown) => {
      auditSealFailures.inc();
      this.logger.error({ cause: causeForLog(error) }, 'the audit ledger was not sealed, or not all of it');
      throw error;
    });
  }
}
