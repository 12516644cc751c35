import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Answer, Client, tokenFor } from '../../support/client.js';
import { Portal, PortalClient, type Session } from '../../support/portal.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const OPEN = '/api/v1/users/auth/logout';
const CLOSED = '/api/v1/users/me/files';
const UNKNOWN = 'sdk_portal_0000000000000000000000000000000000000000000';
const envelope = (status: number, error: string, code = 'VALIDATION_ERROR') => ({
  status,
  success: false,
  error,
  code,
});
const UNAUTHORIZED = envelope(401, 'Invalid or expired token');

let world: World;
let tenant: Tenant;
let portal: Portal;
let session: Session;
let nobody: Client;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  tenant = await world.newTenant();
  portal = await Portal.open(world, tenant.organizationId);
  session = await portal.signIn();
  nobody = new Client(world.baseUrl);
});
afterAll(() => world.close());

const told = ({ status, body }: Answer) => ({ status, body });
const logout = (headers: Record<string, string>, client: Client = nobody) =>
  client.post(OPEN, { refresh_token: 'x' }, headers);

async function eventOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1', [
    answer.headers.get('x-request-id'),
  ]);
  return rows;
}

describe('a portal’s key', () => {
  it.each(['cv-api-key', 'x-api-key', 'CV-API-Key'])('opens by %s', async (header) => {
    const headers = { [header]: portal.apiKey };
    expect((await logout(headers)).status).toBe(200);
    const bearer = new Client(world.baseUrl, session.accessToken);
    expect((await bearer.get(CLOSED, headers)).status).toBe(200);
  });

  it('by its own header is the one that counts', async () => {
    expect((await logout({ 'cv-api-key': portal.apiKey, 'x-api-key': UNKNOWN })).status).toBe(200);
    expect((await logout({ 'cv-api-key': UNKNOWN, 'x-api-key': portal.apiKey })).status).toBe(404);
  });

  it.each([
    ['is missing', {}],
    ['is empty', { 'cv-api-key': '' }],
  ])('that %s is a 400, before anybody asks for a token', async (_, headers) => {
    for (const answer of [
      await logout(headers),
      await nobody.get(CLOSED, headers),
      await new Client(world.baseUrl, session.accessToken).get(CLOSED, headers),
    ]) {
      expect(told(answer)).toEqual({ status: 400, body: envelope(400, 'Validation failed') });
      expect(answer.headers.get('x-validation-error')).toBe('cv-api-key: the header is missing');
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    }
  });

  it('that nobody has is a 404, with a token and without', async () => {
    const headers = { 'cv-api-key': UNKNOWN };
    for (const answer of [
      await logout(headers),
      await nobody.get(CLOSED, headers),
      await new Client(world.baseUrl, session.accessToken).get(CLOSED, headers),
      await logout({ 'cv-api-key': tenant.apiKey }), // a secret key is none of a portal
    ]) {
      expect(told(answer)).toEqual({
        status: 404,
        body: envelope(404, 'Organization not found', 'NOT_FOUND'),
      });
      expect(await eventOf(answer)).toEqual([
        expect.objectContaining({
          organization_id: '00000000-0000-7000-8000-000000000000',
          outcome: 'failure',
          detail: { status: 404, code: 'organization_not_found' },
        }),
      ]);
    }
  });

  it('is asked for before a body is read', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(
        world.baseUrl + OPEN,
        { method: 'POST', headers: { 'content-type': 'application/json', 'content-length': 100_000 } },
        ({ statusCode }) => {
          resolve(statusCode!);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.flushHeaders(); // and nothing more
    });
    expect(status).toBe(400);
  });

  it('is no bearer credential', async () => {
    for (const path of ['/api/v1/exams', '/test-token', '/new-order']) {
      const answer = await new Client(world.baseUrl, portal.apiKey).get(path);
      expect({ path, status: answer.status }).toEqual({ path, status: 401 });
    }
    const own = await new PortalClient(world, tenant.organizationId, portal.apiKey, portal.apiKey).get(
      CLOSED,
    );
    expect(told(own)).toEqual({ status: 401, body: UNAUTHORIZED });
  });

  it('ends within a second, with the sessions that began at it', async () => {
    const other = await Portal.open(world, tenant.organizationId);
    const late = await other.signIn();
    expect((await late.get(CLOSED)).status).toBe(200);
    await world.admin.query('UPDATE api_key SET revoked_at = now() WHERE key_hash = sha256($1)', [
      other.apiKey,
    ]);
    expect(told(await soonStatus(404, () => logout({ 'cv-api-key': other.apiKey })))).toEqual({
      status: 404,
      body: envelope(404, 'Organization not found', 'NOT_FOUND'),
    });
    const elsewhere = new PortalClient(world, tenant.organizationId, portal.apiKey, late.accessToken);
    expect((await soonStatus(401, () => elsewhere.get(CLOSED))).body).toEqual(UNAUTHORIZED);
  });

  it('ends with its organization', async () => {
    const closing = await Portal.open(world, (await world.newTenant()).organizationId);
    expect((await logout({ 'cv-api-key': closing.apiKey })).status).toBe(200);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      closing.organizationId,
    ]);
    await soonStatus(404, () => logout({ 'cv-api-key': closing.apiKey }));
  });

  it('is made by the operator, who is told it once', async () => {
    const run = promisify(execFile);
    const env = { PATH: process.env.PATH, DATABASE_URL: world.environment.DATABASE_URL };
    const make = (...options: string[]) =>
      run(process.execPath, ['dist/main.js', 'create-portal-key', ...options], { env });
    const { stdout } = await make('--organization', tenant.organizationId, '--name', 'Patients');
    const { organizationId, portalApiKey } = JSON.parse(stdout) as Record<string, string>;
    expect({ organizationId, portalApiKey }).toEqual({
      organizationId: tenant.organizationId,
      portalApiKey: expect.stringMatching(/^sdk_portal_[A-Za-z0-9]{43}$/),
    });
    expect((await logout({ 'cv-api-key': portalApiKey! })).status).toBe(200);
    const { rows } = await world.admin.query(
      `SELECT k.purpose, k.name, k.scopes, (SELECT count(*)::int FROM role_binding b WHERE b.api_key_id = k.id) AS roles,
              position($1 in k::text) AS told, e.action, e.actor_kind, e.detail
       FROM api_key k JOIN audit_event e ON e.resource_id = k.id::text WHERE k.key_hash = sha256($1::text::bytea)`,
      [portalApiKey],
    );
    expect(rows).toEqual([
      {
        purpose: 'portal',
        name: 'Patients',
        scopes: [],
        roles: 0,
        told: 0,
        action: 'api-keys:create',
        actor_kind: 'system',
        detail: { purpose: 'portal' },
      },
    ]);
    await expect(make('--organization', '01a1fde2-6af9-7789-977f-4647fad80013')).rejects.toThrow(
      'there is no organization 01a1fde2-6af9-7789-977f-4647fad80013',
    );
    await expect(make('--organization', 'x')).rejects.toThrow('usage: scandock create-portal-key');
    await expect(make('--tenant', tenant.organizationId)).rejects.toThrow(
      'usage: scandock create-portal-key',
    );
  }, 120_000);
});

