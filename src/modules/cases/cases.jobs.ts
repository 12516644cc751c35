import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Soft-delete a file whose upload failed. Ids only. */
export const discardFile = defineJob({
  queue: 'files',
  name: 'discard-file',
  payload: z.strictObject({ organizationId: z.uuid(), fileId: z.uuid() }),
  id: ({ fileId }) => `discard-${fileId}`,
});

export type DiscardFilePayload = z.infer<typeof discardFile.payload>;
