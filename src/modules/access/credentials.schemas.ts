import { z } from 'zod';
import { SCOPES } from '../../platform/authorization/scopes.js';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, plainText, uuid } from '../../platform/http/validation.js';
import { jwksSchema } from '../auth/jwks.schemas.js';

const name = plainText(255);
const scopes = z
  .array(z.enum(SCOPES))
  .max(SCOPES.length)
  .refine((given) => new Set(given).size === given.length, 'must not name a scope twice');
const tokenLifetime = z.int().min(60).max(3600).describe('Of the access tokens it is given, in seconds');
const moment = z.iso.datetime();

export const createClientSchema = z.strictObject({
  name,
  scopes,
  token_lifetime: tokenLifetime.default(3600),
  jwks: jwksSchema.optional().describe('Public keys, for private_key_jwt'),
  with_secret: z.boolean().optional().describe('Absent: true unless jwks is given'),
});
export type CreateClient = z.infer<typeof createClientSchema>;

export const updateClientSchema = changesOf({
  name,
  scopes,
  token_lifetime: tokenLifetime,
  jwks: jwksSchema.nullable(),
});
export type UpdateClient = z.infer<typeof updateClientSchema>;

export const listClientsSchema = z.strictObject({
  name: name.optional(),
  state: z.enum(['enabled', 'disabled']).optional(),
  ...pageQuery,
});
export type ListClients = z.infer<typeof listClientsSchema>;

export const clientSchema = z.object({
  id: z.uuid(),
  client_id: z.string(),
  name: z.string(),
  state: z.enum(['enabled', 'disabled']),
  scopes: z.array(z.string()),
  token_lifetime: z.int().describe('Seconds'),
  jwks: z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) }).nullable(),
  secrets: z
    .array(z.object({ id: z.uuid(), created_at: moment, last_used_at: moment.nullable() }))
    .describe('Those that are live, oldest first; never their values'),
  last_used_at: moment.nullable().describe('Of any of its secrets, revoked ones too; within a minute'),
  created_at: moment,
  version: z.int(),
});
export type ClientView = z.infer<typeof clientSchema>;

export const createdClientSchema = clientSchema.extend({
  client_secret: z.string().optional().describe('Told here and never again'),
});
export type CreatedClient = z.infer<typeof createdClientSchema>;

export const clientPageSchema = pageSchemaOf(clientSchema);
export type ClientPage = z.infer<typeof clientPageSchema>;

export const createdSecretSchema = z.object({
  id: z.uuid(),
  client_secret: z.string().describe('Told here and never again'),
  created_at: moment,
});
export type CreatedSecret = z.infer<typeof createdSecretSchema>;

const purpose = z.enum(['secret', 'portal']);

export const createApiKeySchema = z
  .strictObject({
    name,
    purpose: purpose
      .default('secret')
      .describe('`secret`: a bearer credential; `portal`: tells the organization of a patients’ app'),
    scopes: scopes.default([]),
  })
  .refine((given) => given.purpose === 'secret' || given.scopes.length === 0, {
    message: 'a portal’s key has none',
    path: ['scopes'],
  });
export type CreateApiKey = z.infer<typeof createApiKeySchema>;

export const updateApiKeySchema = changesOf({ name, scopes });
export type UpdateApiKey = z.infer<typeof updateApiKeySchema>;

export const listApiKeysSchema = z.strictObject({
  purpose: purpose.optional(),
  state: z.enum(['live', 'revoked']).optional(),
  ...pageQuery,
});
export type ListApiKeys = z.infer<typeof listApiKeysSchema>;

export const apiKeySchema = z.object({
  id: z.uuid(),
  name: z.string(),
  purpose,
  state: z.enum(['live', 'revoked']),
  scopes: z.array(z.string()),
  last_used_at: moment.nullable().describe('Of the value told last; within a minute'),
  previous: z
    .object({ last_used_at: moment.nullable() })
    .nullable()
    .describe('While it is being rotated: the value before, which is still good'),
  created_at: moment,
  version: z.int(),
});
export type ApiKeyView = z.infer<typeof apiKeySchema>;

export const toldApiKeySchema = apiKeySchema.extend({
  key: z.string().describe('Told here and never again'),
});
export type ToldApiKey = z.infer<typeof toldApiKeySchema>;

export const apiKeyPageSchema = pageSchemaOf(apiKeySchema);
export type ApiKeyPage = z.infer<typeof apiKeyPageSchema>;

export const listSessionsSchema = z.strictObject({ user_id: uuid.optional(), ...pageQuery });
export type ListSessions = z.infer<typeof listSessionsSchema>;

export const sessionSchema = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  user_kind: z.enum(['patient', 'staff']),
  began_by: z.enum(['portal', 'code', 'identity_provider']),
  created_at: moment,
  last_used_at: moment.describe('When it was last refreshed'),
  expires_at: moment.describe('Whatever its use'),
});
export type SessionView = z.infer<typeof sessionSchema>;

export const sessionPageSchema = pageSchemaOf(sessionSchema);
export type SessionPage = z.infer<typeof sessionPageSchema>;
