import { z } from 'zod';

/** RFC 5321, section 4.5.3.1.3: a path of 256 octets, its brackets included. */
const MAX_EMAIL = 254;

/** An e-mail address in the one form addresses are compared in. */
export const emailSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(MAX_EMAIL, `must be at most ${MAX_EMAIL} characters`)
  .pipe(z.email('must be an e-mail address'));

/** A telephone number in the one form numbers are compared in. */
export const phoneNumberSchema = z
  .string()
  .trim()
  .pipe(z.e164('must be a telephone number by E.164, like +15550100200'));
