import { ApplicationError, validationError } from '../../platform/errors/application-error.js';

/** The seed answers 400 to all that is wrong with a file; none of these is about a member of the body alone. */
const refused = (code: string, message: string): ApplicationError => new ApplicationError(code, 400, message);

export const declaredOtherwise = (): ApplicationError =>
  validationError([
    { path: 'id', message: 'stands for a file with another name, type, hash, size or assetID' },
  ]);

export const tooManyAttempts = (): ApplicationError =>
  refused('too_many_attempts', 'URLs for this file were issued too often. Declare it under another id.');

export const notLanded = (): ApplicationError =>
  refused('not_landed', 'Nothing has been PUT to the URL of this file yet.');

export const notCompleted = (): ApplicationError =>
  refused('not_completed', 'The file is not uploaded and verified yet.');

/** The bytes are not what was declared. The code is the rule (docs/rules.md). */
export const unacceptable = (rule: string, message: string): ApplicationError => refused(rule, message);
