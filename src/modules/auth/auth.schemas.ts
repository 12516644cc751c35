import { z } from 'zod';

/** RFC 6749, section 4.4.2. A parameter given twice arrives as a list and is refused (section 3.2). */
export const tokenRequestSchema = z
  .object({
    grant_type: z.string().optional(),
    scope: z.string().max(2048).optional(),
    client_id: z.string().max(256).optional(),
    client_secret: z.string().max(256).optional(),
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

export const tokenInspectionSchema = z.object({
  principal: z.object({ kind: z.string(), id: z.uuid(), name: z.string() }),
  organization: z.object({ id: z.uuid() }),
  scopes: z.array(z.string()),
  expires_at: z.iso.datetime().nullable(),
});
export type TokenInspection = z.infer<typeof tokenInspectionSchema>;
