import { createPublicKey } from 'node:crypto';
import { z } from 'zod';

/** What clients sign their assertions with, as SMART Backend Services has it: one algorithm for each type of key. */
export const ASSERTION_ALGORITHMS = ['RS384', 'ES384'] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

/** Of a modulus, in bits: at least what RFC 7518, section 3.3, demands, at most what is checked in well under a millisecond. */
const MODULUS_BITS = { min: 2048, max: 4096 };
const MOST_KEYS = 10;

/** RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1: what only the owner of a key may have. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,1024}$/, 'must be base64url');

const shared = {
  kid: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters'),
  use: z.literal('sig').optional(),
  key_ops: z.tuple([z.literal('verify')]).optional(),
  ext: z.boolean().optional(),
};

const rsaKey = z.strictObject({
  kty: z.literal('RSA'),
  alg: z.literal('RS384').optional(),
  n: base64url,
  e: z.literal('AQAB', 'must be AQAB, 65537'),
  ...shared,
});

const ecKey = z.strictObject({
  kty: z.literal('EC'),
  alg: z.literal('ES384').optional(),
  crv: z.literal('P-384'),
  x: base64url,
  y: base64url,
  ...shared,
});

const publicKey = z
  .record(z.string(), z.unknown())
  .refine((key) => !PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member)), {
    message: 'must be a public key: a private one that was sent here is no longer private',
    abort: true,
  })
  .pipe(z.discriminatedUnion('kty', [rsaKey, ecKey]))
  .superRefine((key, context) => {
    const problem = problemOf(key);
    if (problem) context.addIssue(problem);
  });

/**
 * The public keys a client's assertions are verified by (RFC 7517): RSA of 2048 to 4096 bits for RS384, P-384 for ES384, each
 * with a `kid` of its own. Members that are not named here are refused, those of private keys first of all.
 */
export const jwksSchema = z
  .strictObject({ keys: z.array(publicKey).min(1).max(MOST_KEYS) })
  .refine(({ keys }) => new Set(keys.map(({ kid }) => kid)).size === keys.length, {
    path: ['keys'],
    message: 'each key needs a kid of its own',
  })
  .describe('JSON Web Key Set (RFC 7517) of public keys');
export type ClientJwks = z.output<typeof jwksSchema>;
export type ClientJwk = ClientJwks['keys'][number];

/** The algorithm of a key: its type decides, whatever a token says. */
export const algorithmOf = ({ kty }: ClientJwk): AssertionAlgorithm => (kty === 'RSA' ? 'RS384' : 'ES384');

/** Why OpenSSL would not verify with it: a point that is not on the curve, a modulus of another length. */
function problemOf(key: ClientJwk): string | undefined {
  try {
    const bits = createPublicKey({ key: { ...key }, format: 'jwk' }).asymmetricKeyDetails?.modulusLength;
    if (bits === undefined || (bits >= MODULUS_BITS.min && bits <= MODULUS_BITS.max)) return undefined;
    return `must have ${MODULUS_BITS.min} to ${MODULUS_BITS.max} bits, not ${bits}`;
  } catch {
    return 'is not a key';
  }
}
