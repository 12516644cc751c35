import type { ApplicationError } from '../errors/application-error.js';

/** How a surface renders an error. The surface whose prefix matches first decides; the last is for all others. */
export interface ErrorFormat {
  /** Path prefix of the surface, e.g. `/oauth2/`. */
  prefix: string;
  contentType: string;
  /** Further headers of its error responses. */
  headers?: Record<string, string>;
  /** Headers that are made of the error. */
  headersOf?(error: ApplicationError): Record<string, string>;
  /** The body: an object becomes JSON, a string (a page) stays as it is. */
  render(error: ApplicationError, requestId: string): object | string;
}

/** Problem details (RFC 9457): every path that has no format of its own. */
export const problemDetails: ErrorFormat = {
  prefix: '/',
  contentType: 'application/problem+json',
  render: (error, requestId) => ({
    type: 'about:blank',
    title: STATUS_NAMES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
    requestId,
    ...(error.details.length > 0 && { errors: error.details.slice(0, 100) }),
  }),
};

/** The names of statuses (RFC 9110, section 15). */
export const STATUS_NAMES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The body of an error response. */
export function renderError(format: ErrorFormat, error: ApplicationError, requestId: string): string {
  const body = format.render(error, requestId);
  return typeof body === 'string' ? body : JSON.stringify(body);
}

/** The headers of an error response, but for its content type. */
export const errorHeaders = (format: ErrorFormat, error: ApplicationError): Record<string, string> => ({
  ...format.headers,
  ...format.headersOf?.(error),
  ...error.headers,
});

/** The format of the surface that owns `url`. */
export function formatFor(formats: ErrorFormat[], url: string): ErrorFormat {
  return formats.find(({ prefix }) => url.startsWith(prefix)) ?? problemDetails;
}
