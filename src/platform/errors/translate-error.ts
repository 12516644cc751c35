import { HttpException } from '@nestjs/common';
import { Prisma } from '../../generated/prisma/client.js';
import { ApplicationError, unavailable } from './application-error.js';

/** Prisma: server not reached, connection closed, timed out, too many connections, pool or transaction timeout. */
const PRISMA_UNAVAILABLE = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1011',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
]);
/**
 * Node sockets, and SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), 55P03 and 57014 (lock and statement
 * timeout), 25006 (read-only), 40 (rollback).
 */
const SYSTEM_UNAVAILABLE =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|08\w{3}|53\w{3}|57P\w{2}|55P03|57014|25006|40\w{3})$/;
/** What drivers say without a code of its own: a database closed for maintenance is a general 55000. */
const WORDS_UNAVAILABLE =
  /connection (terminated|timeout)|timeout exceeded when trying to connect|socket hang up|connection error and is not queryable|not currently accepting connections/i;

const STATUS_CODES: Record<number, string> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'request_timeout',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  431: 'header_too_large',
};

/** Whether the fault lies with a part that is away or busy, so that trying again is sensible. */
export function isTransient(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth++) {
    if (at instanceof ApplicationError) return at.status === 503;
    if (at instanceof Prisma.PrismaClientInitializationError) return true;
    const { code, $metadata } = at as { code?: unknown; $metadata?: { httpStatusCode?: number } };
    if (typeof code === 'string' && (PRISMA_UNAVAILABLE.has(code) || SYSTEM_UNAVAILABLE.test(code)))
      return true;
    if (at.name === 'TimeoutError' || at.name === 'AbortError' || WORDS_UNAVAILABLE.test(at.message))
      return true;
    if (($metadata?.httpStatusCode ?? 0) >= 500 || $metadata?.httpStatusCode === 429) return true;
    const adapter = (at as { meta?: { driverAdapterError?: unknown } }).meta?.driverAdapterError;
    if (adapter instanceof Error && adapter !== at && isTransient(adapter)) return true;
    const { originalCode } = (at.cause ?? {}) as { originalCode?: unknown };
    if (typeof originalCode === 'string' && SYSTEM_UNAVAILABLE.test(originalCode)) return true;
  }
  return false;
}

/** Any thrown value as the error a caller may see. What we do not know becomes a 500 that tells nothing. */
export function toApplicationError(error: unknown): ApplicationError {
  if (error instanceof ApplicationError) return error;
  if (isTransient(error)) return unavailable(error);
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown })?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new ApplicationError(STATUS_CODES[status] ?? 'bad_request', status, clientMessage(status, error), {
      cause: error,
    });
  return new ApplicationError('internal_error', 500, 'Something went wrong on our side.', { cause: error });
}

/** The framework's own words may quote the request (a URL, a body): ours do not. */
function clientMessage(status: number, error: unknown): string {
  const messages: Record<number, string> = {
    404: 'There is no such resource.',
    405: 'This method is not allowed here.',
    413: 'The request body is too large.',
    414: 'The URL is too long.',
    408: 'The request did not arrive in time.',
    415: 'This content type is not supported here.',
    431: 'The request headers are too large.',
  };
  if ((error as { code?: unknown })?.code === 'FST_ERR_CTP_EMPTY_JSON_BODY') return 'The JSON body is empty.';
  return messages[status] ?? 'The request is malformed.';
}
