import type { JobDefinition } from './job.js';

/** What is done with the jobs of one kind; a module's own, in a queue that is another's. */
export abstract class JobHandler<Payload extends object = object> {
  abstract readonly job: JobDefinition<Payload>;

  /** What it throws is logged with the payload, which holds ids only, and the job is tried again. */
  abstract handle(payload: Payload): Promise<void>;

  /** What a failure means for the row, beyond another try. */
  giveUp?(payload: Payload, error: unknown): Promise<void>;
}
