import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import type { ApplicationError } from '../../platform/errors/application-error.js';
import { identityRefused, providerUnavailable } from './auth.errors.js';

/** Codes of openid-client that judge what came back; all else is the provider's, or the way's to it. */
const REFUSALS = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
]);

/** What an exchange of a code failed by: the person or their browser, or the provider and how it is set up. */
export function failureOf(error: unknown): ApplicationError {
  if (error instanceof AuthorizationResponseError) return identityRefused();
  // The code is wrong, used, over, or somebody else's (RFC 6749, section 5.2); other words are about us.
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant') return identityRefused();
  if (error instanceof ClientError && REFUSALS.has(error.code ?? '')) return identityRefused();
  return providerUnavailable(error);
}
