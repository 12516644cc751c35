import { ApplicationError } from '../../platform/errors/application-error.js';

export const roleBuiltIn = (): ApplicationError =>
  new ApplicationError(
    'role_built_in',
    409,
    'Built-in roles are the same everywhere. Make a role of your own with the rules of this one.',
  );

export const roleBound = (): ApplicationError =>
  new ApplicationError('role_bound', 409, 'The role is bound to somebody. Delete its bindings first.');

export const roleOfPatients = (): ApplicationError =>
  new ApplicationError(
    'role_of_patients',
    409,
    'The role patient is that of every patient, and cannot be bound.',
  );

export const portalKeyBound = (): ApplicationError =>
  new ApplicationError(
    'portal_key',
    409,
    'The key of a portal is public: it says which organization a patient’s app speaks for, and is granted nothing.',
  );
