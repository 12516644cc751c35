import { execFile } from 'node:child_process';
import { createSecretKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { base64url, decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { JWT_BEARER } from '../../../src/modules/auth/client-assertion.js';
import { type ClientJwks, jwksSchema } from '../../../src/modules/auth/jwks.schemas.js';
import { type Answer, basic, Client } from '../../support/client.js';
import {
  type Deviation,
  newKey,
  type OwnKey,
  privateJwkOf,
  SigningClient,
} from '../../support/signing-client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const now = () => Math.floor(Date.now() / 1000);

let world: World;
let tenant: Tenant;
let rsa: SigningClient;
let ec: SigningClient;
const rsaKey = newKey('RS384');

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  tenant = await world.newTenant();
  rsa = await SigningClient.open(world, tenant.organizationId, rsaKey);
  ec = await SigningClient.open(world, tenant.organizationId);
}, 60_000);
afterAll(() => world.close());

/** An answer without what differs anyhow. */
const told = ({ status, text, headers }: Answer) => ({
  status,
  text,
  headers: [...headers]
    .filter(([name]) => !/^(date|x-request-id|traceparent|ratelimit-)/.test(name))
    .map((header) => header.join(': ')),
});

/** Refused like any client that cannot show who it is. */
function expectInvalidClient(answer: Answer): void {
  expect({ status: answer.status, body: answer.body }).toEqual({
    status: 401,
    body: { error: 'invalid_client', error_description: 'Client authentication failed.' },
  });
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

const scopes = async (answer: Promise<Answer>) => (await answer).body.scope as string;

describe('an assertion', () => {
  it.each<[string, () => SigningClient]>([
    ['RS384', () => rsa],
    ['ES384', () => ec],
  ])('signed by %s gets a token, at each route and for each audience', async (_, clientOf) => {
    const client = clientOf();
    const issuer = world.baseUrl;
    for (const aud of [`${issuer}/oauth2/token`, issuer, [issuer], [`${issuer}/oauth2/token`]])
      for (const path of ['/oauth2/token', '/auth/token']) {
        const parameters = await client.parameters({ claims: { aud } });
        const { status, body } = await client.form(path, { grant_type: 'client_credentials', ...parameters });
        expect({ aud, path, status }).toEqual({ aud, path, status: 200 });
        expect(decodeJwt(body.access_token)).toMatchObject({
          client_id: client.clientId,
          org: tenant.organizationId,
        });
        expect((await new Client(issuer, body.access_token).get('/test-token')).status).toBe(200);
      }
    const json = await new Client(issuer).post('/auth/token', await client.parameters());
    expect(json.status).toBe(200);
  });

  it('may come with the client’s id, and with a scope to narrow', async () => {
    expect((await ec.grant(undefined, { client_id: ec.clientId })).status).toBe(200);
    expect(await scopes(ec.grant(undefined, { scope: 'exams:read' }))).toBe('exams:read');
  });

  it.each<[string, () => Deviation]>([
    ['no iat', () => ({ claims: { iat: undefined } as never })],
    ['an exp 20 s ago, by a clock that is behind', () => ({ claims: { exp: now() - 20, iat: now() - 80 } })],
    ['an exp in 320 s, by a clock that is ahead', () => ({ claims: { exp: now() + 320, iat: now() + 20 } })],
    ['nbf and iat in 20 s', () => ({ claims: { nbf: now() + 20, iat: now() + 20 } })],
    ['a jti of 255 characters', () => ({ claims: { jti: randomUUID().padEnd(255, 'x') } })],
    ['no typ', () => ({ header: { typ: undefined } as never })],
    ['claims nobody asked for', () => ({ claims: { name: 'x', scope: 'system/*.*' } })],
  ])('is taken with %s', async (_, deviate) => {
    expect((await ec.grant(await ec.assertion(deviate()))).status).toBe(200);
  });

  it('is enough for an independent client (oauth4webapi)', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(world.baseUrl);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
    );
    for (const { clientId, key } of [rsa, ec]) {
      const algorithm =
        key.alg === 'RS384'
          ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' }
          : { name: 'ECDSA', namedCurve: 'P-384' };
      const pkcs8 = Uint8Array.from(key.privateKey.export({ format: 'der', type: 'pkcs8' }));
      const signer = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
      const authenticate = oauth.PrivateKeyJwt({ key: signer, kid: key.jwk.kid });
      const client = { client_id: clientId };
      const response = await oauth.clientCredentialsGrantRequest(server, client, authenticate, {}, insecure);
      const { access_token } = await oauth.processClientCredentialsResponse(server, client, response);
      const request = new Request(`${world.baseUrl}/test-token`, {
        headers: { authorization: `Bearer ${access_token}` },
      });
      const claims = await oauth.validateJwtAccessToken(server, request, world.baseUrl, insecure);
      expect(claims.client_id).toBe(clientId);
    }
  });

  it('gets a token that lives as long as the client’s tokens do', async () => {
    const client = await SigningClient.open(world, tenant.organizationId);
    await world.admin.query('UPDATE oauth_client SET token_lifetime = 60 WHERE client_id = $1', [
      client.clientId,
    ]);
    const { body } = await client.grant();
    const { iat, exp } = decodeJwt(body.access_token);
    expect([body.expires_in, exp! - iat!]).toEqual([60, 60]);
  });

  it('is in the ledger by the key that has signed, and by nothing else of it', async () => {
    const assertion = await ec.assertion();
    const { headers } = await ec.grant(assertion);
    const { rows } = await world.admin.query(
      `SELECT actor_kind, outcome, detail, e::text AS line FROM audit_event e WHERE request_id = $1`,
      [headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      {
        actor_kind: 'client',
        outcome: 'success',
        detail: { jti: expect.any(String), lifetime: 3600, kid: ec.key.jwk.kid },
        line: expect.not.stringContaining(assertion.split('.')[2]!),
      },
    ]);
  });
});

