import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Send a one-time code. Queued for addresses that are nobody's, too: then there is nothing to do. */
export const deliverCode = defineJob({
  queue: 'messages',
  name: 'deliver-code',
  payload: z.strictObject({
    organizationId: z.uuid(),
    challengeId: z.uuid(),
    requestId: z.string().optional(),
    traceId: z.string().optional(),
  }),
  id: ({ challengeId }) => `code-${challengeId}`,
});

export type DeliverCodePayload = z.infer<typeof deliverCode.payload>;
