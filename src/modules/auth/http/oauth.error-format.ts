import type { ErrorFormat } from '../../../platform/http/error-format.js';

/** Our codes that have another name in RFC 6749, section 5.2. */
const CODES: Record<string, string> = {
  validation_error: 'invalid_request',
  bad_request: 'invalid_request',
  not_found: 'invalid_request',
  payload_too_large: 'invalid_request',
  unsupported_media_type: 'invalid_request',
  internal_error: 'server_error',
  unavailable: 'temporarily_unavailable',
};

const render: ErrorFormat['render'] = (error) => ({
  error: CODES[error.code] ?? error.code,
  error_description: error.message,
});

export const oauthErrorFormats: ErrorFormat[] = ['/oauth2/', '/auth/token'].map((prefix) => ({
  prefix,
  contentType: 'application/json',
  render,
}));
