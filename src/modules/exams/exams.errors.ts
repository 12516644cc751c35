import { ApplicationError } from '../../platform/errors/application-error.js';

const MAX_NAMES_SHOWN = 20;

/** Carries all names; the message shows the first. */
export class FilesMissing extends ApplicationError {
  constructor(readonly missing: string[]) {
    const shown = missing.slice(0, MAX_NAMES_SHOWN).join(', ');
    const more = missing.length > MAX_NAMES_SHOWN ? ` and ${missing.length - MAX_NAMES_SHOWN} more` : '';
    super('files_missing', 409, `${missing.length} of the files have not been uploaded: ${shown}${more}.`);
  }
}

export const fileTooLarge = (name: string): ApplicationError =>
  new ApplicationError('file_too_large', 413, `${name} is larger than 5 GiB, the most one PUT can carry.`);

export const tooManyAttempts = (): ApplicationError =>
  new ApplicationError(
    'too_many_attempts',
    409,
    'URLs for these files were issued too often. Create another exam.',
  );

export const notReady = (): ApplicationError =>
  new ApplicationError('not_ready', 409, 'The exam is still uploading: confirm it before it is shared.');
