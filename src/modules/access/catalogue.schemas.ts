import { z } from 'zod';
import { ruleSchema } from './roles.schemas.js';

export const catalogueSchema = z.object({
  operations: z
    .array(z.object({ name: z.string(), subject: z.string(), scope: z.string().nullable() }))
    .describe('Without a scope, any token will do'),
  subjects: z.array(
    z.object({
      name: z.string(),
      conditions: z
        .record(z.string(), z.unknown())
        .describe(
          'By column what it may be asked: `principal` is `${principal.id}` or an id, `boolean` true or false, an object the same of the row it leads to',
        ),
      limits: z
        .array(z.string())
        .describe('Resources to which a binding may limit a role, and allow rows of this'),
    }),
  ),
  scopes: z.array(z.string()),
  built_in_roles: z.array(z.object({ name: z.string(), rules: z.array(ruleSchema) })),
});
export type Catalogue = z.infer<typeof catalogueSchema>;
