import { ApplicationError } from '../../platform/errors/application-error.js';

export const platformOrganization = (): ApplicationError =>
  new ApplicationError(
    'platform_organization',
    409,
    'This is the organization of the platform itself: it can be neither disabled nor deleted.',
  );

export const beingDeleted = (): ApplicationError =>
  new ApplicationError(
    'being_deleted',
    409,
    'The organization is being deleted. Call the deletion off first.',
  );

export const purgeBegun = (): ApplicationError =>
  new ApplicationError('purge_begun', 409, 'The purge has begun: this can no longer be done.');

export const notExported = (): ApplicationError =>
  new ApplicationError(
    'not_exported',
    409,
    'The export is not complete. Nothing is purged that was not exported.',
  );

export const onHold = (): ApplicationError =>
  new ApplicationError(
    'legal_hold',
    409,
    'A legal hold on the ledger of the organization is active. Enable the organization and have the hold released first.',
  );
