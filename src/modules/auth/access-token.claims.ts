import { z } from 'zod';
import type { Credential } from '../../platform/authorization/principal.js';
import { isScope } from '../../platform/authorization/scopes.js';

/** What an access token of ours says (RFC 9068, section 2.2), besides what its verification has looked at. */
export const claimsSchema = z.object({
  sub: z.uuid(),
  org: z.uuid(),
  client_id: z.string(),
  scope: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.uuid(),
  sid: z.uuid().optional(),
});
export type AccessTokenClaims = z.output<typeof claimsSchema>;

/** The credential a verified access token stands for. A session in it says that its subject is a user. */
export const credentialOf = (claims: AccessTokenClaims): Credential => ({
  kind: claims.sid === undefined ? 'client' : 'user',
  principalId: claims.sub,
  organizationId: claims.org,
  scopes: claims.scope.split(' ').filter(isScope),
  expiresAt: new Date(claims.exp * 1000),
  tokenId: claims.jti,
  ...(claims.sid !== undefined && { sessionId: claims.sid }),
});
