import { ApplicationError, unavailable } from '../../platform/errors/application-error.js';

/**
 * SQLSTATE 22 (data exception) and 23 (constraint): what the event itself is to blame for. But not 23514, which is also what
 * Postgres says when there is no partition for a row.
 */
const FAULT_OF_THE_EVENT = /^(22\w{3}|23(?!514)\w{3})$/;

/**
 * What is thrown when an event was not taken. A ledger that is full, locked, gone or closed to us is away, whatever the
 * database calls it: a caller is told to come back, a job is tried again for as long as it takes and given up by nobody.
 */
export function ledgerError(cause: unknown): unknown {
  if (cause instanceof ApplicationError || FAULT_OF_THE_EVENT.test(sqlStateOf(cause) ?? '')) return cause;
  return unavailable(cause);
}

/** The database's own code, from `pg` or through Prisma. */
function sqlStateOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 6; depth++) {
    const { code, meta, cause } = at as Error & {
      code?: unknown;
      meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } };
    };
    const original = meta?.driverAdapterError?.cause?.originalCode;
    if (typeof original === 'string') return original;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^P\d/.test(code)) return code;
    at = cause;
  }
  return undefined;
}
