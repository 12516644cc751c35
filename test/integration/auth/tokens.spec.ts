import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, request, type RequestOptions } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose';
import * as oauth from 'oauth4webapi';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys.service.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { type Answer, basic, Client, tokenFor } from '../../support/client.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const FORM = 'application/x-www-form-urlencoded';

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let anonymous: Client;

beforeAll(async () => {
  // The limiter has a world of its own below: here it would meet the many failures that are wanted.
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  tenant = await world.newTenant();
  anonymous = new Client(world.baseUrl);
});
afterAll(() => world.close());

const form = (parameters: Record<string, string> | string): string =>
  new URLSearchParams(parameters).toString();
const grant = (parameters: Record<string, string> | string, headers: Record<string, string> = {}) =>
  anonymous.call('POST', '/oauth2/token', form(parameters), { 'content-type': FORM, ...headers });
const authorization = (secret = tenant.clientSecret, id = tenant.clientId) => ({
  authorization: basic(id, secret),
});
const GRANT = { grant_type: 'client_credentials' };

describe('a token', () => {
  it.each<[string, () => Promise<Answer>]>([
    ['client_secret_basic', () => grant(GRANT, authorization())],
    [
      'client_secret_post',
      () => grant({ ...GRANT, client_id: tenant.clientId, client_secret: tenant.clientSecret }),
    ],
    [
      'basic with the same client_id in the body',
      () => grant({ ...GRANT, client_id: tenant.clientId }, authorization()),
    ],
    [
      'a content type with a charset',
      () => grant(GRANT, { ...authorization(), 'content-type': `${FORM}; charset=UTF-8` }),
    ],
    ['GET /auth/token', () => anonymous.get('/auth/token', authorization())],
    [
      'GET /auth/token with its grant',
      () => anonymous.get('/auth/token?grant_type=client_credentials', authorization()),
    ],
    [
      'POST /auth/token without a body',
      () => anonymous.call('POST', '/auth/token', undefined, authorization()),
    ],
    [
      'POST /auth/token with JSON',
      () => anonymous.post('/auth/token', { client_id: tenant.clientId, client_secret: tenant.clientSecret }),
    ],
  ])('by %s: 3600 s, all scopes, never cached', async (_, ask) => {
    const { status, headers, body } = await ask();
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        access_token: expect.stringMatching(/^ey[\w-]+\.ey[\w-]+\.[\w-]+$/),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: SCOPES.join(' '),
      },
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toMatch(/^application\/json/);
  });

  it('by Basic whose parts are percent-encoded, as RFC 6749 has it', async () => {
    const encode = (value: string) =>
      [...value].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');
    expect(
      (await grant(GRANT, authorization(encode(tenant.clientSecret), encode(tenant.clientId)))).status,
    ).toBe(200);
    expect((await grant(GRANT, authorization('%zz', tenant.clientId))).status).toBe(401);
  });

  it('is what RFC 9068 says, verified by the published keys', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'exams:read exams:write');
    const keys = createRemoteJWKSet(new URL(`${world.baseUrl}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: world.baseUrl,
      audience: world.baseUrl,
      typ: 'at+jwt',
    });
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    expect(payload).toEqual({
      iss: world.baseUrl,
      aud: world.baseUrl,
      sub: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_id: tenant.clientId,
      org: tenant.organizationId,
      scope: 'exams:read exams:write',
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: expect.any(Number),
      exp: payload.iat! + 3600,
    });
    expect(Math.abs(payload.iat! * 1000 - Date.now())).toBeLessThan(5_000);
  });

  it('has an id of its own each time', async () => {
    const tokens = await Promise.all(Array.from({ length: 5 }, () => tokenFor(world.baseUrl, tenant)));
    expect(new Set(tokens.map((token) => decodeJwt(token).jti)).size).toBe(5);
  });

  it('is taken in whatever case the scheme is written', async () => {
    const token = await tokenFor(world.baseUrl, tenant);
    const { status, body } = await anonymous.get('/test-token', { authorization: `bEARER  ${token}` });
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        principal: { kind: 'client', id: decodeJwt(token).sub, name: 'client' },
        organization: { id: tenant.organizationId },
        scopes: [...SCOPES],
        expires_at: new Date(decodeJwt(token).exp! * 1000).toISOString(),
      },
    });
  });
});

describe('scope', () => {
  it('narrows, and the token may do no more', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'exams:read');
    const narrowed = new Client(world.baseUrl, token);
    expect((await narrowed.get('/api/v1/exams')).status).toBe(200);
    const refused = await narrowed.post('/api/v1/exams', {
      name: 'n',
      patient_name: 'p',
      files: [{ name: 'a', size: 1 }],
    });
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 403,
      body: { error: { code: 'insufficient_scope', message: 'This needs the scope exams:write.' } },
    });
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="exams:write"',
    );
  });

  it.each(['exams:read exams:read', '  exams:read  ', 'exams:read'])('%j is exams:read', async (scope) => {
    expect((await grant({ ...GRANT, scope }, authorization())).body.scope).toBe('exams:read');
  });

  it.each([
    'exams:everything',
    '*',
    'exams:read unknown',
    'EXAMS:READ',
    'exams:read,exams:write',
    '__proto__',
  ])('%j is invalid_scope', async (scope) => {
    const { status, body } = await grant({ ...GRANT, scope }, authorization());
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_scope' });
  });

  it('of what the client was not given is invalid_scope, and what it was given is the most there is', async () => {
    const reader = await world.newTenant('owner', ['exams:read']);
    const refused = await grant(
      { ...GRANT, scope: 'exams:write' },
      authorization(reader.clientSecret, reader.clientId),
    );
    expect(refused.body.error).toBe('invalid_scope');
    const all = await grant(GRANT, authorization(reader.clientSecret, reader.clientId));
    expect(all.body.scope).toBe('exams:read');
  });

  it('that the client has lost since is out of a token already issued', async () => {
    const own = await world.newTenant();
    const client = new Client(world.baseUrl, await tokenFor(world.baseUrl, own));
    expect((await client.get('/api/v1/exams')).status).toBe(200);
    await world.admin.query(`UPDATE oauth_client SET scopes = '{exams:write}' WHERE client_id = $1`, [
      own.clientId,
    ]);
    await soonStatus(403, () => client.get('/api/v1/exams'));
  });
});

describe('a request that is not right', () => {
  it.each<[string, number, string, () => Promise<Answer>]>([
    ['no grant_type', 400, 'invalid_request', () => grant({ scope: 'exams:read' }, authorization())],
    ['an empty body', 400, 'invalid_request', () => grant({}, authorization())],
    [
      'another grant',
      400,
      'unsupported_grant_type',
      () => grant({ grant_type: 'password' }, authorization()),
    ],
    [
      'another grant by GET',
      400,
      'unsupported_grant_type',
      () => anonymous.get('/auth/token?grant_type=authorization_code', authorization()),
    ],
    [
      'grant_type twice',
      400,
      'invalid_request',
      () => grant('grant_type=client_credentials&grant_type=client_credentials', authorization()),
    ],
    [
      'scope twice',
      400,
      'invalid_request',
      () => grant('grant_type=client_credentials&scope=exams:read&scope=exams:write', authorization()),
    ],
    [
      'client_secret twice',
      400,
      'invalid_request',
      () => grant(`grant_type=client_credentials&client_id=a&client_secret=b&client_secret=c`),
    ],
    [
      'two authentications',
      400,
      'invalid_request',
      () =>
        grant({ ...GRANT, client_id: tenant.clientId, client_secret: tenant.clientSecret }, authorization()),
    ],
    [
      'another client_id beside Basic',
      400,
      'invalid_request',
      () => grant({ ...GRANT, client_id: 'somebody' }, authorization()),
    ],
    ['JSON', 400, 'invalid_request', () => anonymous.post('/oauth2/token', GRANT, authorization())],
    [
      'no content type',
      400,
      'invalid_request',
      () => anonymous.call('POST', '/oauth2/token', undefined, authorization()),
    ],
    ['no authentication', 401, 'invalid_client', () => grant(GRANT)],
    ['an id without a secret', 401, 'invalid_client', () => grant({ ...GRANT, client_id: tenant.clientId })],
    ['Bearer for a client', 401, 'invalid_client', () => grant(GRANT, { authorization: 'Bearer x' })],
    ['Basic that is no base64', 401, 'invalid_client', () => grant(GRANT, { authorization: 'Basic !!!' })],
    [
      'Basic without a colon',
      401,
      'invalid_client',
      () => grant(GRANT, { authorization: `Basic ${Buffer.from('nocolon').toString('base64')}` }),
    ],
    ['Basic without an id', 401, 'invalid_client', () => grant(GRANT, authorization('s', ''))],
    ['an id with a NUL', 401, 'invalid_client', () => grant(GRANT, authorization('s', 'a\u0000b'))],
    ['an id that is SQL', 401, 'invalid_client', () => grant(GRANT, authorization('s', `' OR '1'='1`))],
    [
      'the secret’s hash for the secret',
      401,
      'invalid_client',
      () => grant(GRANT, authorization('0'.repeat(64))),
    ],
    [
      'a secret in the query of GET',
      400,
      'invalid_request',
      () => anonymous.get(`/auth/token?client_id=${tenant.clientId}&client_secret=${tenant.clientSecret}`),
    ],
    [
      'a secret in the query of GET beside Basic',
      400,
      'invalid_request',
      () => anonymous.get(`/auth/token?client_secret=${tenant.clientSecret}`, authorization()),
    ],
    [
      'a secret in the query of POST',
      401,
      'invalid_client',
      () =>
        anonymous.call(
          'POST',
          `/oauth2/token?client_id=${tenant.clientId}&client_secret=${tenant.clientSecret}`,
          form(GRANT),
          { 'content-type': FORM },
        ),
    ],
  ])('%s: %i %s', async (_, status, error, ask) => {
    const answer = await ask();
    expect({ status: answer.status, body: answer.body }).toEqual({
      status,
      body: { error, error_description: expect.any(String) },
    });
    expect(answer.text).not.toContain(tenant.clientSecret);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('www-authenticate')).toBe(
      status === 401 ? 'Basic realm="scandock", charset="UTF-8"' : null,
    );
  });

  it('is answered alike for an unknown client, a wrong secret, a disabled client and a revoked secret', async () => {
    const [disabled, revoked, closed] = await Promise.all([
      world.newTenant(),
      world.newTenant(),
      world.newTenant(),
    ]);
    await world.admin.query('UPDATE oauth_client SET disabled_at = now() WHERE client_id = $1', [
      disabled.clientId,
    ]);
    await world.admin.query('UPDATE client_key SET revoked_at = now() WHERE organization_id = $1', [
      revoked.organizationId,
    ]);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      closed.organizationId,
    ]);
    const answers = [
      await grant(GRANT, authorization('wrong')),
      await grant(GRANT, authorization(tenant.clientSecret, 'sdc_unknown')),
      ...(await Promise.all(
        [disabled, revoked, closed].map(({ clientId, clientSecret }) =>
          grant(GRANT, authorization(clientSecret, clientId)),
        ),
      )),
    ];
    const told = answers.map(({ status, text, headers }) => ({
      status,
      text,
      headers: [...headers]
        .filter(([name]) => !/^(date|x-request-id|traceparent|ratelimit-)/.test(name))
        .map((header) => header.join(': ')),
    }));
    expect(told[0]!.status).toBe(401);
    for (const answer of told) expect(answer).toEqual(told[0]);
  });

  it('accepts either of two living secrets, for rotation', async () => {
    const own = await world.newTenant();
    await world.admin.query(
      `INSERT INTO client_key (id, organization_id, oauth_client_id, secret_hash, created_at)
       SELECT $1, organization_id, id, sha256('second-secret'), now() FROM oauth_client WHERE client_id = $2`,
      [randomUUID(), own.clientId],
    );
    for (const secret of [own.clientSecret, 'second-secret'])
      expect((await grant(GRANT, authorization(secret, own.clientId))).status).toBe(200);
    expect((await grant(GRANT, authorization('third-secret', own.clientId))).status).toBe(401);
  });
});

describe('what is published', () => {
  it('names endpoints that exist and what they do', async () => {
    const { body, headers } = await anonymous.get('/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      issuer: world.baseUrl,
      token_endpoint: `${world.baseUrl}/oauth2/token`,
      jwks_uri: `${world.baseUrl}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials'],
      introspection_endpoint: `${world.baseUrl}/oauth2/introspect`,
      revocation_endpoint: `${world.baseUrl}/oauth2/revoke`,
      ...Object.fromEntries(
        ['token', 'introspection', 'revocation'].flatMap((name) => [
          [
            `${name}_endpoint_auth_methods_supported`,
            ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
          ],
          [`${name}_endpoint_auth_signing_alg_values_supported`, ['RS384', 'ES384']],
        ]),
      ),
      scopes_supported: [...SCOPES],
    });
    expect(headers.get('cache-control')).toBe('public, max-age=60');
  });

  it('holds public keys only', async () => {
    await tokenFor(world.baseUrl, tenant);
    const { body } = await anonymous.get<{ keys: JWK[] }>('/.well-known/jwks.json');
    expect(body.keys).toHaveLength(1);
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(key.kid).toBe(await calculateJwkThumbprint(key));
    }
  });

  it('is enough for an independent client (oauth4webapi)', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(world.baseUrl);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
    );
    const client = { client_id: tenant.clientId };
    for (const authenticate of [
      oauth.ClientSecretBasic(tenant.clientSecret),
      oauth.ClientSecretPost(tenant.clientSecret),
    ]) {
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        authenticate,
        { scope: 'exams:read' },
        insecure,
      );
      const result = await oauth.processClientCredentialsResponse(server, client, response);
      expect(result).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'exams:read' });
      const request = new Request(`${world.baseUrl}/test-token`, {
        headers: { authorization: `Bearer ${result.access_token}` },
      });
      const claims = await oauth.validateJwtAccessToken(server, request, world.baseUrl, insecure);
      expect(claims.client_id).toBe(tenant.clientId);
    }
    const refused = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      oauth.ClientSecretBasic('wrong'),
      {},
      insecure,
    );
    await expect(oauth.processClientCredentialsResponse(server, client, refused)).rejects.toMatchObject({
      name: 'WWWAuthenticateChallengeError',
    });
  });
});

