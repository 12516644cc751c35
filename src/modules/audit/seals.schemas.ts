import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { isInterval, writtenInstant } from '../../platform/http/validation.js';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const listSealsSchema = z.strictObject(pageQuery);
export type ListSeals = z.output<typeof listSealsSchema>;

/** As a manifest has it, so that the same code can check both. */
export const sealedTreeSchema = z.object({
  tree: z.object({
    organization: z.uuid(),
    seal: z.int().describe('Number of the seal that it was made for'),
    time: z.iso.datetime(),
    first: z.int().describe('Position of its first event, from 1'),
    size: z.int().describe('Events'),
    root: hash.describe('Merkle root over its events (RFC 6962), hex'),
    previous: hash.describe('SHA-256 of the entry before it, hex'),
  }),
  kid: z.string(),
  signature: z
    .string()
    .describe('Ed25519 over the canonical form (RFC 8785) of the tree with `kind` and `v`, base64'),
});

export const sealPageSchema = pageSchemaOf(sealedTreeSchema);
export type SealPage = z.output<typeof sealPageSchema>;

export const sealKeysSchema = z.object({
  keys: z.array(
    z.object({
      kty: z.literal('OKP'),
      crv: z.literal('Ed25519'),
      x: z.string(),
      kid: z.string(),
      alg: z.literal('EdDSA'),
      use: z.literal('sig'),
    }),
  ),
});
export type SealKeySet = z.output<typeof sealKeysSchema>;

export const verifySchema = z
  .strictObject({
    from: writtenInstant.optional().describe('Events from this time on; absent: from the first'),
    to: writtenInstant.optional().describe('Events before this time; absent: to the last'),
  })
  .refine(...isInterval());
export type Verify = z.output<typeof verifySchema>;

export const verificationSchema = z.object({
  valid: z.boolean(),
  events: z.int().describe('Sealed events of the interval that were found as they were sealed'),
  seals: z.int().describe('Signed trees that were checked'),
  unsealed: z.int().describe('Events of the interval that wait for their seal'),
  retired: z.int().describe('Sealed events that retention has taken out, after a verified export'),
  missing: z.int().describe('Events that were gone before their seal, and were sealed as that'),
  through: z.iso.datetime().optional().describe('Time of the newest head'),
  anchored_through: z.iso
    .datetime()
    .optional()
    .describe('Time of the newest head that the bucket has too: what was cut off after it cannot be noticed'),
  first_bad: z
    .object({
      seq: z.int().optional().describe('Position, from 1'),
      id: z.uuid().optional().describe('Of the event'),
      seal: z.int().optional().describe('Number of the seal'),
      why: z.string().describe('`<code>: <sentence>`'),
    })
    .optional(),
});
export type Verification = z.output<typeof verificationSchema>;
