import { WorkerHost } from '@nestjs/bullmq';
import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { Job } from 'bullmq';
import { causeForLog } from '../logging/cause-for-log.js';
import type { JobDefinition } from './job.js';
import type { JobHandler } from './job-handler.js';

/**
 * A job whose worker died, or could not say that it was done, blocks the next try of its work until its lock ends. Jobs
 * are idempotent, so a lock that ends too early costs doing it twice and nothing else.
 */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;

/** For `@Processor`: begins when the process is ready, not when Nest has built it. */
export const PROCESSOR_OPTIONS = {
  autorun: false,
  lockDuration: LOCK_MS,
  stalledInterval: STALLED_CHECK_MS,
} as const;

/**
 * Takes the jobs of one queue, so many at a time, from when the process is ready until it is asked to end: those of its own
 * module, and those that other modules put there (a queue and its worker cost connections).
 */
export abstract class JobProcessor<Payload extends object>
  extends WorkerHost
  implements JobHandler<Payload>, OnApplicationBootstrap, OnModuleDestroy
{
  protected readonly logger = new Logger(this.constructor.name);
  protected abstract readonly concurrency: number;
  /** Of other modules. */
  protected readonly others: readonly JobHandler[] = [];
  abstract readonly job: JobDefinition<Payload>;

  abstract handle(payload: Payload): Promise<void>;

  giveUp?(payload: Payload, error: unknown): Promise<void>;

  async process({ name, data }: Job): Promise<void> {
    const other = this.others.find(({ job }) => job.name === name);
    await (other ? this.take(other, data) : this.take(this, data));
  }

  onApplicationBootstrap(): void {
    this.worker.concurrency = this.concurrency;
    this.worker.on('error', () => undefined); // the queue is away: BullMQ reconnects, the reconciler covers the gap
    this.worker.run().catch((error: unknown) => this.logger.error({ cause: causeForLog(error) }));
  }

  /** Finishes what is under way before anything it needs is closed; what has not begun stays queued. */
  async onModuleDestroy(): Promise<void> {
    await this.worker.close();
  }

  private async take<Own extends object>(handler: JobHandler<Own>, data: unknown): Promise<void> {
    const payload = handler.job.payload.parse(data);
    try {
      await handler.handle(payload);
    } catch (error) {
      this.logger.warn({ ...payload, cause: causeForLog(error) });
      await handler.giveUp?.(payload, error);
      throw error;
    }
  }
}
