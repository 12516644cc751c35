import { z } from 'zod';

const STATES = [
  'issued',
  'landed',
  'verified',
  'registered',
  'rejected',
  'expired',
  'deleted',
  'purged',
] as const;

export const uploadSchema = z.object({
  id: z.uuid(),
  state: z.enum(STATES),
  surface: z.enum(['exams', 'ingestion', 'results', 'inspect', 'files']),
  key: z.string(),
  name: z.string().optional(),
  content_type: z.string().optional(),
  size: z.int().optional().describe('Bytes: as landed, else as declared'),
  sha256: z.string().optional().describe('Hexadecimal'),
  order_id: z.uuid().optional(),
  exam_id: z.uuid().optional(),
  case_id: z.uuid().optional(),
  archive_upload_id: z.uuid().optional().describe('The ZIP it was an entry of'),
  rejection: z.object({ rule: z.string(), message: z.string(), where: z.string().optional() }).optional(),
  result: z
    .object({
      kind: z.string().describe('dicom, zip, nifti, bval, bvec, a kind of document, or file: anything else'),
      study_uid: z.string().optional(),
      series_uid: z.string().optional(),
      sop_uid: z.string().optional(),
      instances: z.int().optional().describe('Of an archive: how many entries became objects'),
      skipped: z
        .array(z.string())
        .optional()
        .describe('Of an archive: entries that are neither images nor metadata'),
      duplicate_of: z.uuid().optional().describe('The upload that brought the same bytes first'),
    })
    .optional(),
  history: z.array(z.object({ state: z.enum(STATES), at: z.iso.datetime(), by: z.string() })),
});
export type UploadView = z.infer<typeof uploadSchema>;

export const downloadSchema = z.object({
  download_url: z.url(),
  expires_at: z.iso.datetime(),
});
export type Download = z.infer<typeof downloadSchema>;

export const notifiedSchema = z.object({
  landed: z.int().describe('Uploads that were found to have landed'),
});
export type Notified = z.infer<typeof notifiedSchema>;
