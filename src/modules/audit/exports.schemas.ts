import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { instant, isInterval } from '../../platform/http/validation.js';
import { URL_LIFETIME_SECONDS } from '../../platform/storage/presigner.js';
import { eventFilterSchema } from './event.filter.js';

export const createExportSchema = z
  .strictObject({
    format: z.enum(['csv', 'ndjson', 'fhir', 'dicom']),
    from: instant.optional().describe('The earliest time of an event that is wanted'),
    to: instant.optional().describe('The time before which an event must have happened'),
    filters: eventFilterSchema
      .optional()
      .describe('Only an export without any can prove that it is complete'),
  })
  .refine(...isInterval());
export type CreateExport = z.output<typeof createExportSchema>;

export const listExportsSchema = z.strictObject(pageQuery);
export type ListExports = z.infer<typeof listExportsSchema>;

const state = z.enum(['queued', 'running', 'done', 'failed']);

export const createdExportSchema = z.object({ id: z.uuid(), state });
export type CreatedExport = z.infer<typeof createdExportSchema>;

const members = {
  id: z.uuid(),
  format: z.enum(['csv', 'ndjson', 'fhir', 'dicom']),
  from: z.iso.datetime().nullable(),
  to: z.iso.datetime().nullable(),
  filters: z.record(z.string(), z.string()),
  state,
  progress: z.number().min(0).max(1),
  rows: z.int().describe('So far'),
  bytes: z.int().describe('So far'),
  complete: z
    .boolean()
    .describe(
      'Whether nothing is filtered: its manifest then proves that every sealed event of the interval is in it',
    ),
  requested_at: z.iso.datetime(),
  finished_at: z.iso.datetime().optional(),
  failure: z
    .string()
    .optional()
    .describe(
      'A code; `ledger_damaged`: the ledger has lost an event that is sealed; `progress_forged`: somebody else than a worker has written how far it is; `month_retired`: a month of it was taken out of the ledger meanwhile; `too_large`: it has more than 80 GB, take a shorter interval. Gone once it gets further',
    ),
  first_bad: z.object({ seq: z.int() }).optional().describe('Position of the event that was lost'),
};

export const exportSchema = z.object({
  ...members,
  download_url: z.url().optional().describe(`Presigned GET of the file, good for ${URL_LIFETIME_SECONDS} s`),
  manifest_url: z.url().optional().describe('The same of its manifest: hashes, proofs and seals'),
  expires_in: z.int().optional().describe('Seconds the two are good for'),
});
export type ExportView = z.infer<typeof exportSchema>;

/** Without URLs: those are issued one export at a time. */
export const listedExportSchema = z.object(members);
export type ListedExport = z.infer<typeof listedExportSchema>;

export const exportPageSchema = pageSchemaOf(listedExportSchema);
export type ExportPage = z.infer<typeof exportPageSchema>;
