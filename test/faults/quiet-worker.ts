import type { INestApplicationContext } from '@nestjs/common';
import { ExportProcessor } from '../../src/modules/audit/worker/export.processor.js';
import { DeletionProcessor } from '../../src/modules/tenants/worker/deletion.processor.js';
import { DeliverProcessor } from '../../src/modules/auth/worker/deliver.processor.js';
import { DiscardProcessor } from '../../src/modules/cases/worker/discard.processor.js';
import { Reconciler } from '../../src/modules/uploads/worker/reconciler.js';
import { VerifyProcessor } from '../../src/modules/uploads/worker/verify.processor.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { Enqueuer } from '../../src/platform/queue/enqueuer.js';
import type { JobDefinition } from '../../src/platform/queue/job.js';
import type { World } from '../support/world.js';

interface Job {
  queue: string;
  name: string;
  data: object;
}

/**
 * The worker as it is shipped, which does nothing by itself: what is queued, by the API or by the reconciler, is kept and
 * worked off when the test says so, by the processors that would take it.
 */
export class QuietWorker {
  /** What was queued by the API, and is not done. */
  readonly jobs: Job[] = [];

  private constructor(private readonly worker: INestApplicationContext) {}

  /** @param world without a worker, and with a reconciler that waits for longer than the test lasts */
  static async start(world: World): Promise<QuietWorker> {
    const worker = await world.startWorker();
    const quiet = new QuietWorker(worker);
    for (const app of [world.api.app, worker])
      app.get(Enqueuer, { strict: false }).enqueue = (job, payloads) => quiet.keep(job, payloads);
    return quiet;
  }

  private keep<Payload>(job: JobDefinition<Payload>, payloads: Payload[]): Promise<void> {
    for (const payload of payloads)
      this.jobs.push({ queue: job.queue, name: job.name, data: job.payload.parse(payload) as object });
    return Promise.resolve();
  }

  /**
   * Whatever is queued, and a pass of the reconciler with all it queues, each `later` milliseconds from now.
   * @returns what failed; as in the queue, it is not forgotten
   */
  async live(later: number): Promise<unknown[]> {
    this.worker.get(Clock, { strict: false }).now = () => new Date(Date.now() + later);
    const failed: Job[] = [];
    const errors: unknown[] = [];
    const work = async () => {
      for (let job = this.jobs.shift(); job; job = this.jobs.shift())
        await this.processorOf(job)
          .process({ name: job.name, data: job.data } as never)
          .catch((error: unknown) => {
            failed.push(job!);
            errors.push(error);
          });
    };
    await work();
    await this.worker.get(Reconciler, { strict: false }).run();
    await work();
    this.jobs.push(...failed);
    return errors;
  }

  private processorOf({ queue, name }: Job) {
    const found = [VerifyProcessor, DeliverProcessor, DiscardProcessor, DeletionProcessor, ExportProcessor]
      .map((type) => this.worker.get<InstanceType<typeof type>>(type, { strict: false }))
      .find(({ job }) => job.queue === queue);
    if (!found) throw new Error(`Nobody takes ${name}.`);
    return found;
  }
}
