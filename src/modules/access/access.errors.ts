import type { Operation } from '../../platform/authorization/operations.js';
import { ApplicationError } from '../../platform/errors/application-error.js';

/** RFC 6750, section 3.1. */
export const insufficientScope = (operation: Operation): ApplicationError =>
  new ApplicationError('insufficient_scope', 403, `This needs the scope ${operation.scope}.`, {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${operation.scope}"` },
  });

export const forbidden = (operation: Operation): ApplicationError =>
  new ApplicationError('forbidden', 403, `None of your roles allows ${operation.name}.`);
