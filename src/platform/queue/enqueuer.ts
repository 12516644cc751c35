import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { getQueueToken } from '@nestjs/bullmq';
import type { JobsOptions, Queue } from 'bullmq';
import type { JobDefinition } from './job.js';
import { QUEUES } from './queues.js';

/** Jobs in one call to the queue: on Postgres each call is a transaction. */
const CHUNK = 500;

/** How long a caller's reply may wait for the queue. */
const ENQUEUE_LIMIT_MS = 1_000;

const JOB_OPTIONS: JobsOptions = {
  // A finished job's id must not block the next try, and nothing of it is worth keeping: the ledger has it.
  removeOnComplete: true,
  removeOnFail: true,
  attempts: 4,
  backoff: { type: 'exponential', delay: 500 },
};

/**
 * Queues work after the commit that made it necessary. The queue only makes things fast: when it is away or slow, the
 * job is dropped with a log line and the reconciler finds the row that stands still.
 */
@Injectable()
export class Enqueuer implements OnModuleInit {
  private readonly logger = new Logger(Enqueuer.name);

  constructor(private readonly modules: ModuleRef) {}

  /** Without a listener BullMQ writes the driver's whole error, connection settings included, to standard error. */
  onModuleInit(): void {
    for (const name of QUEUES)
      this.queue(name).on('error', ({ name: kind }: Error) => {
        this.logger.warn(`the queue ${name} lost a connection (${kind})`);
      });
  }

  async enqueue<Payload>(job: JobDefinition<Payload>, payloads: Payload[]): Promise<void> {
    if (payloads.length === 0) return;
    const bulk = payloads.map((payload) => ({
      name: job.name,
      data: job.payload.parse(payload),
      opts: { ...JOB_OPTIONS, jobId: job.id(payload) },
    }));
    const added = this.add(this.queue(job.queue), bulk).catch((error: Error) => {
      this.logger.warn(
        `${bulk.length} ${job.name} jobs were not queued (${error.message}); the reconciler will find them`,
      );
    });
    await Promise.race([added, elapsed(ENQUEUE_LIMIT_MS)]);
  }

  private queue(name: string): Queue {
    return this.modules.get<Queue>(getQueueToken(name), { strict: false });
  }

  private async add(queue: Queue, jobs: Parameters<Queue['addBulk']>[0]): Promise<void> {
    for (let from = 0; from < jobs.length; from += CHUNK) await queue.addBulk(jobs.slice(from, from + CHUNK));
  }
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
