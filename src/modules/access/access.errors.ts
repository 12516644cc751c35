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