describe('an assertion is refused', () => {
  const other = newKey('ES384');
  const issuer = () => world.baseUrl;

  it.each<[string, () => Deviation]>([
    ['for another audience', () => ({ claims: { aud: 'https://elsewhere.example/oauth2/token' } })],
    ['for no audience', () => ({ claims: { aud: undefined } as never })],
    [
      'for the route that is not the token endpoint',
      () => ({ claims: { aud: `${issuer()}/oauth2/revoke` } }),
    ],
    ['for an audience with a slash too many', () => ({ claims: { aud: `${issuer()}/` } })],
    ['for two audiences', () => ({ claims: { aud: [issuer(), 'https://elsewhere.example'] } })],
    ['for us twice', () => ({ claims: { aud: [issuer(), `${issuer()}/oauth2/token`] } })],
    ['for an empty list of audiences', () => ({ claims: { aud: [] } })],
    ['of another issuer', () => ({ claims: { iss: 'somebody' } })],
    ['of no issuer', () => ({ claims: { iss: undefined } as never })],
    ['about another client', () => ({ claims: { sub: rsa.clientId } })],
    ['of another client, about it', () => ({ claims: { sub: rsa.clientId, iss: rsa.clientId } })],
    ['about nobody', () => ({ claims: { sub: undefined } as never })],
    ['about a number', () => ({ claims: { sub: 1 as never } })],
    ['about somebody unknown', () => ({ claims: { sub: 'sdc_unknown', iss: 'sdc_unknown' } })],
    ['about a NUL', () => ({ claims: { sub: 'a\u0000b', iss: 'a\u0000b' } })],
    ['without an exp', () => ({ claims: { exp: undefined } as never })],
    ['when it is over', () => ({ claims: { exp: now() - 40, iat: now() - 100 } })],
    ['with an exp further ahead than five minutes', () => ({ claims: { exp: now() + 340 } })],
    [
      'with one, and nothing of when it was made',
      () => ({ claims: { exp: now() + 340, iat: undefined } as never }),
    ],
    ['with an exp in milliseconds', () => ({ claims: { exp: Date.now() + 60_000 } })],
    ['with an exp that is text', () => ({ claims: { exp: String(now() + 60) as never } })],
    ['when it was made to live longer', () => ({ claims: { iat: now() - 600, exp: now() + 60 } })],
    ['from the future', () => ({ claims: { iat: now() + 40 } })],
    ['with an iat that is text', () => ({ claims: { iat: 'now' as never } })],
    ['before its time', () => ({ claims: { nbf: now() + 40 } })],
    ['without a jti', () => ({ claims: { jti: undefined } as never })],
    ['with an empty jti', () => ({ claims: { jti: '' } })],
    ['with a jti that is a number', () => ({ claims: { jti: 7 as never } })],
    ['with a jti of 256 characters', () => ({ claims: { jti: 'x'.repeat(256) } })],
    ['by a key nobody knows', () => ({ key: other.privateKey })],
    ['by a kid nobody knows', () => ({ header: { kid: 'unknown' } })],
    ['by the kid of another client', () => ({ header: { kid: rsa.key.jwk.kid } })],
    ['by no kid', () => ({ header: { kid: undefined } as never })],
    ['by a kid of 1000 characters', () => ({ header: { kid: 'x'.repeat(1000) } })],
    ['by a key it brings itself', () => ({ key: other.privateKey, header: { jwk: other.jwk as never } })],
    [
      'by a key set it names itself',
      () => ({ key: other.privateKey, header: { kid: other.jwk.kid, jku: 'https://elsewhere.example' } }),
    ],
    ['with an extension we do not know', () => ({ header: { crit: ['x'], x: 1 } as never })],
  ])('%s', async (_, deviate) => {
    // What jose will not sign is signed as if it were understood.
    const deviation = deviate();
    const assertion = deviation.header?.crit ? await withCritical(deviation) : await ec.assertion(deviation);
    expectInvalidClient(await ec.grant(assertion));
  });

  /** jose signs only extensions it is told to know. */
  async function withCritical({ header }: Deviation): Promise<string> {
    const { SignJWT } = await import('jose');
    return new SignJWT(decodeJwt(await ec.assertion()))
      .setProtectedHeader({ alg: 'ES384', kid: ec.key.jwk.kid, ...header })
      .sign(ec.key.privateKey, { crit: { x: true } });
  }

  it.each<[string, string, () => OwnKey['privateKey'], () => SigningClient]>([
    ['RS256', 'RS256', () => rsa.key.privateKey, () => rsa],
    ['RS512', 'RS512', () => rsa.key.privateKey, () => rsa],
    ['PS384', 'PS384', () => rsa.key.privateKey, () => rsa],
    ['ES256', 'ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, () => ec],
    ['EdDSA', 'EdDSA', () => generateKeyPairSync('ed25519').privateKey, () => ec],
    ['RS384 under the kid of a P-384 key', 'RS384', () => rsa.key.privateKey, () => ec],
    ['ES384 under the kid of an RSA key', 'ES384', () => ec.key.privateKey, () => rsa],
  ])('by %s', async (_, alg, keyOf, clientOf) => {
    const client = clientOf();
    expectInvalidClient(await client.grant(await client.assertion({ header: { alg }, key: keyOf() })));
  });

  it('by none, in any spelling', async () => {
    const [, payload] = (await ec.assertion()).split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', ''])
      for (const signature of ['', 'AAAA']) {
        const header = base64url.encode(JSON.stringify({ alg, typ: 'JWT', kid: ec.key.jwk.kid }));
        expectInvalidClient(await ec.grant(`${header}.${payload}.${signature}`));
      }
  });

  it('by HMAC under the public key, in each of its encodings', async () => {
    for (const client of [rsa, ec]) {
      const { publicKey, jwk } = client.key;
      const encodings = [
        publicKey.export({ format: 'pem', type: 'spki' }),
        publicKey.export({ format: 'der', type: 'spki' }),
        JSON.stringify(jwk),
        jwk.kty === 'RSA' ? jwk.n : jwk.x,
      ];
      for (const secret of encodings)
        for (const alg of ['HS256', 'HS384', 'HS512']) {
          const key = createSecretKey(Buffer.from(secret));
          expectInvalidClient(await client.grant(await client.assertion({ header: { alg }, key })));
        }
    }
  });

  it('with any one part changed', async () => {
    const [header, payload, signature] = (await ec.assertion()).split('.') as [string, string, string];
    const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    const more = base64url.encode(JSON.stringify({ ...decodeJwt(await ec.assertion()), exp: now() + 200 }));
    for (const assertion of [
      `${header}.${more}.${signature}`,
      `${header}.${payload}.${flipped}`,
      `${header}.${payload}.${'A'.repeat(128)}`, // r = s = 0
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `e30.${payload}.${signature}`,
      `${base64url.encode('null')}.${payload}.${signature}`,
      'null.null.null',
      'a.b.c',
      '....',
      'x',
    ])
      expectInvalidClient(await ec.grant(assertion));
  });

  it('alike, whoever it is of and whatever is wrong with it', async () => {
    const [disabled, closed] = await Promise.all(
      [world.newTenant(), world.newTenant()].map(async (own) =>
        SigningClient.open(world, (await own).organizationId, ec.key),
      ),
    );
    await world.admin.query('UPDATE oauth_client SET disabled_at = now() WHERE client_id = $1', [
      disabled!.clientId,
    ]);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      closed!.organizationId,
    ]);
    const used = await ec.assertion();
    expect((await ec.grant(used)).status).toBe(200);
    const answers = [
      await new Client(world.baseUrl).call('POST', '/oauth2/token', 'grant_type=client_credentials', {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basic('sdc_unknown', 'wrong'),
      }),
      await ec.grant(await ec.assertion({ claims: { sub: 'sdc_unknown', iss: 'sdc_unknown' } })),
      await ec.grant(await ec.assertion({ key: other.privateKey })),
      await ec.grant(await ec.assertion({ header: { kid: 'unknown' } })),
      await ec.grant(used),
      await ec.grant(await ec.assertion(), { client_assertion_type: 'urn:example:saml2-bearer' }),
      await disabled!.grant(),
      await closed!.grant(),
    ];
    for (const answer of answers) expect(told(answer)).toEqual(told(answers[0]!));
    expectInvalidClient(answers[0]!);
  });

  it('of a client that has a secret and no keys', async () => {
    const claims = { iss: tenant.clientId, sub: tenant.clientId };
    expectInvalidClient(await ec.grant(await ec.assertion({ claims })));
  });

  it('beside another way of authentication, or half: invalid_request', async () => {
    const right = await ec.parameters();
    const grant = { grant_type: 'client_credentials' };
    const authorization = basic(tenant.clientId, tenant.clientSecret);
    const answers = [
      await ec.grant(right.client_assertion, {}, { authorization }),
      await ec.grant(right.client_assertion, {}, { authorization: 'Bearer x' }),
      await ec.grant(right.client_assertion, { client_secret: tenant.clientSecret }),
      await ec.grant(right.client_assertion, { client_id: tenant.clientId }),
      await ec.form('/oauth2/token', { ...grant, client_assertion: right.client_assertion! }),
      await ec.form('/oauth2/token', { ...grant, client_assertion_type: JWT_BEARER }),
      await ec.form('/oauth2/token', { ...grant, ...right, client_assertion: '' }),
      await ec.form('/oauth2/token', [
        ...Object.entries({ ...grant, ...right }),
        ['client_assertion', right.client_assertion!],
      ]),
      await ec.grant('x'.repeat(4097)),
    ];
    for (const { status, body } of answers)
      expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_request' });
    expect((await ec.grant(right.client_assertion)).status).toBe(200); // none of them has used it up
  });

  it('in the query of GET', async () => {
    const query = new URLSearchParams(await ec.parameters()).toString();
    const { status, body } = await new Client(world.baseUrl).get(`/auth/token?${query}`);
    expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_request' });
  });
});

