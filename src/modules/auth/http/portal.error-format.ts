import type { ApplicationError } from '../../../platform/errors/application-error.js';
import type { ErrorFormat } from '../../../platform/http/error-format.js';
import { ORGANIZATION_NOT_FOUND } from '../auth.errors.js';

/** What a patient's app is told by status alone, in the words of seed 004. */
const WORDS: Record<number, string> = { 400: 'Validation failed', 401: 'Invalid or expired token' };

const MAX_HEADER = 500;

/** Every path under `/api/v1/users`: one envelope; what exactly is wrong with a request is in a header. */
export const portalErrorFormat: ErrorFormat = {
  prefix: '/api/v1/users',
  contentType: 'application/json',
  headersOf: (error): Record<string, string> =>
    error.status === 400 ? { 'x-validation-error': asciiOf(error.message) } : {},
  render: (error) => ({
    status: error.status,
    success: false,
    error: WORDS[error.status] ?? (error.code === 'not_found' ? 'File not found' : error.message),
    code: codeOf(error),
  }),
};

function codeOf({ code, status }: ApplicationError): string {
  if (code === ORGANIZATION_NOT_FOUND) return 'NOT_FOUND';
  if (status === 429) return 'RATE_LIMITED';
  return status >= 500 ? 'INTERNAL_ERROR' : 'VALIDATION_ERROR';
}

/** The words may quote the request, and a header holds neither line breaks nor letters beyond ASCII. */
const asciiOf = (words: string): string => words.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_HEADER);
