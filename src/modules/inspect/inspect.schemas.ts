import { z } from 'zod';
import { fileName, plainText, uuid } from '../../platform/http/validation.js';

/** The last of the 43 digits stands for four bits, so that its other two are zero: every hash has one spelling only. */
const SHA256_BASE64 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export const presignFileSchema = z.strictObject({
  id: uuid.optional().describe('Your own id of the file; absent: we make one'),
  assetID: plainText(200).optional().describe('What the file is about, by your own id'),
  contentType: z
    .string()
    .min(1, 'must not be empty')
    .max(127)
    .describe('One of the accepted media types; signed: send it with the PUT as it is'),
  hash: z
    .string()
    .regex(SHA256_BASE64, 'must be the 32 bytes of a SHA-256 in canonical base64, 44 characters')
    .describe('SHA-256 of the content, in base64'),
  name: fileName,
  size: z.int().min(1).describe('Bytes; signed into the URL'),
});
export type PresignFile = z.infer<typeof presignFileSchema>;

export const completeFileSchema = z.strictObject({ id: uuid });
export type CompleteFile = z.infer<typeof completeFileSchema>;

export const presignedFileSchema = z.object({
  data: z.object({ presignedURL: z.url().describe('For one PUT, good for 900 s'), id: z.uuid() }),
});
export const uploadedFileSchema = z.object({ data: z.object({ id: z.uuid() }) });
/** Without a URL: the content is there already. */
export type PresignedFile = z.infer<typeof presignedFileSchema> | z.infer<typeof uploadedFileSchema>;

const status = z.enum(['pending', 'completed']);

export const completionSchema = z.object({
  data: z.object({ id: z.uuid(), status: status.describe('`pending`: landed, and not verified yet') }),
});
export type Completion = z.infer<typeof completionSchema>;

export const inspectFileSchema = z.object({
  data: z.object({
    id: z.uuid(),
    assetID: z.string().optional(),
    name: z.string(),
    contentType: z.string(),
    hash: z.string().describe('SHA-256, in base64'),
    size: z.int().describe('Bytes'),
    status,
    createdAt: z.iso.datetime(),
    completedAt: z.iso.datetime().optional(),
  }),
});
export type InspectFileView = z.infer<typeof inspectFileSchema>;

export const fileDownloadSchema = z.object({
  data: z.object({
    presignedURL: z.url().describe('For one GET after another, always as an attachment'),
    id: z.uuid(),
    expiresAt: z.iso.datetime(),
  }),
});
export type FileDownload = z.infer<typeof fileDownloadSchema>;
