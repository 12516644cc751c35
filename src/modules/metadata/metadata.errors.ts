import { ApplicationError } from '../../platform/errors/application-error.js';

/** Each patch was small enough, but not what they add up to. */
export const metadataTooLarge = (): ApplicationError =>
  new ApplicationError(
    'metadata_too_large',
    400,
    'The metadata would have more than 500 attributes or 64 KiB. Remove some with null first.',
  );
