/** One thing wrong with a request: where, and what in words that are safe to show. */
export interface ErrorDetail {
  path: string;
  message: string;
}

interface ErrorOptions {
  cause?: unknown;
  details?: ErrorDetail[];
  headers?: Record<string, string>;
}

/**
 * The one error services throw for what a caller may know: a code that never changes, a status, a message safe to
 * show. Each surface renders it in its own format; `cause` is for the log alone.
 */
export class ApplicationError extends Error {
  readonly details: ErrorDetail[];
  readonly headers: Record<string, string>;

  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'ApplicationError';
    this.details = options.details ?? [];
    this.headers = options.headers ?? {};
  }
}

/** A schema's words may quote the request (unknown keys): they are shown, but not at any length. */
export function validationError(found: ErrorDetail[]): ApplicationError {
  const details = found
    .slice(0, MAX_DETAILS)
    .map(({ path, message }) => ({ path: shorten(path), message: shorten(message) }));
  return new ApplicationError('validation_error', 400, describe(details, found.length), { details });
}

/** The same words for an absent row and for another tenant's. */
export const notFound = (): ApplicationError =>
  new ApplicationError('not_found', 404, 'There is no such resource.');

export const unavailable = (cause: unknown): ApplicationError =>
  new ApplicationError('unavailable', 503, 'The service cannot do this right now. Try again.', {
    cause,
    headers: { 'retry-after': '2' },
  });

const MAX_DETAILS = 100;
const MAX_WORDS = 200;

const shorten = (text: string): string => (text.length > MAX_WORDS ? `${text.slice(0, MAX_WORDS)}…` : text);

function describe(details: ErrorDetail[], total: number): string {
  const shown = details.slice(0, 5).map(({ path, message }) => (path ? `${path}: ${message}` : message));
  if (total > shown.length) shown.push(`and ${total - shown.length} more`);
  return shown.join('; ');
}
