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

/** The id of a row. In lower case, as the database writes it; callers may use either (RFC 9562, section 4). */
export const uuid = z.uuid().transform((id) => id.toLowerCase());

/** Postgres knows no year 0, nothing of ours is older than the epoch, and ISO 8601 has four digits for a year. */
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** A time that a caller gives, as it is written: in UTC or with an offset. */
export const writtenInstant = z.iso
  .datetime({ offset: true })
  .refine(
    (text) => Date.parse(text) >= 0 && Date.parse(text) <= LATEST_MS,
    'must be in the years 1970 to 9999',
  );

/** A time that a caller gives. */
export const instant = writtenInstant.transform((text) => new Date(text));

/** Refines what has both ends of a half-open interval, each of which may be left open. */
export const isInterval = (
  from = 'from',
  to = 'to',
): [(given: Record<string, unknown>) => boolean, { path: string[]; message: string }] => [
  (given) => !given[from] || !given[to] || msOf(given[from]) < msOf(given[to]),
  { path: [to], message: `must be after ${from}` },
];

const msOf = (time: unknown): number => new Date(time as Date | string).getTime();

/** Of a PATCH: each member may be left out, but not all of them. */
export const changesOf = <Members extends z.ZodRawShape>(members: Members) =>
  z
    .strictObject(members)
    .partial()
    .refine((given) => Object.keys(given).length > 0, 'must name at least one');

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

/** What a person calls a file; never a path, neither for us nor for who saves it under that name. */
export const fileName = plainText(255).refine(
  (name) => !/[/\\]/.test(name) && name !== '.' && name !== '..',
  'must be a file name, not a path',
);