describe('a token that is not ours, or no longer', () => {
  const ask = (token: string) => anonymous.get('/test-token', { authorization: `Bearer ${token}` });
  const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

  /** A token like ours, signed with our own key, except for what is changed. */
  async function forge(
    claims: JWTPayload = {},
    header: { alg?: string; typ?: string; kid?: string } = {},
    key?: Parameters<SignJWT['sign']>[0],
  ): Promise<string> {
    const genuine = await tokenFor(world.baseUrl, tenant);
    const signing = await world.api.app.get(SigningKeysService, { strict: false }).current();
    const payload = { ...decodeJwt(genuine), ...claims };
    for (const [name, value] of Object.entries(payload)) if (value === undefined) delete payload[name];
    const protectedHeader = { ...(decodeProtectedHeader(genuine) as { alg: string }), ...header };
    for (const [name, value] of Object.entries(protectedHeader))
      if (value === undefined) delete (protectedHeader as Record<string, unknown>)[name];
    return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(key ?? signing.privateKey);
  }

  it('is accepted when nothing is changed: the forgeries below fail for what they change', async () => {
    expect((await ask(await forge())).status).toBe(200);
    expect((await ask(await forge({ jti: randomUUID() }))).status).toBe(200);
  });

  const past = () => Math.floor(Date.now() / 1000) - 10;
  it.each<[string, () => Promise<string>]>([
    ['typ JWT', () => forge({}, { typ: 'JWT' })],
    ['no typ', () => forge({}, { typ: undefined as never })],
    ['another audience', () => forge({ aud: 'https://elsewhere.example' })],
    ['no audience', () => forge({ aud: undefined as never })],
    ['another issuer', () => forge({ iss: 'https://elsewhere.example' })],
    ['no issuer', () => forge({ iss: undefined as never })],
    ['an expiry that has passed', () => forge({ exp: past() })],
    ['no expiry', () => forge({ exp: undefined as never })],
    ['a time before which it is not valid', () => forge({ nbf: past() + 3600 })],
    ['an id that is none of ours', () => forge({ jti: 'another' })],
    ['an unknown kid', () => forge({}, { kid: 'unknown' })],
    ['no kid', () => forge({}, { kid: undefined as never })],
    ['a kid that is a path', () => forge({}, { kid: '../../../etc/passwd' })],
    ['no organization', () => forge({ org: undefined })],
    ['an organization that is no id', () => forge({ org: `' OR 1=1 --` })],
    ['no subject', () => forge({ sub: undefined as never })],
    ['no scope', () => forge({ scope: undefined })],
    [
      'an organization the client is not of',
      async () => forge({ org: (await world.newTenant()).organizationId }),
    ],
    ['a subject that is unknown', () => forge({ sub: randomUUID() })],
    [
      'another key under our kid',
      () => forge({}, {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    ],
  ])('is refused with %s', async (_, make) => {
    const { status, body, headers } = await ask(await make());
    expect({ status, body }).toEqual({
      status: 401,
      body: {
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        detail: 'The token is invalid, expired or revoked.',
        code: 'invalid_token',
        requestId: headers.get('x-request-id'),
      },
    });
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('is refused with alg none, in any spelling', async () => {
    const [, payload] = (await tokenFor(world.baseUrl, tenant)).split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', ''])
      for (const signature of ['', 'AAAA']) {
        const { kid } = await world.api.app.get(SigningKeysService, { strict: false }).current();
        const token = `${base64url({ alg, typ: 'at+jwt', kid })}.${payload}.${signature}`;
        expect((await ask(token)).status).toBe(401);
      }
  });

  it('is refused with HS256 under the public key, in each of its encodings', async () => {
    const { publicKey, publicJwk } = await world.api.app.get(SigningKeysService, { strict: false }).current();
    const encodings = [
      publicKey.export({ format: 'pem', type: 'spki' }) as string,
      publicKey.export({ format: 'der', type: 'spki' }),
      JSON.stringify(publicJwk),
      publicJwk.x!,
    ];
    for (const secret of encodings)
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const { kid } = publicJwk;
        const token = await new SignJWT(decodeJwt(await tokenFor(world.baseUrl, tenant)))
          .setProtectedHeader({ alg, typ: 'at+jwt', kid: kid! })
          .sign(Buffer.from(secret));
        expect((await ask(token)).status).toBe(401);
      }
  });

  it('is refused with a key it brings itself', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = await exportJWK(publicKey);
    const token = await new SignJWT(decodeJwt(await tokenFor(world.baseUrl, tenant)))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: await calculateJwkThumbprint(jwk), jwk })
      .sign(privateKey);
    expect((await ask(token)).status).toBe(401);
  });

  it('is refused with any one part changed', async () => {
    const [header, payload, signature] = (await tokenFor(world.baseUrl, tenant)).split('.') as [
      string,
      string,
      string,
    ];
    const more = base64url({
      ...decodeJwt(`${header}.${payload}.${signature}`),
      scope: SCOPES.join(' '),
      org: randomUUID(),
    });
    const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    for (const token of [
      `${header}.${more}.${signature}`,
      `${header}.${payload}.${flipped}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}.${'A'.repeat(86)}`, // r = s = 0
      `e30.${payload}.${signature}`,
      'null.null.null',
      'a.b.c',
      '....',
      `sdk_live_${'A'.repeat(43)}`,
      tenant.clientSecret,
    ])
      expect({ token, status: (await ask(token)).status }).toEqual({ token, status: 401 });
  });
});