describe('the second time', () => {
  it('of twenty at once exactly one gets a token', async () => {
    for (const client of [rsa, ec]) {
      const assertion = await client.assertion();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          index % 2 === 0
            ? client.grant(assertion)
            : client.form('/auth/token', { client_assertion_type: JWT_BEARER, client_assertion: assertion }),
        ),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      for (const refused of answers.filter(({ status }) => status !== 200)) expectInvalidClient(refused);
      const { rows } = await world.admin.query(
        `SELECT count(*)::int AS tokens FROM audit_event
         WHERE action = 'tokens:issue' AND outcome = 'success' AND request_id = ANY ($1)`,
        [answers.map(({ headers }) => headers.get('x-request-id'))],
      );
      expect(rows).toEqual([{ tokens: 1 }]);
    }
  });

  it('is the same jti in another assertion, and not the same jti of another client', async () => {
    const jti = randomUUID();
    expect((await ec.grant(await ec.assertion({ claims: { jti } }))).status).toBe(200);
    expectInvalidClient(await ec.grant(await ec.assertion({ claims: { jti, exp: now() + 100 } })));
    expect((await rsa.grant(await rsa.assertion({ claims: { jti } }))).status).toBe(200);
  });

  it('is at the other routes as well', async () => {
    const parameters = await ec.parameters();
    for (const path of ['/oauth2/introspect', '/oauth2/revoke']) {
      const own = await ec.parameters();
      expect((await ec.form(path, { token: 'x', ...own })).status).toBe(200);
      expectInvalidClient(await ec.grant(own.client_assertion));
    }
    expect((await ec.grant(parameters.client_assertion)).status).toBe(200);
    for (const path of ['/oauth2/introspect', '/oauth2/revoke'])
      expectInvalidClient(await ec.form(path, { token: 'x', ...parameters }));
  });

  it('is not counted when nothing came of the first', async () => {
    const assertion = await ec.assertion();
    expect((await ec.grant(assertion, { scope: 'unknown' })).body.error).toBe('invalid_scope');
    expect((await ec.grant(assertion)).status).toBe(200);
    expectInvalidClient(await ec.grant(assertion));
  });

  it('is remembered as a hash, until the assertion cannot be taken any more', async () => {
    const client = await SigningClient.open(world, (await world.newTenant()).organizationId);
    const exp = now() + 100;
    await client.grant(await client.assertion({ claims: { exp, jti: 'a-jti' } }));
    const { rows } = await world.admin.query<{ hash: Buffer; expires_at: Date }>(
      'SELECT hash, expires_at FROM spent_token WHERE organization_id = $1',
      [client.organizationId],
    );
    expect(rows.map(({ hash, expires_at }) => [hash.length, expires_at])).toEqual([
      [32, new Date((exp + 30) * 1000)],
    ]);
  });
});

