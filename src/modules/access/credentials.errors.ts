import { ApplicationError } from '../../platform/errors/application-error.js';

/** Two at most, so that a rotation has an end. @param what e.g. `secrets` */
export const tooManySecrets = (what: string): ApplicationError =>
  new ApplicationError(
    'too_many_secrets',
    409,
    `Two ${what} are live already. Take one out of service first.`,
  );

/** A replay by `Idempotency-Key`: only hashes are kept, so that nobody can tell it again. */
export const secretAlreadyTold = (): ApplicationError =>
  new ApplicationError(
    'secret_already_told',
    409,
    'This request was carried out, and its secret is told once only. Take that secret out of service and make another.',
  );

export const keyRevoked = (): ApplicationError =>
  new ApplicationError('api_key_revoked', 409, 'The key is revoked, and stays so. Make another.');
