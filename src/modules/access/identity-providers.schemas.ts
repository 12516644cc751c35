import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { changesOf, plainText, uuid } from '../../platform/http/validation.js';
import { isLoopback } from '../auth/provider-url.js';

const asUrl = (value: string): URL | undefined => (URL.canParse(value) ? new URL(value) : undefined);

/** OpenID Connect Discovery, section 3: scheme, host, and nothing that is no path. Whether http will do, the service says. */
const issuer = z
  .string()
  .max(500)
  .refine((value) => {
    const url = asUrl(value);
    if (!url || !/^https?:$/.test(url.protocol)) return false;
    return !/[?#]/.test(value) && !value.includes('/.well-known/');
  }, 'must be an https URL without query and fragment');

/** Compared to the letter, hence written as a browser writes it (RFC 9700, section 2.1). */
const redirectUri = z
  .string()
  .max(500)
  .refine((value) => {
    const url = asUrl(value);
    if (!url || url.username || url.password || /[?#]/.test(value) || url.href !== value) return false;
    return url.protocol === 'https:' || isLoopback(url);
  }, 'must be an https URL without query and fragment, as browsers write it');

const provider = {
  name: plainText(200).describe('What those who sign in know it by'),
  client_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'must be visible ASCII')
    .describe('What the provider calls us'),
  client_secret: z
    .string()
    .regex(/^[\x20-\x7e]{1,1000}$/, 'must be printable ASCII')
    .describe('Never shown again; absent, PKCE alone has to do'),
  redirect_uris: z
    .array(redirectUri)
    .max(10)
    .refine((all) => new Set(all).size === all.length, 'must not say one twice')
    .describe('Where your apps take the browser back, to the letter'),
};

export const createProviderSchema = z.strictObject({
  ...provider,
  issuer: issuer.describe('As its metadata says it; cannot be changed'),
  client_secret: provider.client_secret.optional(),
});
export type CreateProvider = z.infer<typeof createProviderSchema>;

export const updateProviderSchema = changesOf({
  ...provider,
  client_secret: provider.client_secret.nullable().describe('null removes it'),
});
export type UpdateProvider = z.infer<typeof updateProviderSchema>;

export const listProvidersSchema = z.strictObject(pageQuery);
export type ListProviders = z.infer<typeof listProvidersSchema>;

export const providerSchema = z.object({
  id: z.uuid(),
  name: z.string(),
  issuer: z.string(),
  client_id: z.string(),
  has_secret: z.boolean(),
  redirect_uris: z.array(z.string()),
  created_at: z.iso.datetime(),
  disabled_at: z.iso.datetime().nullable(),
  version: z.int(),
});
export type ProviderView = z.infer<typeof providerSchema>;

export const providerPageSchema = pageSchemaOf(providerSchema);
export type ProviderPage = z.infer<typeof providerPageSchema>;

export const linkIdentitySchema = z.strictObject({
  provider_id: uuid.describe('An identity provider of the organization'),
  subject: z
    .string()
    .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 characters of ASCII')
    .describe('Who they are there: `sub` (OpenID Connect Core, section 2), never an e-mail address'),
});
export type LinkIdentity = z.infer<typeof linkIdentitySchema>;

export const listIdentitiesSchema = z.strictObject(pageQuery);
export type ListIdentities = z.infer<typeof listIdentitiesSchema>;

export const identitySchema = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  issuer: z.string(),
  subject: z.string(),
  created_at: z.iso.datetime(),
});
export type IdentityView = z.infer<typeof identitySchema>;

export const identityPageSchema = pageSchemaOf(identitySchema);
export type IdentityPage = z.infer<typeof identityPageSchema>;
