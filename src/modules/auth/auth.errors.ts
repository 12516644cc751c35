import { ApplicationError, validationError } from '../../platform/errors/application-error.js';
import { BASIC_CHALLENGE } from '../../platform/http/challenge.js';

/** RFC 6749, section 5.2. The words are the same for an unknown client and a wrong secret. */
export const invalidClient = (): ApplicationError =>
  new ApplicationError('invalid_client', 401, 'Client authentication failed.', {
    headers: { 'www-authenticate': BASIC_CHALLENGE },
  });

export const invalidRequest = (message: string): ApplicationError =>
  new ApplicationError('invalid_request', 400, message);

export const unsupportedGrantType = (): ApplicationError =>
  new ApplicationError('unsupported_grant_type', 400, 'The only grant is client_credentials.');

/** RFC 7009, section 2.2.1: only access tokens end this way. */
export const unsupportedTokenType = (): ApplicationError =>
  new ApplicationError('unsupported_token_type', 400, 'Only access tokens can be revoked here.');

export const invalidScope = (): ApplicationError =>
  new ApplicationError(
    'invalid_scope',
    400,
    'A requested scope does not exist or is not granted to this client.',
  );

/** RFC 6750, section 3.1: no credential at all gets no error code. @param basic whether HTTP Basic would do, too */
export const credentialRequired = (basic: boolean): ApplicationError =>
  new ApplicationError(
    'unauthorized',
    401,
    `This route needs a bearer token${basic ? ', or a client id and secret by HTTP Basic' : ''}.`,
    { headers: { 'www-authenticate': 'Bearer' } },
  );

export const invalidToken = (): ApplicationError =>
  new ApplicationError('invalid_token', 401, 'The token is invalid, expired or revoked.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });

export const tooManyFailures = (retryAfterSeconds: number): ApplicationError =>
  new ApplicationError('rate_limited', 429, 'Too many failed attempts. Try again later.', {
    headers: { 'retry-after': String(retryAfterSeconds) },
  });

export const ORGANIZATION_NOT_FOUND = 'organization_not_found';

/** A portal's key that nobody has, or that was revoked. */
export const organizationNotFound = (): ApplicationError =>
  new ApplicationError(ORGANIZATION_NOT_FOUND, 404, 'Organization not found');

export const portalKeyMissing = (): ApplicationError =>
  validationError([{ path: 'cv-api-key', message: 'the header is missing' }]);

/** A one-time code that is wrong, over, used up, or of an address nobody has: the caller must not learn which. */
export const invalidCode = (): ApplicationError =>
  new ApplicationError('invalid_code', 401, 'The code is invalid or expired.', {
    headers: { 'www-authenticate': 'Bearer' },
  });

export const INVALID_GRANT = 'invalid_grant';

/** A refresh token that is unknown, over or replaced, or whose session is (RFC 6749, section 5.2). */
export const invalidGrant = (): ApplicationError =>
  new ApplicationError(INVALID_GRANT, 401, 'The refresh token is invalid, expired or revoked.', {
    headers: { 'www-authenticate': 'Bearer' },
  });

/** So many codes were asked for, or so many wrong ones tried. */
export const tooManyCodes = (retryAfterSeconds: number): ApplicationError =>
  new ApplicationError('rate_limited', 429, 'Too many codes. Try again later.', {
    headers: { 'retry-after': String(retryAfterSeconds) },
  });

/** Nothing here can send to an address of that kind, whoever's it is. */
export const channelUnavailable = (): ApplicationError =>
  new ApplicationError('channel_unavailable', 503, 'Codes cannot be sent this way.', {
    headers: { 'retry-after': '3600' },
  });

/** The flow of a sign-in with an identity provider that is not ours, of another organization, over, or was finished once. */
export const invalidFlow = (): ApplicationError =>
  new ApplicationError(
    'invalid_flow',
    401,
    'The sign-in is unknown, over or was finished before. Begin again.',
    {
      headers: { 'www-authenticate': 'Bearer' },
    },
  );

/** What came back from the provider does not prove anything. */
export const identityRefused = (): ApplicationError =>
  new ApplicationError(
    'identity_refused',
    401,
    'The identity provider did not confirm who you are. Begin again.',
    { headers: { 'www-authenticate': 'Bearer' } },
  );

/** Of nobody here, or of somebody who may not come in. */
export const identityUnknown = (): ApplicationError =>
  new ApplicationError('identity_unknown', 403, 'This identity is not linked to anybody here.');

/** It does not answer, or not as OpenID Connect has it, or does not take our client id and secret. */
export const providerUnavailable = (cause: unknown): ApplicationError =>
  new ApplicationError('provider_unavailable', 503, 'The identity provider cannot be used right now.', {
    cause,
    headers: { 'retry-after': '5' },
  });

export const identityTaken = (): ApplicationError =>
  new ApplicationError('already_exists', 409, 'This identity is linked already.');

export const staffOnly = (): ApplicationError =>
  new ApplicationError('forbidden', 403, 'Only staff who are signed in can link an identity of theirs.');
