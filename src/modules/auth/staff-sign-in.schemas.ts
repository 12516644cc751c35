import { z } from 'zod';
import { uuid } from '../../platform/http/validation.js';
import { emailSchema } from './contact.schemas.js';
import type { UserTokens } from './sessions.service.js';

const organization_id = uuid.describe('Of the organization to come in to');
const refresh_token = z.string().min(1).max(256);

export const staffSendCodeSchema = z.strictObject({ organization_id, email: emailSchema });
export type StaffSendCode = z.infer<typeof staffSendCodeSchema>;

export const staffVerifyCodeSchema = z.strictObject({
  organization_id,
  email: emailSchema,
  code: z.string().regex(/^\d{6}$/, 'must be six digits'),
});
export type StaffVerifyCode = z.infer<typeof staffVerifyCodeSchema>;

export const staffRefreshSchema = z.strictObject({ organization_id, refresh_token });
export type StaffRefresh = z.infer<typeof staffRefreshSchema>;

export const staffCodeSentSchema = z.object({ message: z.string() });
export type StaffCodeSent = z.infer<typeof staffCodeSentSchema>;

export const staffSignedOutSchema = z.object({ message: z.string() });
export type StaffSignedOut = z.infer<typeof staffSignedOutSchema>;

export const staffTokensSchema = z.object({
  access_token: z.string().describe('A bearer token'),
  refresh_token: z.string().describe('Good once, for the next pair'),
  expires_in: z.int().describe('Seconds until the access token expires'),
  token_type: z.literal('Bearer'),
});
export type StaffTokens = z.infer<typeof staffTokensSchema>;

export const toStaffTokens = ({ accessToken, refreshToken, expiresIn }: UserTokens): StaffTokens => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  expires_in: expiresIn,
  token_type: 'Bearer',
});
