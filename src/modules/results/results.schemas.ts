import { z } from 'zod';
import { pageSchemaOf } from '../../platform/http/cursor.js';
import { uuid } from '../../platform/http/validation.js';
import { uidSchema } from '../studies/studies.schemas.js';

/** Largest report, in bytes. */
export const RESULT_LIMIT = 25 * 1024 * 1024;

const reportType = z
  .string()
  .regex(/^[a-z0-9_-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9, - and _')
  .describe('Your name for this kind of report; never a name of a person');

const limit = z.coerce.number().int().min(1).max(100).default(20);
const cursor = z.string().min(1).max(200).optional();

export const deliverResultSchema = z.strictObject({
  order_id: uuid,
  report_type: reportType
    .optional()
    .describe('Absent: json, pdf, sr, xml, png or txt, after the content type. Never a name of a person'),
});
export type DeliverResult = z.infer<typeof deliverResultSchema>;

export const listResultsSchema = z
  .strictObject({
    order_id: uuid.optional(),
    study_uid: uidSchema.optional(),
    report_type: reportType.optional(),
    limit,
    cursor,
  })
  .refine(
    ({ order_id, study_uid }) => (order_id === undefined) !== (study_uid === undefined),
    'give order_id or study_uid, one of the two',
  );
export type ListResults = z.infer<typeof listResultsSchema>;

export const listReportsSchema = z.strictObject({ limit, cursor });
export type ListReports = z.infer<typeof listReportsSchema>;

export const acknowledgeSchema = z.strictObject({ result_ids: z.array(uuid).min(1).max(100) });
export type Acknowledge = z.infer<typeof acknowledgeSchema>;

export const deliveredResultSchema = z.object({
  result_id: z.uuid(),
  order_id: z.uuid(),
  report_type: z.string(),
  content_type: z.string(),
  size: z.int().describe('Bytes'),
  state: z.enum(['delivered', 'pending']).describe('`pending`: not verified yet; nobody sees it before'),
});
export type DeliveredResult = z.infer<typeof deliveredResultSchema>;

const resultSchema = z.object({
  result_id: z.uuid(),
  order_id: z.uuid(),
  report_type: z.string(),
  content_type: z.string(),
  size: z.int().describe('Bytes'),
  sha256: z.string().describe('Hexadecimal'),
  delivered_at: z.iso.datetime(),
  acknowledged_at: z.iso.datetime().optional(),
  download_url: z.url().describe('Good for one GET after another until `expires_at`'),
  expires_at: z.iso.datetime(),
});

export const resultPageSchema = pageSchemaOf(resultSchema);
export type ResultPage = z.infer<typeof resultPageSchema>;

export const acknowledgedSchema = z.object({
  acknowledged: z.array(z.uuid()).describe('Now or before'),
  unknown: z.array(z.uuid()).describe('There is no such result, or not for you'),
});
export type Acknowledged = z.infer<typeof acknowledgedSchema>;
