import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Tell somebody by mail that they may sign in. */
export const deliverInvitation = defineJob({
  queue: 'messages',
  name: 'deliver-invitation',
  payload: z.strictObject({
    organizationId: z.uuid(),
    userId: z.uuid(),
    requestId: z.string().optional(),
    traceId: z.string().optional(),
  }),
  id: ({ userId }) => `invitation-${userId}`,
});

export type DeliverInvitationPayload = z.infer<typeof deliverInvitation.payload>;
