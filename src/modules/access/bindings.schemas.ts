import { z } from 'zod';
import { limitTypes } from '../../platform/authorization/subjects.js';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { uuid } from '../../platform/http/validation.js';

/** What a binding may be limited to is known once every module has said so (`*.policy.ts`): at the first request. */
const resource = z
  .strictObject({
    type: z
      .string()
      .max(50)
      .refine((type) => (limitTypes() as string[]).includes(type), {
        error: () => `must be one of ${limitTypes().join(', ')}`,
      })
      .describe('`PatientCase`, `Order` or `Exam`'),
    id: uuid,
  })
  .describe('The one whose rows the role is for; absent, it is for all');

const principal = {
  user_id: uuid.optional().describe('Staff'),
  group_id: uuid.optional(),
  client_id: uuid
    .optional()
    .describe('The `id` of `/api/v1/admin/clients`, not what the client signs in with'),
  api_key_id: uuid.optional(),
};

export const createBindingSchema = z
  .strictObject({ role_id: uuid, ...principal, resource: resource.optional() })
  .refine(
    ({ user_id, group_id, client_id, api_key_id }) =>
      [user_id, group_id, client_id, api_key_id].filter((id) => id !== undefined).length === 1,
    'needs user_id, group_id, client_id or api_key_id, and one of them only',
  );
export type CreateBinding = z.infer<typeof createBindingSchema>;

export const listBindingsSchema = z.strictObject({
  role_id: uuid.optional(),
  ...principal,
  resource_id: uuid.optional().describe('Bindings that are limited to it'),
  ...pageQuery,
});
export type ListBindings = z.infer<typeof listBindingsSchema>;

export const bindingSchema = z.object({
  id: z.uuid(),
  role_id: z.uuid(),
  role_name: z.string(),
  user_id: z.uuid().optional(),
  group_id: z.uuid().optional(),
  client_id: z.uuid().optional(),
  api_key_id: z.uuid().optional(),
  resource: z.object({ type: z.string(), id: z.uuid() }).nullable(),
  created_at: z.iso.datetime(),
});
export type BindingView = z.infer<typeof bindingSchema>;

export const bindingPageSchema = pageSchemaOf(bindingSchema);
export type BindingPage = z.infer<typeof bindingPageSchema>;
