import { Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { Job } from 'bullmq';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { causeForLog } from '../../../platform/logging/cause-for-log.js';
import { verifyUpload } from '../uploads.jobs.js';
import { VerifyService } from './verify.service.js';

/**
 * A job whose worker died, or could not say that it was done, blocks its upload's next try until its lock ends. Jobs are
 * idempotent, so a lock that ends too early costs a copy and nothing else.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;

/** Takes `verify-upload` jobs. Begins when the process is ready, not when Nest has built it. */
@Processor(verifyUpload.queue, {
  autorun: false,
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_CHECK_MS,
})
export class VerifyProcessor extends WorkerHost implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(VerifyProcessor.name);

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly verifier: VerifyService,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    this.worker.concurrency = this.config.WORKER_CONCURRENCY;
    this.worker.on('error', () => undefined); // the queue is away: BullMQ reconnects, the reconciler covers the gap
    this.worker.run().catch((error: unknown) => this.logger.error({ cause: causeForLog(error) }));
  }

  /** Finishes what is under way before anything it needs is closed; what has not begun stays queued. */
  async onModuleDestroy(): Promise<void> {
    await this.worker.close();
  }

  async process(job: Job): Promise<void> {
    const payload = verifyUpload.payload.parse(job.data);
    try {
      await this.verifier.verify(payload);
    } catch (error) {
      this.logger.warn({ uploadId: payload.uploadId, cause: causeForLog(error) });
      await this.verifier.giveUp(payload, error);
      throw error;
    }
  }
}
