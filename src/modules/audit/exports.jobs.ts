import { z } from 'zod';
import { defineJob } from '../../platform/queue/job.js';

/** Begin an export, or go on with it. Ids only; the row says what there is to do. */
export const writeExport = defineJob({
  queue: 'audit-exports',
  name: 'write-export',
  payload: z.strictObject({ organizationId: z.uuid(), exportId: z.uuid() }),
  id: ({ exportId }) => exportId,
});

export type WriteExportPayload = z.infer<typeof writeExport.payload>;
