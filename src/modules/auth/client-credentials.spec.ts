import { describe, expect, it } from '@jest/globals';
import { JWT_BEARER } from './client-assertion.js';
import { readClientAuthentication, readClientCredentials } from './client-credentials.js';

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
const failure = (authorization?: string, body?: object): string | undefined => {
  try {
    readClientCredentials(authorization, body);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('client credentials', () => {
  it.each([
    [basic('id:secret'), { clientId: 'id', clientSecret: 'secret' }],
    [basic('id:'), { clientId: 'id', clientSecret: '' }],
    [basic('id:a:b:c'), { clientId: 'id', clientSecret: 'a:b:c' }],
    [basic('id%3Ax:se%20cret'), { clientId: 'id:x', clientSecret: 'se cret' }],
    [basic('id:a+b'), { clientId: 'id', clientSecret: 'a b' }],
    [basic('id:100%'), { clientId: 'id', clientSecret: '100%' }],
    [basic('id:%zz'), { clientId: 'id', clientSecret: '%zz' }],
    [basic('ïd:sécret'), { clientId: 'ïd', clientSecret: 'sécret' }],
    [basic('id:secret').replace('Basic', 'bASIC '), { clientId: 'id', clientSecret: 'secret' }],
  ])('from %s', (authorization, credentials) => {
    expect(readClientCredentials(authorization)).toEqual(credentials);
  });

  it('from a body', () => {
    expect(readClientCredentials(undefined, { client_id: 'id', client_secret: 's' })).toEqual({
      clientId: 'id',
      clientSecret: 's',
    });
  });

  it('from the header, with the same id in the body', () => {
    expect(readClientCredentials(basic('id:s'), { client_id: 'id' }).clientId).toBe('id');
  });

  it.each([
    ['', 'invalid_client'],
    ['Basic', 'invalid_client'],
    ['Basic ', 'invalid_client'],
    ['Basic ===', 'invalid_client'],
    ['Basic a b', 'invalid_client'],
    [basic('nocolon'), 'invalid_client'],
    [basic(':secret'), 'invalid_client'],
    ['Bearer token', 'invalid_client'],
    [`${basic('a:b')}, ${basic('c:d')}`, 'invalid_client'],
  ])('not from %j', (authorization, code) => {
    expect(failure(authorization)).toBe(code);
  });

  it('never from two places at once', () => {
    expect(failure(basic('id:s'), { client_id: 'id', client_secret: 's' })).toBe('invalid_request');
    expect(failure(basic('id:s'), { client_secret: 's' })).toBe('invalid_request');
    expect(failure(basic('id:s'), { client_id: 'other' })).toBe('invalid_request');
    // A header that cannot be read is not made good by the body.
    expect(failure('Basic !', { client_id: 'id', client_secret: 's' })).toBe('invalid_client');
  });

  it('never half', () => {
    expect(failure(undefined, {})).toBe('invalid_client');
    expect(failure(undefined, { client_id: 'id' })).toBe('invalid_client');
    expect(failure(undefined, { client_secret: 's' })).toBe('invalid_client');
    expect(failure(undefined, { client_id: '', client_secret: 's' })).toBe('invalid_client');
  });
});

describe('a client that may show either', () => {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const client_assertion = `${encoded({ alg: 'ES384' })}.${encoded({ sub: 'id' })}.AAAA`;
  const shown = { client_assertion_type: JWT_BEARER, client_assertion };
  const code = (authorization: string | undefined, body: object): string | undefined => {
    try {
      readClientAuthentication(authorization, body);
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('shows a secret', () => {
    expect(readClientAuthentication(basic('id:s'), {})).toEqual({ clientId: 'id', clientSecret: 's' });
  });

  it('shows an assertion, which says whose it is', () => {
    expect(readClientAuthentication(undefined, shown)).toEqual({
      clientId: 'id',
      assertion: client_assertion,
    });
    expect(readClientAuthentication(undefined, { ...shown, client_id: 'id' })).toMatchObject({
      clientId: 'id',
    });
  });

  it('never shows both, nor half of one', () => {
    expect(code(basic('id:s'), shown)).toBe('invalid_request');
    expect(code('Basic !', shown)).toBe('invalid_request');
    expect(code(undefined, { ...shown, client_secret: 's' })).toBe('invalid_request');
    expect(code(undefined, { ...shown, client_id: 'other' })).toBe('invalid_request');
    expect(code(undefined, { client_assertion })).toBe('invalid_request');
    expect(code(undefined, { client_assertion_type: JWT_BEARER })).toBe('invalid_request');
    expect(code(basic('id:s'), { client_assertion_type: JWT_BEARER })).toBe('invalid_request');
  });

  it('never shows what cannot be read, or of another kind', () => {
    expect(code(undefined, { ...shown, client_assertion: 'a.b.c' })).toBe('invalid_client');
    expect(code(undefined, { ...shown, client_assertion: `${encoded({})}.${encoded({})}.A` })).toBe(
      'invalid_client',
    );
    expect(code(undefined, { ...shown, client_assertion_type: 'other' })).toBe('invalid_client');
  });
});