describe('the keys of a client', () => {
  let client: SigningClient;
  const [first, second, third] = [
    newKey('ES384'),
    newKey('RS384', undefined, 3072),
    newKey('ES384'),
  ] as const;
  const by = async (key: OwnKey) =>
    (
      await client.grant(
        await client.assertion({ key: key.privateKey, header: { kid: key.jwk.kid, alg: key.alg } }),
      )
    ).status;

  beforeAll(async () => {
    client = await SigningClient.open(world, tenant.organizationId, first);
  });

  it('are all good, each by its kid, and end at once when they are taken out', async () => {
    await client.publish([first.jwk, second.jwk, third.jwk]);
    expect([await by(first), await by(second), await by(third)]).toEqual([200, 200, 200]);
    await client.publish([second.jwk, third.jwk]);
    expect([await by(first), await by(second), await by(third)]).toEqual([401, 200, 200]);
    await client.publish([]);
    expect([await by(first), await by(second), await by(third)]).toEqual([401, 401, 401]);
  });

  it('need not name their algorithm', async () => {
    const { alg: _, use: __, ...bare } = first.jwk;
    await client.publish([bare]);
    expect(await by(first)).toBe(200);
  });

  it.each<[string, () => object[]]>([
    ['with its private half', () => [privateJwkOf(first)]],
    ['beside one with its private half', () => [first.jwk, privateJwkOf(second)]],
    ['of another algorithm', () => [{ ...first.jwk, alg: 'ES512' }]],
    ['for encryption', () => [{ ...first.jwk, use: 'enc' }]],
    ['whose kid is given twice', () => [first.jwk, { ...third.jwk, kid: first.jwk.kid }]],
  ])('verify nothing %s, should such a one be stored', async (_, keys) => {
    await client.publish(keys());
    expect(await by(first)).toBe(401);
    await client.publish([first.jwk]);
    expect(await by(first)).toBe(200);
  });

  it('of RSA have at least 2048 bits', async () => {
    const short = newKey('RS384', undefined, 1024);
    await client.publish([short.jwk, first.jwk]);
    const assertion = await forgeShort(short);
    expect((await client.grant(assertion)).status).toBe(401);
    await client.publish([first.jwk]);
  });

  /** jose itself signs nothing with a key so short. */
  async function forgeShort({ privateKey, jwk }: OwnKey): Promise<string> {
    const { sign } = await import('node:crypto');
    const payload = (await client.assertion()).split('.')[1]!;
    const header = base64url.encode(JSON.stringify({ alg: 'RS384', kid: jwk.kid }));
    const signature = sign('sha384', Buffer.from(`${header}.${payload}`), privateKey);
    return `${header}.${payload}.${signature.toString('base64url')}`;
  }
});

