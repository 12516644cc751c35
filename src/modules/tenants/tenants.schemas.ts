import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, plainText } from '../../platform/http/validation.js';
import { emailSchema } from '../auth/contact.schemas.js';
import { requiredMetadataSchema } from '../metadata/metadata.schemas.js';

const name = plainText(200);

export const createOrganizationSchema = z.strictObject({
  name,
  owner: z
    .strictObject({
      email: emailSchema,
      first_name: plainText(100).optional(),
      last_name: plainText(100).optional(),
    })
    .describe('Who manages it first: staff, who signs in by a code sent to this address'),
});
export type CreateOrganization = z.infer<typeof createOrganizationSchema>;

export const updateOrganizationSchema = changesOf({
  name,
  required_metadata: requiredMetadataSchema.describe(
    'What every order must have before it is complete, by DICOM keyword or tag',
  ),
});
export type UpdateOrganization = z.infer<typeof updateOrganizationSchema>;

export const listOrganizationsSchema = z.strictObject({
  ...pageQuery,
});
export type ListOrganizations = z.infer<typeof listOrganizationsSchema>;

export const organizationSchema = z.object({
  id: z.uuid(),
  name: z.string().describe('Empty once it is purged'),
  state: z
    .enum(['enabled', 'disabled', 'deleting', 'purged'])
    .describe('`disabled` and whatever follows: nobody and nothing of it comes in'),
  required_metadata: z.array(z.string()),
  created_at: z.iso.datetime(),
  version: z.int(),
});
export type OrganizationView = z.infer<typeof organizationSchema>;

export const organizationPageSchema = pageSchemaOf(organizationSchema);
export type OrganizationPage = z.infer<typeof organizationPageSchema>;

export const requestDeletionSchema = z.strictObject({});

export const purgeSchema = z.strictObject({
  name: z.string().max(200).describe('Of the organization, to the letter: the purge cannot be undone'),
});
export type Purge = z.infer<typeof purgeSchema>;

export const deletionSchema = z.object({
  id: z.uuid(),
  organization_id: z.uuid(),
  state: z.enum(['requested', 'exporting', 'exported', 'purging', 'purged']),
  requested_by: z.object({ kind: z.string(), id: z.uuid() }),
  requested_at: z.iso.datetime(),
  progressed_at: z.iso.datetime().describe('When it last got further'),
  failure: z
    .string()
    .nullable()
    .describe('The kind of error its last attempt ended with, until it gets further; it is tried again'),
  export: z.object({
    rows: z.int().describe('So far'),
    bytes: z.int().describe('So far; compressed'),
    sha256: z.string().nullable().describe('Of the whole file, in hexadecimal'),
    exported_at: z.iso.datetime().nullable(),
  }),
  purge: z.object({
    objects: z.int().describe('So far'),
    rows: z.int().describe('So far'),
    requested_at: z.iso.datetime().nullable(),
    purged_at: z.iso.datetime().nullable(),
  }),
  download_url: z.url().optional().describe('Presigned GET of the export, good for 900 s'),
  manifest_url: z.url().optional().describe('Presigned GET of its manifest, good for 900 s'),
});
export type DeletionView = z.infer<typeof deletionSchema>;
