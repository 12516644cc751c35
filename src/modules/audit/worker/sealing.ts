import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { auditSealFailures } from '../../../platform/health/metrics.js';
import { causeForLog } from '../../../platform/logging/cause-for-log.js';
import { Chore } from '../../../platform/queue/chore.js';
import { headForm, isSigned, type SealHead, type Signed } from '../seal.js';
import { lastSeal, ourSealKeys } from '../seal.rows.js';
import type { SealKeys } from '../verification/chains.js';
import { MOST_AHEAD_MS } from './seal-time.js';
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
    const keys = await ourSealKeys(this.database.outside, this.config.SCANDOCK_MASTER_KEY);
    if (last && this.isEnough(keys, last)) return;
    await this.sealer.seal().catch((error: unknown) => {
      auditSealFailures.inc();
      this.logger.error({ cause: causeForLog(error) }, 'the audit ledger was not sealed, or not all of it');
      throw error;
    });
  }

  /**
   * Whether the last head is young enough to wait. One of a time to come, or that nobody of ours has signed, is no reason to:
   * the sealer says what is wrong with it.
   */
  private isEnough(keys: SealKeys, last: SealHead & Signed): boolean {
    const age = this.clock.now().getTime() - last.time.getTime();
    const isRecent = age >= -MOST_AHEAD_MS && age < this.config.AUDIT_SEAL_INTERVAL_MS;
    return isRecent && isSigned(keys, headForm(last), last);
  }
}