it('is got by following the documentation', async () => {
  const page = readFileSync('docs/tokens.md', 'utf8');
  const blocks = [...page.matchAll(/^```(sh|js)\n([^]*?)^```$/gm)].map(([, , text]) => text!);
  const [pair, program] = ['openssl genpkey', 'new SignJWT()'].map((begin) =>
    blocks.find((block) => block.includes(begin))!,
  ) as [string, string];
  const folder = mkdtempSync(path.join(tmpdir(), 'scandock-docs-'));
  try {
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    writeFileSync(path.join(folder, 'client.pem'), newKey('ES384').privateKey.export(pem)); // as openssl makes it
    writeFileSync(path.join(folder, 'token.mjs'), program);
    symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'));
    const client = await SigningClient.open(world, tenant.organizationId);
    const env = { PATH: process.env.PATH, API: world.baseUrl, CLIENT_ID: client.clientId };
    const run = async (command: string, ...given: string[]): Promise<string> =>
      (await promisify(execFile)(command, given, { cwd: folder, env })).stdout;
    const set = JSON.parse(await run('sh', '-c', pair.slice(pair.indexOf('node -e')))) as ClientJwks;
    expect(jwksSchema.parse(set)).toEqual(set);
    await client.publish(set.keys);
    expect(await run(process.execPath, 'token.mjs')).toMatch(/access_token: 'ey[^]+expires_in: 3600/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// A world of its own, last: the strategy that checks tokens is registered once a process, for the newest API.
it('refusals are limited by client and address, right ones go on', async () => {
  const own = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '5' });
  try {
    const client = await SigningClient.open(own, (await own.newTenant()).organizationId);
    const wrong = () => client.assertion({ claims: { aud: 'https://elsewhere.example' } });
    for (let attempt = 1; attempt <= 5; attempt++)
      expect((await client.grant(await wrong())).status).toBe(401);
    const limited = await client.grant(await wrong());
    expect({ status: limited.status, error: limited.body.error }).toEqual({
      status: 429,
      error: 'rate_limited',
    });
    expect((await client.grant()).status).toBe(200);
  } finally {
    await own.close();
  }
});
