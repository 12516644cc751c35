import { z } from 'zod';
import { CLINICAL_TYPES } from '../../formats/document/document.js';
import { fileName, uuid } from '../../platform/http/validation.js';
import { doneSchema, envelope } from '../auth/portal.schemas.js';

/** The body of an upload once its data has been taken out of it: an empty string is left in their place. */
export const uploadInputSchema = z.strictObject({
  name: fileName,
  data: z.literal('', 'must be a string of base64'),
  mimeType: z.enum(Object.keys(CLINICAL_TYPES) as [string, ...string[]]),
  caseId: uuid.optional(),
});
export type UploadInput = z.infer<typeof uploadInputSchema>;

/** The body as callers write it, for the documentation. */
const uploadBodySchema = z.strictObject({
  name: z.string().min(1).max(255).describe('Display file name'),
  data: z.string().min(1).describe('The file in base64 (RFC 4648, section 4), without line breaks'),
  mimeType: uploadInputSchema.shape.mimeType,
  caseId: z.uuid().optional().describe('A case of the patient; absent, the file is a general document'),
});

const { $schema: _, ...uploadBodyJsonSchema } = z.toJSONSchema(uploadBodySchema);
export const uploadBodyDocument = uploadBodyJsonSchema as object;

export const renameSchema = z.strictObject({ fileName });
export type Rename = z.infer<typeof renameSchema>;

const MAX_PAGE = 100;

export const listFilesSchema = z.strictObject({
  caseId: uuid.optional(),
  type: z.enum(['phi', 'general']).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(MAX_PAGE),
  cursor: z.string().max(200).optional(),
});
export type ListFiles = z.infer<typeof listFilesSchema>;

const uploadedFileSchema = z.object({
  id: z.uuid(),
  fileName: z.string(),
  isPHI: z.boolean(),
  isRestricted: z.boolean(),
  caseId: z.uuid().nullable().describe('Null: a general document'),
  createdAt: z.iso.datetime(),
});
export type UploadedFile = z.infer<typeof uploadedFileSchema>;

const portalFileSchema = uploadedFileSchema.extend({
  uploadedBy: z.object({
    id: z.uuid(),
    firstName: z.string().describe('Of staff: the organization'),
    lastName: z.string(),
  }),
});
export type PortalFile = z.infer<typeof portalFileSchema>;

const filePageSchema = z.object({
  files: z.array(portalFileSchema),
  nextCursor: z.string().optional().describe('Where the next page begins, if there is one'),
});
export type FilePage = z.infer<typeof filePageSchema>;

const fileDownloadSchema = z.object({
  downloadUrl: z.url().describe('Always a download, of a harmless type, whatever the file is'),
  fileName: z.string(),
  expiresIn: z.int().describe('Seconds'),
});
export type FileDownload = z.infer<typeof fileDownloadSchema>;

export const uploadedSchema = envelope(uploadedFileSchema);
export const portalFileEnvelope = envelope(portalFileSchema);
export const filePageEnvelope = envelope(filePageSchema);
export const fileDownloadEnvelope = envelope(fileDownloadSchema);
export const deletedSchema = doneSchema.extend({ message: z.string() });
export type Deleted = z.infer<typeof deletedSchema>;
