import type { Operation } from '../../platform/authorization/operations.js';
import type { Scope } from '../../platform/authorization/scopes.js';
import { ApplicationError } from '../../platform/errors/application-error.js';

/** RFC 6750, section 3.1. */
export const scopeNeeded = (scope: Scope): ApplicationError =>
  new ApplicationError('insufficient_scope', 403, `This needs the scope ${scope}.`, {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
  });

export const forbidden = (operation: Operation): ApplicationError =>
  new ApplicationError('forbidden', 403, `None of your roles allows ${operation.name}.`);

/** @param what operation and subject, or a scope: names of ours */
export const grantExceeded = (what: string): ApplicationError =>
  new ApplicationError('grant_exceeded', 403, `You cannot grant what you do not hold: ${what}.`);

export const lastOwner = (): ApplicationError =>
  new ApplicationError(
    'last_owner',
    409,
    'The organization would be left without an owner. Make somebody else an owner first.',
  );

/** @param what e.g. `A group of that name` */
export const alreadyExists = (what: string): ApplicationError =>
  new ApplicationError('already_exists', 409, `${what} exists already.`);

export const notStaff = (): ApplicationError =>
  new ApplicationError('not_staff', 409, 'The user is a patient: groups and roles are for staff.');
