import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, plainText, uuid } from '../../platform/http/validation.js';
import { emailSchema } from '../auth/contact.schemas.js';

export const inviteSchema = z.strictObject({
  email: emailSchema.describe('What they sign in with; it cannot be changed'),
  first_name: plainText(100).optional(),
  last_name: plainText(100).optional(),
});
export type Invite = z.infer<typeof inviteSchema>;

export const updateUserSchema = changesOf({ first_name: plainText(100), last_name: plainText(100) });
export type UpdateUser = z.infer<typeof updateUserSchema>;

export const listUsersSchema = z.strictObject({
  kind: z.enum(['patient', 'staff']).optional(),
  state: z.enum(['enabled', 'disabled']).optional(),
  group_id: uuid.optional().describe('Members of that group, and of the groups in it'),
  ...pageQuery,
});
export type ListUsers = z.infer<typeof listUsersSchema>;

/** In a body: queries end up in the logs of proxies, and an address is somebody. */
export const searchUsersSchema = z.strictObject({ email: emailSchema });
export type SearchUsers = z.infer<typeof searchUsersSchema>;

export const userSchema = z.object({
  id: z.uuid(),
  kind: z.enum(['patient', 'staff']),
  email: z.string().nullable(),
  phone_number: z.string().nullable(),
  first_name: z.string(),
  last_name: z.string(),
  state: z.enum(['enabled', 'disabled']),
  created_at: z.iso.datetime(),
  version: z.int(),
  group_ids: z
    .array(z.uuid())
    .optional()
    .describe('Of one user: the groups they are in themselves, for who may list members'),
});
export type UserView = z.infer<typeof userSchema>;

export const userPageSchema = pageSchemaOf(userSchema);
export type UserPage = z.infer<typeof userPageSchema>;

export const invitedSchema = userSchema.extend({
  invitation: z
    .enum(['queued', 'unavailable'])
    .describe('unavailable: there is no mail server; tell them yourself'),
});
export type Invited = z.infer<typeof invitedSchema>;
