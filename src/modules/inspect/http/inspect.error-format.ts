import { type ErrorFormat, STATUS_NAMES } from '../../../platform/http/error-format.js';

/** Errors of inspect files, as the seed words them. */
export const inspectErrorFormat: ErrorFormat = {
  prefix: '/api/inspect/',
  contentType: 'application/json',
  render: ({ status, message }) => ({ error: STATUS_NAMES[status] ?? 'Error', errorDescription: message }),
};
