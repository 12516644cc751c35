import { StandardSchemaValidationPipe } from '@nestjs/common';
import { z } from 'zod';
import { validationError } from '../errors/application-error.js';

/** Checks every body, query and parameter that names a schema, and answers 400 with all that is wrong. */
export const validationPipe = (): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) =>
      validationError(
        issues.map(({ path, message }) => ({
          path: (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
          message,
        })),
      ),
  });

/** Text a person typed: no control characters, so that it cannot forge a log line, a header or a page. */
export const plainText = (maximum: number) =>
  z
    .string()
    .regex(/^(?!\s)[^]*(?<!\s)$/, 'must not begin or end with a blank')
    .min(1, 'must not be empty')
    .max(maximum, `must be at most ${maximum} characters`)
    .regex(
      /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]*$/u,
      'must not contain control characters',
    );