describe('a bearer token at a portal', () => {
  it('is a user’s, of its organization; else denied in the portal’s ledger', async () => {
    const foreign = await Portal.open(world, (await world.newTenant()).organizationId);
    const stranger = await foreign.signIn();
    expect((await stranger.get(CLOSED)).status).toBe(200);
    for (const [whose, token] of [
      ['another organization’s user', stranger.accessToken],
      ['a client', await tokenFor(world.baseUrl, tenant)],
      ['an API key', tenant.apiKey],
      ['nobody', undefined],
      ['nonsense', 'ey.ey.x'],
    ] as const) {
      const answer = await new PortalClient(world, tenant.organizationId, portal.apiKey, token).get(CLOSED);
      expect({ whose, ...told(answer) }).toEqual({ whose, status: 401, body: UNAUTHORIZED });
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await eventOf(answer)).toEqual([
        expect.objectContaining({
          organization_id: tenant.organizationId,
          actor_kind: 'anonymous',
          actor_id: null,
          action: 'files:list',
          outcome: 'denied',
        }),
      ]);
    }
  });

  it('may have been got at another portal of the organization', async () => {
    const other = await Portal.open(world, tenant.organizationId);
    const answer = await new PortalClient(
      world,
      tenant.organizationId,
      other.apiKey,
      session.accessToken,
    ).get(CLOSED);
    expect(answer.status).toBe(200);
  });

  it('opens nothing else than a patient’s role does', async () => {
    const bearer = new Client(world.baseUrl, session.accessToken);
    for (const path of ['/api/v1/exams', '/orders', '/studies', '/api/v1/admin/cases'])
      expect({ path, status: (await bearer.get(path)).status }).toEqual({ path, status: 403 });
    expect((await bearer.get('/test-token')).body).toMatchObject({
      principal: { kind: 'user', id: session.patientId, name: '' },
      scopes: ['files:read', 'files:write'],
    });
  });
});

// Last: Passport has one strategy of a name, and the second API's takes the place of the first's.
describe('a portal’s key', () => {
  it('is guessed a number of times a minute, and then no more; a right one goes on working', async () => {
    const limited = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '5' });
    try {
      const own = await Portal.open(limited, (await limited.newTenant()).organizationId);
      const { refreshToken } = await own.signIn();
      const guess = (key: string) =>
        new Client(limited.baseUrl).post(OPEN, { refresh_token: refreshToken }, { 'cv-api-key': key });
      const statuses: number[] = [];
      for (let turn = 0; turn < 5; turn++) statuses.push((await guess(`${UNKNOWN}${turn}`)).status);
      expect(statuses).toEqual([404, 404, 404, 404, 404]);
      const refused = await guess(UNKNOWN);
      expect(told(refused)).toEqual({
        status: 429,
        body: envelope(429, 'Too many failed attempts. Try again later.', 'RATE_LIMITED'),
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await guess(own.apiKey)).status).toBe(200);
    } finally {
      await limited.close();
    }
  });
});
