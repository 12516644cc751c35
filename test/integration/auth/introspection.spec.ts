import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { type Answer, basic, Client, tokenFor } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { FORM, SigningClient } from '../../support/signing-client.js';
import { soon } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const INACTIVE = { active: false };

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let anonymous: Client;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  tenant = await world.newTenant();
  anonymous = new Client(world.baseUrl);
}, 60_000);
afterAll(() => world.close());

const form = (parameters: Record<string, string> | string): string =>
  new URLSearchParams(parameters).toString();
const introspect = (token: string, as: Pick<Tenant, 'clientId' | 'clientSecret'> = tenant): Promise<Answer> =>
  anonymous.call('POST', '/oauth2/introspect', form({ token }), {
    ...FORM,
    authorization: basic(as.clientId, as.clientSecret),
  });
const told = async (token: string, as?: Tenant) =>
  (await introspect(token, as)).body as Record<string, unknown>;

async function becomesInactive(token: string, as: Tenant): Promise<void> {
  await soon(
    () => told(token, as),
    (answer) => answer.active === false,
  );
  expect(await told(token, as)).toEqual(INACTIVE);
}

describe('introspection', () => {
  it('tells all of an access token that is good', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'exams:read orders:read');
    const { status, headers, body } = await introspect(token);
    const claims = decodeJwt(token);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        active: true,
        scope: 'exams:read orders:read',
        client_id: tenant.clientId,
        sub: claims.sub,
        org: tenant.organizationId,
        token_type: 'Bearer',
        iss: world.baseUrl,
        aud: world.baseUrl,
        iat: claims.iat,
        exp: claims.exp,
        jti: claims.jti,
      },
    });
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('tells what there is to tell of an API key, without using it', async () => {
    const own = await world.newTenant('reader', ['exams:read']);
    const body = await told(own.apiKey, own);
    const { rows } = await world.admin.query(
      'SELECT id, last_used_at FROM api_key WHERE organization_id = $1',
      [own.organizationId],
    );
    expect(rows).toEqual([{ id: expect.any(String), last_used_at: null }]);
    expect(body).toEqual({
      active: true,
      scope: 'exams:read',
      sub: rows[0].id,
      org: own.organizationId,
      token_type: 'Bearer',
    });
  });

  it('tells a patient’s token while the session lives', async () => {
    const portal = await Portal.open(world, tenant.organizationId);
    const { accessToken, refreshToken, patientId } = await portal.signIn();
    expect(await told(accessToken)).toMatchObject({
      active: true,
      sub: patientId,
      scope: expect.any(String),
    });
    expect(await told(refreshToken)).toEqual(INACTIVE); // no credential of any route
    await portal.logout(refreshToken);
    await becomesInactive(accessToken, tenant);
  });

  it('takes any authentication the token endpoint takes, and whatever hint', async () => {
    const client = await SigningClient.open(world, tenant.organizationId);
    const token = await tokenFor(world.baseUrl, tenant);
    for (const parameters of [
      { client_id: tenant.clientId, client_secret: tenant.clientSecret },
      await client.parameters(),
      { ...(await client.parameters()), token_type_hint: 'access_token' },
      { ...(await client.parameters()), token_type_hint: 'refresh_token' },
      { ...(await client.parameters()), token_type_hint: 'pat' },
    ])
      expect((await client.form('/oauth2/introspect', { token, ...parameters })).body.active).toBe(true);
  });

  it('serves an independent client (oauth4webapi)', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(world.baseUrl);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
    );
    const signing = await SigningClient.open(world, tenant.organizationId);
    const pkcs8 = Uint8Array.from(signing.key.privateKey.export({ format: 'der', type: 'pkcs8' }));
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-384' }, false, [
      'sign',
    ]);
    const token = await tokenFor(world.baseUrl, tenant);
    const ways: [string, oauth.ClientAuth][] = [
      [tenant.clientId, oauth.ClientSecretBasic(tenant.clientSecret)],
      [tenant.clientId, oauth.ClientSecretPost(tenant.clientSecret)],
      [signing.clientId, oauth.PrivateKeyJwt({ key, kid: signing.key.jwk.kid })],
    ];
    for (const [client_id, authenticate] of ways)
      for (const [asked, active] of [
        [token, true],
        [tenant.apiKey, true],
        ['unknown', false],
      ] as const) {
        const response = await oauth.introspectionRequest(
          server,
          { client_id },
          authenticate,
          asked,
          insecure,
        );
        expect(await oauth.processIntrospectionResponse(server, { client_id }, response)).toMatchObject({
          active,
        });
      }
  });

  it('tells the scopes it still has, within a second', async () => {
    const own = await world.newTenant();
    const token = await tokenFor(world.baseUrl, own, 'exams:read exams:write');
    expect(await told(token, own)).toMatchObject({ scope: 'exams:read exams:write' });
    await world.admin.query(`UPDATE oauth_client SET scopes = '{exams:write}' WHERE client_id = $1`, [
      own.clientId,
    ]);
    await soon(
      () => told(token, own),
      ({ scope }) => scope === 'exams:write',
    );
  });
});

