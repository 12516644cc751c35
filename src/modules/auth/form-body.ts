import { invalidRequest } from './auth.errors.js';

const FORM = 'application/x-www-form-urlencoded';

/** The routes of OAuth 2 take forms and nothing else (RFC 6749, appendix B). @throws invalid_request */
export function demandForm(contentType: string | undefined): void {
  if (!contentType?.toLowerCase().startsWith(FORM)) throw invalidRequest(`The body must be ${FORM}.`);
}