describe('within a second', () => {
  /** A principal that works, a change to it, and the answer that must come about. */
  async function becomes(
    status: number,
    kind: 'client' | 'apiKey',
    change: (own: Tenant) => Promise<unknown>,
  ): Promise<void> {
    const own = await world.newTenant();
    const client = new Client(
      world.baseUrl,
      kind === 'client' ? await tokenFor(world.baseUrl, own) : own.apiKey,
    );
    for (let warm = 0; warm < 3; warm++) expect((await client.get('/api/v1/exams')).status).toBe(200);
    await change(own);
    await soonStatus(status, () => client.get('/api/v1/exams'));
    for (let after = 0; after < 3; after++) expect((await client.get('/api/v1/exams')).status).toBe(status);
  }
  const sql = (text: string) => (own: Tenant) => world.admin.query(text, [own.organizationId]);

  it.each<[string, number, 'client' | 'apiKey', string]>([
    [
      'a disabled client',
      401,
      'client',
      'UPDATE oauth_client SET disabled_at = now() WHERE organization_id = $1',
    ],
    ['a disabled organization', 401, 'client', 'UPDATE organization SET disabled_at = now() WHERE id = $1'],
    ['a client without its role', 403, 'client', 'DELETE FROM role_binding WHERE organization_id = $1'],
    [
      'a client whose role has changed',
      403,
      'client',
      `UPDATE role SET rules = '[]' WHERE organization_id = $1`,
    ],
    ['a revoked key', 401, 'apiKey', 'UPDATE api_key SET revoked_at = now() WHERE organization_id = $1'],
    [
      'a key of a disabled organization',
      401,
      'apiKey',
      'UPDATE organization SET disabled_at = now() WHERE id = $1',
    ],
    ['a key without its role', 403, 'apiKey', 'DELETE FROM role_binding WHERE organization_id = $1'],
    [
      'a key that has lost its scopes',
      403,
      'apiKey',
      `UPDATE api_key SET scopes = '{}' WHERE organization_id = $1`,
    ],
  ])('%s is out (%i)', (_, status, kind, change) => becomes(status, kind, sql(change)));
});

