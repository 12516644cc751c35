import { ApplicationError } from '../../platform/errors/application-error.js';

/** The same for an absent case, another patient's and another organization's (seed 004). */
export const caseForbidden = (): ApplicationError =>
  new ApplicationError('case_forbidden', 403, 'You do not have access to this case');

/** To its patient: seed 004 knows no 409. */
export const caseClosedToPatient = (): ApplicationError =>
  new ApplicationError('case_closed', 403, 'This case is closed');

export const caseClosed = (): ApplicationError =>
  new ApplicationError('case_closed', 409, 'The case is closed: nothing is attached to it any more.');

export const patientAmbiguous = (): ApplicationError =>
  new ApplicationError(
    'patient_ambiguous',
    409,
    'The address or number is that of a patient with another name, number or address. Name the patient by patient_id.',
  );

/** The bucket did not take the bytes, or not in time; the row will be soft-deleted (seed 004). */
export const uploadFailed = (cause: unknown): ApplicationError =>
  new ApplicationError('upload_failed', 500, 'Failed to upload file', { cause });
