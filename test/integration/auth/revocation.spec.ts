import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { ExpiredTokens } from '../../../src/modules/auth/worker/expired-tokens.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { type Answer, basic, Client, tokenFor } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { OwnProcess } from '../../support/processes.js';
import { FORM, SigningClient } from '../../support/signing-client.js';
import { soon } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000', RECONCILE_INTERVAL_MS: '3600000' });
  tenant = await world.newTenant();
}, 60_000);
afterAll(() => world.close());

const form = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString();
const revoke = (
  token: string,
  { clientId, clientSecret }: Pick<Tenant, 'clientId' | 'clientSecret'> = tenant,
  { hint, baseUrl = world.baseUrl }: { hint?: string; baseUrl?: string } = {},
): Promise<Answer> =>
  new Client(baseUrl).call(
    'POST',
    '/oauth2/revoke',
    form({ token, ...(hint && { token_type_hint: hint }) }),
    {
      ...FORM,
      authorization: basic(clientId, clientSecret),
    },
  );
const use = async (token: string, baseUrl = world.baseUrl): Promise<number> =>
  (await new Client(baseUrl, token).get('/test-token')).status;

const endsSoon = (token: string, baseUrl?: string) =>
  soon(
    () => use(token, baseUrl),
    (status) => status === 401,
  );

