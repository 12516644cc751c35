import { z } from 'zod';
import { SCOPES } from '../../platform/authorization/scopes.js';
import { uuid } from '../../platform/http/validation.js';

const principalKind = z.enum(['client', 'api_key', 'user']);
const scopeName = z.enum(SCOPES);

export const explainSchema = z.strictObject({
  principal: z.strictObject({ kind: principalKind, id: uuid }),
  operation: z.string().max(100).describe('E.g. `exams:read`'),
  resource: z
    .strictObject({
      type: z.string().max(50).describe('The operation’s subject'),
      id: z.string().max(64).optional().describe('Absent: whether there can be any row'),
    })
    .optional(),
  scopes: z
    .array(scopeName)
    .max(SCOPES.length)
    .optional()
    .describe('Of the token that is asked about; absent, all the principal’s'),
});
export type Explain = z.infer<typeof explainSchema>;

const resource = z.object({ type: z.string(), id: z.uuid() });
const role = z.object({ id: z.uuid(), name: z.string(), built_in: z.boolean() });
const binding = z.object({
  id: z.uuid(),
  group_ids: z
    .array(z.uuid())
    .describe('The groups it came by, from the principal’s own; none: it is bound itself'),
  resource: resource.optional().describe('What it is limited to'),
});
const conditions = z.record(z.string(), z.unknown());

export const explanationSchema = z.object({
  allowed: z.boolean(),
  reason: z.enum([
    'allowed',
    'organization_disabled',
    'principal_disabled',
    'portal_only',
    'platform_only',
    'scope_missing',
    'no_rule',
    'limited_to_another_resource',
    'resource_unknown',
    'conditions_not_met',
  ]),
  message: z.string(),
  rule: z
    .object({ operations: z.array(z.string()), subject: z.string(), conditions: conditions.optional() })
    .optional()
    .describe('The rule that decided, as its role has it'),
  role: role.optional(),
  binding: binding.optional().describe('Absent of a patient, whose role is bound to nobody'),
  conditions: z
    .array(
      z.object({
        column: z.string(),
        expected: z.unknown().describe('What the rule asks, with the principal filled in'),
        actual: z.union([z.string(), z.boolean()]).nullable().optional().describe('What the row has'),
        matches: z.boolean().optional(),
      }),
    )
    .optional(),
  scopes: z.object({ needed: scopeName.nullable(), held: z.array(scopeName) }),
});
export type Explanation = z.infer<typeof explanationSchema>;

export const rightsQuerySchema = z.strictObject({
  kind: z.enum([...principalKind.options, 'group']),
  id: uuid,
});
export type RightsQuery = z.infer<typeof rightsQuerySchema>;

export const rightsSchema = z.object({
  kind: rightsQuerySchema.shape.kind,
  id: z.uuid(),
  excluded: z
    .enum(['organization_disabled', 'principal_disabled'])
    .nullable()
    .describe('Why it may not come in, whatever its rights'),
  scopes: z
    .array(scopeName)
    .describe('What its credentials may be for at most; of a group none, it has none'),
  bindings: z
    .array(
      z.object({
        id: z.uuid().nullable().describe('null: the role of patients, which is bound to nobody'),
        role,
        group_ids: binding.shape.group_ids,
        resource: resource.optional(),
        rights: z.array(
          z.object({
            subject: z.string(),
            operations: z.array(z.string()),
            conditions: conditions.optional(),
          }),
        ),
      }),
    )
    .describe('Oldest first'),
});
export type EffectiveRights = z.infer<typeof rightsSchema>;
