import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Go on with a deletion: write its export, or purge the organization. Ids only; the row says what there is to do. */
export const advanceDeletion = defineJob({
  queue: 'deletions',
  name: 'advance-deletion',
  payload: z.strictObject({
    organizationId: z.uuid(),
    deletionId: z.uuid(),
    step: z.enum(['export', 'purge']),
  }),
  id: ({ deletionId, step }) => `${step}-${deletionId}`,
});

export type AdvanceDeletionPayload = z.infer<typeof advanceDeletion.payload>;
