import { ApplicationError } from '../../platform/errors/application-error.js';
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
