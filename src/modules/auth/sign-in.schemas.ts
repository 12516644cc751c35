import { z } from 'zod';
import type { Contact } from './contact.js';
import { emailSchema, phoneNumberSchema } from './contact.schemas.js';
import { doneSchema } from './portal.schemas.js';

const contact = {
  email: emailSchema.optional().describe('Either this or `phoneNumber`; upper and lower case are the same'),
  phoneNumber: phoneNumberSchema.optional().describe('Either this or `email`; E.164, like +15550100200'),
};
const ONE_CONTACT = 'needs either email or phoneNumber';

const hasOneContact = (given: { email?: string | undefined; phoneNumber?: string | undefined }): boolean =>
  (given.email === undefined) !== (given.phoneNumber === undefined);

export const sendCodeSchema = z
  .strictObject({
    ...contact,
    channel: z.enum(['EMAIL', 'SMS']).optional().describe('May be left out; else it must fit the address'),
  })
  .refine(hasOneContact, ONE_CONTACT)
  .refine(
    ({ channel, email }) => channel === undefined || channel === (email === undefined ? 'SMS' : 'EMAIL'),
    { path: ['channel'], message: 'does not fit the address' },
  );
export type SendCode = z.infer<typeof sendCodeSchema>;

export const verifyCodeSchema = z
  .strictObject({
    ...contact,
    code: z.string().regex(/^\d{6}$/, 'must be six digits'),
  })
  .refine(hasOneContact, ONE_CONTACT);
export type VerifyCode = z.infer<typeof verifyCodeSchema>;

export const refreshTokenSchema = z.strictObject({ refresh_token: z.string().min(1).max(256) });
export type RefreshToken = z.infer<typeof refreshTokenSchema>;

export const codeSentSchema = doneSchema.extend({ message: z.string() });
export type CodeSent = z.infer<typeof codeSentSchema>;

export const signedInSchema = doneSchema.extend({
  accessToken: z.string().describe('A bearer token'),
  refreshToken: z.string().describe('Good once, for the next pair'),
  expiresIn: z.int().describe('Seconds until the access token expires'),
});
export type SignedIn = z.infer<typeof signedInSchema>;

export const signedOutSchema = doneSchema;
export type SignedOut = z.infer<typeof signedOutSchema>;

/** The address a request names; the schema has seen to it that there is one. */
export function contactOf({ email, phoneNumber }: Pick<SendCode, 'email' | 'phoneNumber'>): Contact {
  return email !== undefined
    ? { channel: 'email', address: email }
    : { channel: 'sms', address: phoneNumber! };
}