it('importJWK accepts the published key as a signature key', async () => {
  const { body } = await anonymous.get<{ keys: JWK[] }>('/.well-known/jwks.json');
  await expect(importJWK(body.keys[0]!, 'ES256')).resolves.toMatchObject({ type: 'public' });
});

// Worlds of their own, last: the strategy that checks tokens is registered once a process, for the newest API.
describe('time', () => {
  it('is refused when it is over, by our clock', async () => {
    const own = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
    try {
      const token = await tokenFor(own.baseUrl, await own.newTenant());
      const client = new Client(own.baseUrl, token);
      own.travel(3_595_000);
      expect((await client.get('/test-token')).status).toBe(200);
      own.travel(6_000);
      expect((await client.get('/test-token')).status).toBe(401);
    } finally {
      await own.close();
    }
  });

  it('verifies nothing with a signing key that was taken out of service, within a second', async () => {
    const own = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
    try {
      const client = new Client(own.baseUrl, await tokenFor(own.baseUrl, await own.newTenant()));
      expect((await client.get('/test-token')).status).toBe(200);
      await own.admin.query('UPDATE signing_key SET retired_at = now()');
      await soonStatus(401, () => client.get('/test-token'));
    } finally {
      await own.close();
    }
  });
});

describe('failed credentials', () => {
  /** From an address of its own: all of 127.0.0.0/8 is this machine. */
  const send = (own: World, localAddress: string, options: RequestOptions, body?: string) =>
    new Promise<{ status: number; headers: IncomingHttpHeaders }>((resolve, reject) => {
      const sent = request(own.baseUrl, { ...options, localAddress, agent: false }, (response) => {
        response
          .resume()
          .on('end', () => resolve({ status: response.statusCode!, headers: response.headers }));
      });
      sent.on('error', reject).end(body);
    });
  const from = (own: World, address: string) => (secret: string, clientId?: string) =>
    send(
      own,
      address,
      {
        method: 'POST',
        path: '/oauth2/token',
        headers: { 'content-type': FORM, authorization: basic(clientId ?? 'sdc_nobody', secret) },
      },
      form(GRANT),
    );

  it('are limited to thirty a minute and address, while right ones go on, and are then counted', async () => {
    const own = await createWorld();
    try {
      const known = await own.newTenant();
      const ask = from(own, '127.0.2.7');
      for (let attempt = 1; attempt <= 30; attempt++)
        expect({ attempt, status: (await ask(`wrong${attempt}`)).status }).toEqual({ attempt, status: 401 });
      for (let attempt = 31; attempt <= 35; attempt++) {
        const { status, headers } = await ask(`wrong${attempt}`);
        expect({ attempt, status }).toEqual({ attempt, status: 429 });
        expect(Number(headers['retry-after'])).toBeGreaterThan(0);
        expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
      }
      expect((await ask(known.clientSecret, known.clientId)).status).toBe(200);
      expect((await from(own, '127.0.2.8')('wrong', 'sdc_somebody')).status).toBe(401);

      const written = await own.admin.query(
        `SELECT outcome, detail->>'status' AS status, count(*)::int FROM audit_event
         WHERE action = 'tokens:issue' AND ip = '127.0.2.7' GROUP BY 1, 2 ORDER BY 1`,
      );
      expect(written.rows).toEqual([
        { outcome: 'denied', status: '401', count: 30 },
        { outcome: 'success', status: null, count: 1 },
      ]);
      await own.api.app.close(); // the end of the minute, or of the process
      const counted = await own.admin.query(
        `SELECT organization_id, outcome, ip, detail FROM audit_event WHERE action = 'auth:suppressed-failures'`,
      );
      expect(counted.rows).toEqual([
        {
          organization_id: '00000000-0000-7000-8000-000000000000',
          outcome: 'denied',
          ip: '127.0.2.7',
          detail: { route: 'tokens:issue', count: 5 },
        },
      ]);
    } finally {
      await own.close();
    }
  });

  it('of one client are limited from wherever they come', async () => {
    const own = await createWorld();
    try {
      const { clientId, clientSecret } = await own.newTenant();
      for (let attempt = 1; attempt <= 30; attempt++)
        expect((await from(own, `127.0.100.${attempt}`)('wrong', clientId)).status).toBe(401);
      expect((await from(own, '127.0.100.31')('wrong', clientId)).status).toBe(429);
      expect((await from(own, '127.0.100.32')(clientSecret, clientId)).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  it('of bearer tokens are limited too, and no credential at all cannot fill the ledger', async () => {
    const own = await createWorld();
    try {
      const known = await own.newTenant();
      const statuses = async (headers: (attempt: number) => Record<string, string>, localAddress: string) => {
        const seen: number[] = [];
        for (let attempt = 0; attempt < 40; attempt++)
          seen.push(
            (await send(own, localAddress, { path: '/api/v1/exams', headers: headers(attempt) })).status,
          );
        return seen;
      };
      const guessed = await statuses(
        (attempt) => ({ authorization: `Bearer sdk_live_${String(attempt).padStart(43, 'x')}` }),
        '127.0.2.9',
      );
      expect(guessed).toEqual([...Array<number>(30).fill(401), ...Array<number>(10).fill(429)]);
      const right = await statuses(() => ({ authorization: `Bearer ${known.apiKey}` }), '127.0.2.9');
      expect(right).toEqual(Array(40).fill(200));
      await statuses(() => ({}), '127.0.2.10');
      await own.api.app.close();
      const { rows } = await own.admin.query(
        `SELECT ip, action, count(*)::int AS events, sum((detail->>'count')::int)::int AS counted
         FROM audit_event WHERE actor_kind = 'anonymous' GROUP BY 1, 2 ORDER BY 1, 2`,
      );
      expect(rows).toEqual([
        { ip: '127.0.2.10', action: 'auth:suppressed-failures', events: 1, counted: 10 },
        { ip: '127.0.2.10', action: 'exams:list', events: 30, counted: null },
        { ip: '127.0.2.9', action: 'auth:suppressed-failures', events: 1, counted: 10 },
        { ip: '127.0.2.9', action: 'exams:list', events: 30, counted: null },
      ]);
    } finally {
      await own.close();
    }
  });
});
