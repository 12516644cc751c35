import { z } from 'zod';
import { customRulesSchema } from '../../platform/authorization/role-rules.js';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, plainText } from '../../platform/http/validation.js';

const roleName = plainText(100);

const rules = customRulesSchema.describe(
  'What it allows: operations on a subject, of the rows that meet the conditions. `GET /api/v1/admin/access/catalogue` says what there is',
);

export const createRoleSchema = z.strictObject({ name: roleName, rules });
export type CreateRole = z.infer<typeof createRoleSchema>;

export const updateRoleSchema = changesOf({ name: roleName, rules });
export type UpdateRole = z.infer<typeof updateRoleSchema>;

export const listRolesSchema = z.strictObject({
  name: roleName.optional().describe('This one, to the letter'),
  built_in: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
  ...pageQuery,
});
export type ListRoles = z.infer<typeof listRolesSchema>;

export const ruleSchema = z.object({
  operations: z.array(z.string()),
  subject: z.string(),
  conditions: z.record(z.string(), z.unknown()).optional(),
});

export const roleSchema = z.object({
  id: z.uuid(),
  name: z.string(),
  built_in: z.boolean(),
  rules: z.array(ruleSchema),
  bindings: z.int().describe('How many there are of it'),
  created_at: z.iso.datetime(),
  version: z.int(),
});
export type RoleView = z.infer<typeof roleSchema>;

export const rolePageSchema = pageSchemaOf(roleSchema);
export type RolePage = z.infer<typeof rolePageSchema>;
