import { ApplicationError } from '../../platform/errors/application-error.js';

/** The content is not what its type says. The code is the rule (docs/rules.md), as if it had been uploaded. */
export const unacceptable = (rule: string, message: string, where?: string | null): ApplicationError =>
  new ApplicationError(rule, rule === 'empty' ? 400 : 422, message, {
    ...(where && { details: [{ path: where, message }] }),
  });