describe('of what is not active it tells nothing', () => {
  it.each<[string, () => string | Promise<string>]>([
    ['unknown', () => 'unknown'],
    ['an API key nobody has', () => `sdk_live_${'A'.repeat(43)}`],
    ['a portal’s key', async () => (await Portal.open(world, tenant.organizationId)).apiKey],
    ['a client’s secret', () => tenant.clientSecret],
    ['three parts of nothing', () => 'a.b.c'],
    ['another organization’s access token', async () => tokenFor(world.baseUrl, await world.newTenant())],
    ['another organization’s API key', async () => (await world.newTenant()).apiKey],
    ['an assertion', async () => (await SigningClient.open(world, tenant.organizationId)).assertion()],
    [
      'a token with its signature changed',
      async () => {
        const token = await tokenFor(world.baseUrl, tenant);
        const [header, payload, signature] = token.split('.') as [string, string, string];
        return `${header}.${payload}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
      },
    ],
    ['with a NUL', () => 'a\u0000b'],
  ])('%s', async (_, make) => {
    const { status, body } = await introspect(await make());
    expect({ status, body }).toEqual({ status: 200, body: INACTIVE });
  });

  it.each<[string, 'client' | 'apiKey', string]>([
    [
      'a disabled client',
      'client',
      `UPDATE oauth_client SET disabled_at = now() WHERE name = 'subject' AND organization_id = $1`,
    ],
    ['a revoked key', 'apiKey', 'UPDATE api_key SET revoked_at = now() WHERE organization_id = $1'],
  ])('%s, within a second', async (_, kind, change) => {
    const own = await world.newTenant();
    const subject = await world.organizations.createClient({
      organizationId: own.organizationId,
      name: 'subject',
      role: 'reader',
      scopes: SCOPES,
    });
    const token = kind === 'client' ? await tokenFor(world.baseUrl, subject) : own.apiKey;
    expect(await told(token, own)).toMatchObject({ active: true });
    await world.admin.query(change, [own.organizationId]);
    await becomesInactive(token, own);
  });

  it('a token that was revoked, within a second', async () => {
    const token = await tokenFor(world.baseUrl, tenant);
    expect(await told(token)).toMatchObject({ active: true });
    await anonymous.call('POST', '/oauth2/revoke', form({ token }), {
      ...FORM,
      authorization: basic(tenant.clientId, tenant.clientSecret),
    });
    await becomesInactive(token, tenant);
  });
});

describe('who may ask', () => {
  it.each<[string, number, string, (token: string) => Promise<Answer>]>([
    [
      'nobody',
      401,
      'invalid_client',
      (token) => anonymous.call('POST', '/oauth2/introspect', form({ token }), FORM),
    ],
    [
      'a wrong secret',
      401,
      'invalid_client',
      (token) => introspect(token, { ...tenant, clientSecret: 'wrong' }),
    ],
    [
      'a token that asks for itself',
      401,
      'invalid_client',
      (token) =>
        anonymous.call('POST', '/oauth2/introspect', form({ token }), {
          ...FORM,
          authorization: `Bearer ${token}`,
        }),
    ],
    ['about nothing', 400, 'invalid_request', () => introspect('')],
    ['about two', 400, 'invalid_request', (token) => ask(`token=${token}&token=${token}`)],
    ['about what is too long', 400, 'invalid_request', () => introspect('x'.repeat(4097))],
    ['by JSON', 400, 'invalid_request', (token) => ask(JSON.stringify({ token }), 'application/json')],
    ['by a body over the limit', 413, 'invalid_request', () => introspect('x'.repeat(9000))],
  ])('not %s: %i %s', async (_, status, error, call) => {
    const token = await tokenFor(world.baseUrl, tenant);
    const answer = await call(token);
    expect({ status: answer.status, body: answer.body }).toEqual({
      status,
      body: { error, error_description: expect.any(String) },
    });
    expect(answer.text).not.toContain(token);
  });

  const ask = (body: string, type = FORM['content-type']): Promise<Answer> =>
    anonymous.call('POST', '/oauth2/introspect', body, {
      'content-type': type,
      authorization: basic(tenant.clientId, tenant.clientSecret),
    });

  it('is in the ledger, with the token’s id if it is one of theirs, and never the token', async () => {
    const own = await tokenFor(world.baseUrl, tenant);
    const foreign = await tokenFor(world.baseUrl, await world.newTenant());
    for (const [token, id] of [
      [own, decodeJwt(own).jti],
      [foreign, null],
      [randomUUID(), null],
    ] as const) {
      const { headers, body } = await introspect(token);
      const { rows } = await world.admin.query(
        `SELECT organization_id, actor_kind, actor_label, action, outcome, resource_type, resource_id, detail,
                position($2 in e::text) > 0 AS told
         FROM audit_event e WHERE request_id = $1`,
        [headers.get('x-request-id'), token],
      );
      expect(rows).toEqual([
        {
          organization_id: tenant.organizationId,
          actor_kind: 'client',
          actor_label: 'client',
          action: 'tokens:introspect',
          outcome: 'success',
          resource_type: 'Token',
          resource_id: id,
          detail: { active: body.active },
          told: false,
        },
      ]);
    }
  });
});

it('is over when the token is, by our clock', async () => {
  const token = await tokenFor(world.baseUrl, tenant);
  world.travel(3_595_000);
  expect(await told(token)).toMatchObject({ active: true });
  world.travel(6_000);
  expect(await told(token)).toEqual(INACTIVE);
});
