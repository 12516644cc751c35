import { ApplicationError } from '../../platform/errors/application-error.js';

export const tooManyExports = (most: number): ApplicationError =>
  new ApplicationError(
    'too_many_exports',
    409,
    `${most} exports of this organization are under way. Wait until one is finished.`,
  );

export const exportQuota = (most: number, retryAfterSeconds: number): ApplicationError =>
  new ApplicationError('export_quota', 429, `This organization has asked for ${most} exports within a day.`, {
    headers: { 'retry-after': String(retryAfterSeconds) },
  });

/** @param since when nothing was taken out of the ledger */
export const monthRetired = (since: Date): ApplicationError =>
  new ApplicationError(
    'month_retired',
    409,
    `The interval touches months that are not in the ledger any more; their own exports were kept. Everything since ${since.toISOString()} is there.`,
  );
