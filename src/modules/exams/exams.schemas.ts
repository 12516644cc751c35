import { z } from 'zod';
import { pageSchemaOf } from '../../platform/http/cursor.js';
import { fileName, plainText } from '../../platform/http/validation.js';

/** Largest object one PUT can carry (S3), in bytes. */
export const MAX_FILE_BYTES = 5 * 1024 ** 3;
export const MAX_FILES = 5000;
/** 5,000 files with 800 bytes for each. */
export const CREATE_BODY_LIMIT = 4 * 1024 * 1024;

const birthDate = z.iso
  .date('must be a date, YYYY-MM-DD')
  .refine((date) => date <= new Date().toISOString().slice(0, 10), 'must not be in the future');

const declaredFileSchema = z.strictObject({
  name: fileName,
  size: z.int().min(0).describe(`Bytes, at most ${MAX_FILE_BYTES}; signed into the URL`),
});

export const createExamSchema = z.strictObject({
  name: plainText(200),
  patient_name: plainText(200),
  patient_id: plainText(64).optional(),
  birth_date: birthDate.optional(),
  exam_type: plainText(64).optional(),
  reason: plainText(2000).optional(),
  expiration_days: z.int().min(1).max(3650).optional().describe('Days until the share link ends'),
  files: z
    .array(declaredFileSchema)
    .min(1, 'must name at least one file')
    .max(MAX_FILES, `must name at most ${MAX_FILES} files`)
    .superRefine((files, context) => {
      const seen = new Set<string>();
      files.forEach(({ name }, index) => {
        if (seen.has(name))
          context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is given twice' });
        seen.add(name);
      });
    }),
});
export type CreateExam = z.infer<typeof createExamSchema>;

const uploadUrlSchema = z.object({
  name: z.string(),
  url: z.url(),
  method: z.literal('PUT'),
  headers: z.record(z.string(), z.string()).describe('Signed: send them as they are'),
  expires_at: z.iso.datetime(),
});

export const issuedExamSchema = z.object({
  exam_id: z.uuid(),
  status: z.enum(['uploading', 'ready']),
  upload_urls: z.array(uploadUrlSchema),
});
export type IssuedExam = z.infer<typeof issuedExamSchema>;

export const confirmedExamSchema = z.object({
  ok: z.literal(true),
  exam_id: z.uuid(),
  status: z.literal('ready'),
  share_url: z.url().nullable(),
  viewer_url: z.url().nullable(),
});
export type ConfirmedExam = z.infer<typeof confirmedExamSchema>;

export const ingestionStatusSchema = z.enum([
  'pending',
  'processing',
  'registered',
  'partially_registered',
  'failed',
]);
export type IngestionStatus = z.infer<typeof ingestionStatusSchema>;

const examSummarySchema = z.object({
  exam_id: z.uuid(),
  name: z.string(),
  patient_name: z.string(),
  status: z.enum(['uploading', 'ready']),
  ingestion_status: ingestionStatusSchema,
  file_count: z.int(),
  share_url: z.url().nullable(),
  viewer_url: z.url().nullable(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().optional(),
});
export type ExamSummary = z.infer<typeof examSummarySchema>;

const examFileSchema = z.object({
  upload_id: z.uuid(),
  name: z.string(),
  size: z.int(),
  state: z.enum(['issued', 'landed', 'verified', 'registered', 'rejected', 'expired']),
  rejection: z.object({ rule: z.string(), message: z.string(), where: z.string().optional() }).optional(),
});
export type ExamFile = z.infer<typeof examFileSchema>;

export const examDetailSchema = examSummarySchema.omit({ file_count: true }).extend({
  patient_id: z.string().optional(),
  birth_date: z.string().optional(),
  exam_type: z.string().optional(),
  reason: z.string().optional(),
  files: z.array(examFileSchema),
  study_uids: z.array(z.string()),
});
export type ExamDetail = z.infer<typeof examDetailSchema>;

export const listExamsSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(256).optional(),
  offset: z.coerce.number().int().min(0).max(100_000).optional(),
  status: z.enum(['uploading', 'ready']).optional(),
});
export type ListExams = z.infer<typeof listExamsSchema>;

export const examPageSchema = pageSchemaOf(examSummarySchema);
export type ExamPage = z.infer<typeof examPageSchema>;

/** Years that neither Postgres nor ISO 8601 spells in four digits are a mistake, not an end. */
const isStorable = (time: string): boolean =>
  Date.parse(time) >= 0 && Date.parse(time) <= Date.parse('9999-12-31T23:59:59.999Z');

export const shareChangeSchema = z
  .strictObject({
    rotate: z.boolean().optional().describe('Make another link and end the former'),
    expires_at: z.iso
      .datetime({ offset: true })
      .refine(isStorable, 'must be a time between 1970 and 9999')
      .nullable()
      .optional()
      .describe('null: never'),
    password: z.string().min(8).max(128).nullable().optional().describe('null: none'),
  })
  .default({});
export type ShareChangeRequest = z.infer<typeof shareChangeSchema>;

export const shareSchema = z.object({
  share_url: z.url().nullable().describe('null once the link has ended'),
  viewer_url: z.url().nullable(),
  expires_at: z.iso.datetime().nullable(),
  password: z.boolean().describe('Whether opening it needs a password'),
});
export type Share = z.infer<typeof shareSchema>;

export const accountSchema = z.object({
  account: z.object({ kind: z.string(), id: z.uuid(), name: z.string() }),
  organization: z.object({ id: z.uuid(), name: z.string() }),
  scopes: z.array(z.string()),
  storage_used_bytes: z.int(),
});
export type Account = z.infer<typeof accountSchema>;
