import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { jwksSchema } from './jwks.schemas.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsaJwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa' };
const ecJwk = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec' };

const accepts = (...keys: unknown[]): boolean => jwksSchema.safeParse({ keys }).success;
const problems = (...keys: unknown[]): string[] =>
  jwksSchema.safeParse({ keys }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ??
  [];

describe('a client’s key set', () => {
  it('may hold RSA and P-384 keys, and says what they are for', () => {
    expect(accepts(rsaJwk, ecJwk)).toBe(true);
    expect(accepts({ ...rsaJwk, alg: 'RS384', use: 'sig', key_ops: ['verify'], ext: true })).toBe(true);
    expect(accepts({ ...ecJwk, alg: 'ES384', use: 'sig' })).toBe(true);
    expect(accepts({ ...generate(4096), kid: 'long' })).toBe(true);
  });

  it('is kept as it was given', () => {
    const set = { keys: [{ ...ecJwk, alg: 'ES384' }] };
    expect(jwksSchema.parse(set)).toEqual(set);
  });

  it('never holds a private key, nor any one part of it', () => {
    const privateKeys = [
      { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'a' },
      { ...ec.privateKey.export({ format: 'jwk' }), kid: 'b' },
    ];
    for (const key of privateKeys)
      expect(problems(key)).toEqual([
        'keys.0: must be a public key: a private one that was sent here is no longer private',
      ]);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
      for (const key of [rsaJwk, ecJwk]) {
        expect(accepts({ ...key, [member]: 'AQAB' })).toBe(false);
        expect(accepts(key, { ...key, kid: 'other', [member]: null })).toBe(false);
      }
  });

  it.each<[string, unknown]>([
    ['of a shared secret', { kty: 'oct', kid: 'k' }],
    ['of Ed25519', { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'k' }],
    ['of P-256', { ...curve('P-256'), kid: 'k' }],
    ['of P-521', { ...curve('P-521'), kid: 'k' }],
    ['without a kid', { ...ecJwk, kid: undefined }],
    ['with an empty kid', { ...ecJwk, kid: '' }],
    ['with a kid that is too long', { ...ecJwk, kid: 'k'.repeat(129) }],
    ['with a kid of control characters', { ...ecJwk, kid: 'a\u0000' }],
    ['with a kid that is a number', { ...ecJwk, kid: 7 }],
    ['of another algorithm', { ...ecJwk, alg: 'ES256' }],
    ['of the other type’s algorithm', { ...ecJwk, alg: 'RS384' }],
    ['of RSA for PSS', { ...rsaJwk, alg: 'PS384' }],
    ['for encryption', { ...rsaJwk, use: 'enc' }],
    ['for signing', { ...ecJwk, key_ops: ['sign'] }],
    ['of 1024 bits', { ...generate(1024), kid: 'k' }],
    ['of a modulus that takes long', { ...rsaJwk, n: Buffer.alloc(640, 0xff).toString('base64url') }],
    ['of an exponent that takes long', { ...rsaJwk, e: rsaJwk.n }],
    ['of the exponent 1', { ...rsaJwk, e: 'AQ' }],
    ['that is not on its curve', { ...ecJwk, x: ecJwk.y }],
    ['without a coordinate', { ...ecJwk, y: undefined }],
    ['of base64 with padding', { ...ecJwk, x: `${ecJwk.x}=` }],
    ['with certificates', { ...ecJwk, x5c: ['MII'] }],
    ['with a URL', { ...ecJwk, x5u: 'https://elsewhere.example' }],
    ['that is text', 'key'],
    ['that is null', null],
  ])('holds no key %s', (_, key) => {
    expect(accepts(key)).toBe(false);
    expect(accepts(rsaJwk, key)).toBe(false);
  });

  it('has one to ten keys, each with a kid of its own, and nothing besides', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ ...ecJwk, kid: `k${index}` }));
    expect([0, 1, 10, 11].map((count) => accepts(...many(count)))).toEqual([false, true, true, false]);
    expect(problems(ecJwk, { ...rsaJwk, kid: 'ec' })).toEqual(['keys: each key needs a kid of its own']);
    expect(jwksSchema.safeParse({ keys: [ecJwk], d: 'x' }).success).toBe(false);
    for (const given of [null, [], [ecJwk], ecJwk, 'x', {}])
      expect(jwksSchema.safeParse(given).success).toBe(false);
  });
});

function generate(modulusLength: number) {
  return generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });
}

function curve(namedCurve: string) {
  return generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' });
}
