import { z } from 'zod';
import { seal, unseal } from '../../platform/crypto/master-key.js';

/** How long a sign-in with an identity provider may take, in milliseconds. */
export const FLOW_LIFETIME_MS = 10 * 60_000;

const flowSchema = z.strictObject({
  providerId: z.uuid(),
  redirectUri: z.string(),
  /** RFC 6749, section 10.12; also the flow's own name, which nobody knows who has not seen it sealed or at the provider. */
  state: z.string(),
  /** OpenID Connect Core, section 3.1.2.1. */
  nonce: z.string(),
  /** RFC 7636. */
  verifier: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
  /** Whom the identity is to be linked to; absent, somebody is signing in. */
  userId: z.uuid().optional(),
});

/** What has to be known when the browser comes back. The app that began the sign-in keeps it, sealed. */
export type SignInFlow = z.infer<typeof flowSchema>;

const contextOf = (organizationId: string): string => `sign-in-flow/${organizationId}`;

/** For the organization it began at, and no other. */
export function sealFlow(masterKey: Uint8Array, organizationId: string, flow: SignInFlow): string {
  const plain = Buffer.from(JSON.stringify(flow));
  return Buffer.from(seal(masterKey, contextOf(organizationId), plain)).toString('base64url');
}

/** Nothing for what we did not seal for that organization. */
export function openFlow(
  masterKey: Uint8Array,
  organizationId: string,
  sealed: string,
): SignInFlow | undefined {
  try {
    const plain = unseal(masterKey, contextOf(organizationId), Buffer.from(sealed, 'base64url'));
    return flowSchema.parse(JSON.parse(plain.toString('utf8')));
  } catch {
    return undefined;
  }
}
