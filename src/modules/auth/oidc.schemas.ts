import { z } from 'zod';
import { uuid } from '../../platform/http/validation.js';

const provider_id = uuid.describe('An identity provider of the organization');
const redirect_uri = z
  .string()
  .min(1)
  .max(500)
  .describe('One of those the provider is set up with, to the letter');
const flow = z.string().min(1).max(4096).describe('What the start answered; good once, for 10 minutes');
const callback_url = z
  .url({ protocol: /^https?$/ })
  .max(8192)
  .describe('Where the provider sent the browser, in full: with code, state and iss');

export const startLinkSchema = z.strictObject({ provider_id, redirect_uri });
export type StartLink = z.infer<typeof startLinkSchema>;

export const finishLinkSchema = z.strictObject({ flow, callback_url });
export type FinishLink = z.infer<typeof finishLinkSchema>;

const organization_id = uuid.describe('Of the organization to come in to');

export const startOidcSchema = startLinkSchema.extend({ organization_id });
export type StartOidc = z.infer<typeof startOidcSchema>;

export const finishOidcSchema = finishLinkSchema.extend({ organization_id });
export type FinishOidc = z.infer<typeof finishOidcSchema>;

export const oidcStartedSchema = z.object({
  authorization_url: z.url().describe('Send the browser there'),
  flow: z.string().describe('Keep it where the sign-in began, and give it back to finish'),
});
export type OidcStarted = z.infer<typeof oidcStartedSchema>;

export const identityLinkedSchema = z.object({
  id: z.uuid(),
  provider_id: z.uuid(),
  created_at: z.iso.datetime(),
});
export type IdentityLinked = z.infer<typeof identityLinkedSchema>;