async function eventOf({ headers }: Answer): Promise<object> {
  const { rows } = await world.admin.query(
    `SELECT organization_id, actor_kind, action, outcome, resource_id, detail FROM audit_event WHERE request_id = $1`,
    [headers.get('x-request-id')],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

const revoked = async (token: string): Promise<number> =>
  (await world.admin.query('SELECT 1 FROM revoked_token WHERE jti = $1', [decodeJwt(token).jti])).rowCount!;

describe('revocation', () => {
  it('ends a token of the client’s own, and no other of it', async () => {
    const [token, other] = [await tokenFor(world.baseUrl, tenant), await tokenFor(world.baseUrl, tenant)];
    expect([await use(token), await use(other)]).toEqual([200, 200]);
    const answer = await revoke(token);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    await endsSoon(token);
    expect(await use(other)).toBe(200);
    expect(await eventOf(answer)).toEqual({
      organization_id: tenant.organizationId,
      actor_kind: 'client',
      action: 'tokens:revoke',
      outcome: 'success',
      resource_id: decodeJwt(token).jti,
      detail: { revoked: true },
    });
  });

  it('is told twice without harm, and twenty times at once', async () => {
    const token = await tokenFor(world.baseUrl, tenant);
    const answers = await Promise.all(Array.from({ length: 20 }, () => revoke(token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await revoked(token)).toBe(1);
    const again = await revoke(token);
    expect(again.status).toBe(200);
    expect(await eventOf(again)).toMatchObject({
      outcome: 'success',
      detail: { revoked: false, reason: 'revoked_before' },
    });
  });

  it.each(['access_token', 'refresh_token', 'nothing_known'])('whatever the hint: %s', async (hint) => {
    const token = await tokenFor(world.baseUrl, tenant);
    expect((await revoke(token, tenant, { hint })).status).toBe(200);
    await endsSoon(token);
  });

  it('by an assertion, of a token that was got by one', async () => {
    const client = await SigningClient.open(world, tenant.organizationId);
    const token = (await client.grant()).body.access_token as string;
    expect(await use(token)).toBe(200);
    expect((await client.form('/oauth2/revoke', { token, ...(await client.parameters()) })).status).toBe(200);
    await endsSoon(token);
    expect((await client.grant()).status).toBe(200);
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
    const algorithm = { name: 'ECDSA', namedCurve: 'P-384' };
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
    const ways: [string, oauth.ClientAuth][] = [
      [tenant.clientId, oauth.ClientSecretBasic(tenant.clientSecret)],
      [tenant.clientId, oauth.ClientSecretPost(tenant.clientSecret)],
      [signing.clientId, oauth.PrivateKeyJwt({ key, kid: signing.key.jwk.kid })],
    ];
    for (const [client_id, authenticate] of ways) {
      const client = { client_id };
      const granted = await oauth.clientCredentialsGrantRequest(server, client, authenticate, {}, insecure);
      const { access_token } = await oauth.processClientCredentialsResponse(server, client, granted);
      const response = await oauth.revocationRequest(server, client, authenticate, access_token, insecure);
      await expect(oauth.processRevocationResponse(response)).resolves.toBeUndefined();
      await endsSoon(access_token);
    }
    const refused = await oauth.revocationRequest(
      server,
      { client_id: tenant.clientId },
      oauth.ClientSecretBasic(tenant.clientSecret),
      tenant.apiKey,
      insecure,
    );
    await expect(oauth.processRevocationResponse(refused)).rejects.toMatchObject({
      error: 'unsupported_token_type',
    });
  });
});

describe('nothing happens, and the caller learns nothing,', () => {
  const ofAnother = async (organizationId: string): Promise<string> => {
    const client = await world.organizations.createClient({
      organizationId,
      name: 'other',
      role: 'owner',
      scopes: SCOPES,
    });
    return tokenFor(world.baseUrl, client);
  };

  it('with a token of another client of the organization', async () => {
    const token = await ofAnother(tenant.organizationId);
    const answer = await revoke(token);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
    expect(await eventOf(answer)).toMatchObject({
      organization_id: tenant.organizationId,
      outcome: 'denied',
      resource_id: decodeJwt(token).jti,
      detail: { revoked: false, reason: 'of_another_client' },
    });
    expect([await revoked(token), await use(token)]).toEqual([0, 200]);
  });

  it('with a patient’s token', async () => {
    const portal = await Portal.open(world, tenant.organizationId);
    const { accessToken } = await portal.signIn();
    expect((await revoke(accessToken)).status).toBe(200);
    expect([await revoked(accessToken), await use(accessToken)]).toEqual([0, 200]);
  });

  it('with a token of another organization, one nobody has, and one that is over', async () => {
    const foreign = await ofAnother((await world.newTenant()).organizationId);
    for (const token of [foreign, 'unknown', 'a.b.c', randomUUID(), 'a\u0000b']) {
      const answer = await revoke(token);
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
      expect(await eventOf(answer)).toEqual({
        organization_id: tenant.organizationId,
        actor_kind: 'client',
        action: 'tokens:revoke',
        outcome: 'denied',
        resource_id: null,
        detail: { revoked: false, reason: 'not_active' },
      });
    }
    expect(await use(foreign)).toBe(200);
  });

  it.each<[string, () => string | Promise<string>]>([
    ['an API key', () => tenant.apiKey],
    ['an API key nobody has', () => `sdk_live_${'A'.repeat(43)}`],
    [
      'a refresh token',
      async () => (await (await Portal.open(world, tenant.organizationId)).signIn()).refreshToken,
    ],
  ])('but that %s does not end this way', async (_, make) => {
    const token = await make();
    const { status, body, text } = await revoke(token);
    expect({ status, body }).toEqual({
      status: 400,
      body: { error: 'unsupported_token_type', error_description: expect.any(String) },
    });
    expect(text).not.toContain(token);
    if (token === tenant.apiKey) expect(await use(token)).toBe(200);
  });

  it.each<[string, number, string, (token: string) => Promise<Answer>]>([
    ['without a client', 401, 'invalid_client', (token) => call({ token })],
    [
      'with a wrong secret',
      401,
      'invalid_client',
      (token) => revoke(token, { ...tenant, clientSecret: 'wrong' }),
    ],
    [
      'with a wrong secret for an API key',
      401,
      'invalid_client',
      () => revoke(tenant.apiKey, { ...tenant, clientSecret: 'wrong' }),
    ],
    ['without a token', 400, 'invalid_request', () => call(secret())],
    ['by JSON', 400, 'invalid_request', (token) => call({ token, ...secret() }, 'application/json')],
  ])('%s: %i %s', async (_, status, error, ask) => {
    const token = await tokenFor(world.baseUrl, tenant);
    const answer = await ask(token);
    expect({ status: answer.status, error: answer.body.error }).toEqual({ status, error });
    expect([await revoked(token), await use(token)]).toEqual([0, 200]);
  });

  const secret = () => ({ client_id: tenant.clientId, client_secret: tenant.clientSecret });
  const call = (parameters: Record<string, string>, type = FORM['content-type']): Promise<Answer> =>
    new Client(world.baseUrl).call(
      'POST',
      '/oauth2/revoke',
      type === FORM['content-type'] ? form(parameters) : JSON.stringify(parameters),
      { 'content-type': type },
    );
});

it('is in force in every process within a second', async () => {
  const port = await freePort(0);
  // One issuer, two processes: as behind a load balancer.
  const other = await OwnProcess.start('api', { ...world.environment, PORT: String(port) });
  const there = `http://127.0.0.1:${port}`;
  try {
    const token = await tokenFor(world.baseUrl, tenant);
    expect([await use(token), await use(token, there)]).toEqual([200, 200]);
    expect((await revoke(token)).status).toBe(200);
    await Promise.all([endsSoon(token), endsSoon(token, there)]);

    const back = await tokenFor(there, tenant);
    expect([await use(back), await use(back, there)]).toEqual([200, 200]);
    expect((await revoke(back, tenant, { baseUrl: there })).status).toBe(200);
    await Promise.all([endsSoon(back), endsSoon(back, there)]);

    // Nor is an assertion good once in each of them.
    const client = await SigningClient.open(world, tenant.organizationId);
    const parameters = { grant_type: 'client_credentials', ...(await client.parameters()) };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        new Client(index % 2 ? there : world.baseUrl).call('POST', '/oauth2/token', form(parameters), FORM),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(401)]);
  } finally {
    await other.stop();
  }
});

it('is remembered until the token would have expired, in every organization', async () => {
  const worker = await world.startWorker();
  const clock = worker.get(Clock);
  const own = await world.newTenant();
  for (const each of [tenant, own]) {
    const client = await SigningClient.open(world, each.organizationId);
    const { access_token: token } = (await client.grant()).body as { access_token: string };
    await client.form('/oauth2/revoke', { token, ...(await client.parameters()) });
  }
  const kept = async () => {
    const { rows } = await world.admin.query<{ revoked: number; spent: number }>(
      `SELECT (SELECT count(*)::int FROM revoked_token WHERE organization_id = ANY ($1)) AS revoked,
              (SELECT count(*)::int FROM spent_token WHERE organization_id = ANY ($1)) AS spent`,
      [[tenant.organizationId, own.organizationId]],
    );
    return rows[0]!;
  };
  const before = await kept();
  expect(before.revoked).toBeGreaterThanOrEqual(2);
  expect(before.spent).toBeGreaterThanOrEqual(4);
  const at = async (milliseconds: number) => {
    clock.now = () => new Date(Date.now() + milliseconds);
    await worker.get(ExpiredTokens).run();
    return kept();
  };
  expect(await at(2 * 60_000)).toEqual(before);
  expect(await at(20 * 60_000)).toEqual({ revoked: before.revoked, spent: 0 });
  expect(await at(59 * 60_000)).toEqual({ revoked: before.revoked, spent: 0 });
  expect(await at(75 * 60_000)).toEqual({ revoked: 0, spent: 0 });
});
