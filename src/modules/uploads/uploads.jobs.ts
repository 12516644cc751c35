import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Verify one landed upload and register what it holds. Ids only; the request's ids are for log and audit. */
export const verifyUpload = defineJob({
  queue: 'uploads',
  name: 'verify-upload',
  payload: z.strictObject({
    organizationId: z.uuid(),
    uploadId: z.uuid(),
    requestId: z.string().optional(),
    traceId: z.string().optional(),
  }),
  id: ({ uploadId }) => `verify-${uploadId}`,
});

export type VerifyUploadPayload = z.infer<typeof verifyUpload.payload>;
