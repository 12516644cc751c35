import { z } from 'zod';
import { pageSchemaOf } from '../../platform/http/cursor.js';
import { plainText } from '../../platform/http/validation.js';

/** A DICOM UID (PS3.5 section 9.1). */
export const uidSchema = z
  .string()
  .max(64, 'must be at most 64 characters')
  .regex(/^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+$/, 'must be a DICOM UID');

export const listStudiesSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(200).optional(),
  study_uid: uidSchema.optional(),
  patient_id: plainText(64).optional().describe('PatientID, exactly as in the tags'),
  accession_number: plainText(64).optional().describe('AccessionNumber, exactly as in the tags'),
});
export type ListStudies = z.infer<typeof listStudiesSchema>;

const SUBMISSION_STATES = ['open', 'closed', 'superseded'] as const;

const summarySchema = z.object({
  study_uid: z.string(),
  submission: z.uuid().describe('Id of the generation'),
  generation: z.int(),
  state: z.enum(SUBMISSION_STATES),
  closes_at: z.iso.datetime().optional(),
  modalities: z.array(z.string()),
  series: z.int(),
  instances: z.int(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export const studyPageSchema = pageSchemaOf(summarySchema);
export type StudyPage = z.infer<typeof studyPageSchema>;

export const readStudySchema = z.strictObject({
  generation: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('An earlier one; absent: the present one'),
});
export type ReadStudy = z.infer<typeof readStudySchema>;

export const studyDetailSchema = z.object({
  study_uid: z.string(),
  submission: z.uuid(),
  generation: z.int(),
  generations: z.int().describe('How many there are'),
  state: z.enum(SUBMISSION_STATES),
  closes_at: z.iso.datetime().optional(),
  series: z.array(z.object({ series_uid: z.string(), modality: z.string().nullable(), instances: z.int() })),
  attributes: z.record(
    z.string(),
    z.object({
      value: z.unknown(),
      origin: z.enum(['api', 'sidecar', 'tag']),
      tag_value: z.unknown().optional(),
    }),
  ),
  conflicts: z.array(
    z.object({
      attribute: z.string(),
      kind: z.enum(['overlay', 'instance', 'exam']).describe('Who says otherwise than the tags of the study'),
      value: z.unknown(),
      tag_value: z.unknown(),
      sop_uids: z.array(z.string()).optional().describe('The first 100 instances that say so'),
    }),
  ),
  orders: z.array(z.uuid()).describe('Newest first'),
});
export type StudyDetail = z.infer<typeof studyDetailSchema>;
