import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, fileName, plainText, uuid } from '../../platform/http/validation.js';
import { emailSchema, phoneNumberSchema } from '../auth/contact.schemas.js';

const newPatient = z
  .strictObject({
    email: emailSchema.optional(),
    phone_number: phoneNumberSchema.optional(),
    first_name: plainText(100).optional(),
    last_name: plainText(100).optional(),
  })
  .refine(
    (patient) => patient.email ?? patient.phone_number,
    'needs an e-mail address or a telephone number',
  );
export type NewPatient = z.infer<typeof newPatient>;

export const createCaseSchema = z
  .strictObject({
    patient_id: uuid.optional().describe('A patient of the organization'),
    patient: newPatient
      .optional()
      .describe('Or who it is: found by address or number, else made a user who can sign in'),
    title: plainText(200).optional(),
  })
  .refine((given) => (given.patient_id === undefined) !== (given.patient === undefined), {
    message: 'needs patient_id or patient, and not both',
  });
export type CreateCase = z.infer<typeof createCaseSchema>;

export const listCasesSchema = z.strictObject({
  patient_id: uuid.optional(),
  state: z.enum(['open', 'closed']).optional(),
  ...pageQuery,
});
export type ListCases = z.infer<typeof listCasesSchema>;

export const pageSchema = z.strictObject(pageQuery);
export type Page = z.infer<typeof pageSchema>;

export const listDocumentsSchema = z.strictObject({ patient_id: uuid.optional(), ...pageQuery });
export type ListDocuments = z.infer<typeof listDocumentsSchema>;

export const caseSchema = z.object({
  id: z.uuid(),
  state: z.enum(['open', 'closed']),
  title: z.string().nullable(),
  patient: z.object({
    id: z.uuid(),
    first_name: z.string(),
    last_name: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
  }),
  created_at: z.iso.datetime(),
  closed_at: z.iso.datetime().nullable(),
});
export type CaseView = z.infer<typeof caseSchema>;

export const casePageSchema = pageSchemaOf(caseSchema);
export type CasePage = z.infer<typeof casePageSchema>;

export const attachSchema = z.strictObject({
  file_id: uuid.describe('A completed inspect file'),
  name: fileName.optional().describe('Absent, the name it was uploaded under'),
  is_phi: z.boolean().default(false),
  is_restricted: z.boolean().default(false).describe('Not for the patient’s eyes'),
});
export type Attach = z.infer<typeof attachSchema>;

export const classifySchema = changesOf({ is_phi: z.boolean(), is_restricted: z.boolean() });
export type Classify = z.infer<typeof classifySchema>;

/** An attachment, or with `case_id` null a document. */
export const caseFileSchema = z.object({
  id: z.uuid(),
  case_id: z.uuid().nullable(),
  patient_id: z.uuid(),
  name: z.string(),
  content_type: z.string(),
  size: z.int().describe('Bytes'),
  is_phi: z.boolean(),
  is_restricted: z.boolean(),
  upload_id: z.uuid(),
  uploaded_by: z.object({ kind: z.enum(['user', 'client', 'api_key']), id: z.uuid() }),
  created_at: z.iso.datetime(),
});
export type CaseFile = z.infer<typeof caseFileSchema>;

export const caseFilePageSchema = pageSchemaOf(caseFileSchema);
export type CaseFilePage = z.infer<typeof caseFilePageSchema>;

export const caseFileDownloadSchema = z.object({ download_url: z.url(), expires_at: z.iso.datetime() });
export type CaseFileDownload = z.infer<typeof caseFileDownloadSchema>;
