import type { ErrorFormat } from '../../../platform/http/error-format.js';
import { FilesMissing } from '../exams.errors.js';

const render: ErrorFormat['render'] = (error) => ({
  error: {
    code: error.code,
    message: error.message,
    ...(error instanceof FilesMissing && { missing: error.missing }),
  },
});

export const examsErrorFormats: ErrorFormat[] = ['/api/v1/exams', '/api/v1/me'].map((prefix) => ({
  prefix,
  contentType: 'application/json',
  render,
}));
