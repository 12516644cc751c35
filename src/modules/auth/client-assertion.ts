import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { invalidClient } from './auth.errors.js';
import { algorithmOf, ASSERTION_ALGORITHMS, type AssertionAlgorithm, jwksSchema } from './jwks.schemas.js';

/** `client_assertion_type` of a JWT (RFC 7523, section 2.2). */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** An assertion may expire this far ahead (SMART Backend Services), in seconds. */
const LONGEST_LIFE = 300;
/** How far a client's clock may be from ours, in seconds. */
const CLOCK_SKEW = 30;

const claimsSchema = z.object({
  jti: z.string().min(1).max(255),
  exp: z.number(),
  iat: z.number().optional(),
  // One audience: what is meant for several is good at each of them.
  aud: z.union([z.string(), z.tuple([z.string()])]),
});

/** What an assertion is checked against. */
export interface AssertionExpectations {
  clientId: string;
  /** The client's key set as it is stored; nothing when there is no such client, or it has none. */
  jwks: unknown;
  /** What it may be addressed to: the token endpoint's URL, the issuer. */
  audiences: string[];
  now: Date;
}

export interface VerifiedAssertion {
  jti: string;
  /** Of the key that has signed it. */
  kid: string;
  /** Until when it would be accepted again if it were not remembered. */
  expiresAt: Date;
}

/** Whose an assertion says it is, before anything of it is checked. */
export function claimedClientId(assertion: string): string | undefined {
  try {
    const { sub } = decodeJwt(assertion);
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Verifies a client's assertion about itself (RFC 7523, section 3; SMART Backend Services): RS384 or ES384 by the key of the
 * client that its `kid` names, `iss` and `sub` the client, one audience, an `exp` at most 5 minutes ahead, a `jti`. Clocks may
 * differ by 30 seconds. Whether the `jti` was used before is for the caller to find out.
 * @throws invalid_client
 */
export async function verifyAssertion(
  assertion: string,
  { clientId, jwks, audiences, now }: AssertionExpectations,
): Promise<VerifiedAssertion> {
  const { kid, alg } = headerOf(assertion);
  // A client or key that is unknown costs the check of a signature, too.
  const key = keyOf(jwks, kid, alg);
  const payload = await verified(assertion, key ?? decoyOf(alg), {
    algorithms: [alg],
    issuer: clientId,
    subject: clientId,
    audience: audiences,
    clockTolerance: CLOCK_SKEW,
    currentDate: now,
  });
  const claims = claimsSchema.safeParse(payload);
  if (!key || !claims.success) throw invalidClient();
  const { jti, exp, iat } = claims.data;
  const latest = now.getTime() / 1000 + CLOCK_SKEW;
  if (exp > latest + LONGEST_LIFE) throw invalidClient();
  if (iat !== undefined && (iat > latest || iat < exp - LONGEST_LIFE - CLOCK_SKEW)) throw invalidClient();
  return { jti, kid, expiresAt: new Date((exp + CLOCK_SKEW) * 1000) };
}

async function verified(
  assertion: string,
  key: KeyObject,
  options: NonNullable<Parameters<typeof jwtVerify>[2]>,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(assertion, key, options)).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) throw invalidClient();
    throw error;
  }
}

function headerOf(assertion: string): { kid: string; alg: AssertionAlgorithm } {
  try {
    const { kid, alg } = decodeProtectedHeader(assertion);
    const pinned = ASSERTION_ALGORITHMS.find((known) => known === alg);
    if (typeof kid === 'string' && pinned) return { kid, alg: pinned };
  } catch {
    // no header to speak of
  }
  throw invalidClient();
}

/** A set that is not what may be stored verifies nothing. */
function keyOf(jwks: unknown, kid: string, alg: AssertionAlgorithm): KeyObject | undefined {
  const jwk = jwksSchema.safeParse(jwks).data?.keys.find((key) => key.kid === kid);
  if (!jwk || algorithmOf(jwk) !== alg) return undefined;
  return createPublicKey({ key: { ...jwk }, format: 'jwk' });
}

const decoys = new Map<AssertionAlgorithm, KeyObject>();

/** A key that nobody has the other half of. */
function decoyOf(alg: AssertionAlgorithm): KeyObject {
  const decoy = decoys.get(alg) ?? (alg === 'RS384' ? rsaDecoy() : ecDecoy());
  decoys.set(alg, decoy);
  return decoy;
}

const ecDecoy = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;

/** Random digits for a modulus: to look for primes would take a hundred milliseconds, which somebody could measure. */
function rsaDecoy(): KeyObject {
  const modulus = randomBytes(256);
  modulus[0]! |= 0x80;
  modulus[255]! |= 1;
  return createPublicKey({ key: { kty: 'RSA', e: 'AQAB', n: modulus.toString('base64url') }, format: 'jwk' });
}
