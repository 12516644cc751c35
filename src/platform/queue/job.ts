import type { z } from 'zod';

/** A kind of job: where it queues, what it is called, and the schema of its payload (ids only, never a value). */
export interface JobDefinition<Payload> {
  queue: string;
  name: string;
  payload: z.ZodType<Payload>;
  /** Names the job, so that the same work is not queued twice while it waits. No colons (BullMQ). */
  id(payload: Payload): string;
}

export const defineJob = <Payload>(definition: JobDefinition<Payload>): JobDefinition<Payload> => definition;
