import { z } from 'zod';

/** How a client says who it is (RFC 6749, section 2.3.1; RFC 7521, section 4.2), where it does not by a header. */
const clientParameters = {
  client_id: z.string().max(256).optional(),
  client_secret: z.string().max(256).optional(),
  client_assertion_type: z.string().max(256).optional(),
  client_assertion: z.string().max(4096).optional(),
};

/** RFC 6749, section 4.4.2. A parameter given twice arrives as a list and is refused (section 3.2). */
export const tokenRequestSchema = z
  .object({
    grant_type: z.string().optional(),
    scope: z.string().max(2048).optional(),
    ...clientParameters,
  })
  .describe('Client credentials grant');
export type TokenRequest = z.infer<typeof tokenRequestSchema>;

export const tokenResponseSchema = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('Seconds'),
  scope: z.string(),
});
export type TokenResponse = z.infer<typeof tokenResponseSchema>;

/** RFC 7662, section 2.1, and RFC 7009, section 2.1. What kind it is said to be is not asked: a token shows it. */
export const presentedTokenSchema = z
  .object({
    token: z.string().min(1).max(4096),
    token_type_hint: z.string().max(256).optional(),
    ...clientParameters,
  })
  .describe('A token, and the client that asks about it');
export type PresentedToken = z.infer<typeof presentedTokenSchema>;

/** RFC 7662, section 2.2. Of what is not active nothing else is said. */
export const introspectionSchema = z.union([
  z.object({ active: z.literal(false) }),
  z.object({
    active: z.literal(true),
    scope: z.string().describe('What it is good for now'),
    sub: z.uuid(),
    org: z.uuid(),
    token_type: z.literal('Bearer'),
    client_id: z.string().optional(),
    iss: z.string().optional(),
    aud: z.string().optional(),
    iat: z.int().optional(),
    exp: z.int().optional(),
    jti: z.uuid().optional(),
  }),
]);
export type Introspection = z.infer<typeof introspectionSchema>;

export const tokenInspectionSchema = z.object({
  principal: z.object({ kind: z.string(), id: z.uuid(), name: z.string() }),
  organization: z.object({ id: z.uuid() }),
  scopes: z.array(z.string()),
  expires_at: z.iso.datetime().nullable(),
});
export type TokenInspection = z.infer<typeof tokenInspectionSchema>;
