import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import type { Caller } from '../../../src/platform/authorization/principal.js';
import { AcceptsBasic } from '../../../src/platform/authorization/requires.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { CurrentCaller } from '../../../src/platform/http/request-context.js';
import { basic, Client, tokenFor } from '../../support/client.js';
import { controllerOf, plant, type PlantedRoute } from '../../support/planted-routes.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const BOTH = 'Bearer, Basic realm="scandock", charset="UTF-8"';
const BOTH_INVALID = 'Bearer error="invalid_token", Basic realm="scandock", charset="UTF-8"';

const whoami = ({ principal, scopes, expiresAt }: Caller) => ({
  ...principal,
  scopes,
  expiresAt: expiresAt ?? null,
});
const route = (given: Partial<PlantedRoute> & { path: string }): PlantedRoute => ({
  method: RequestMethod.GET,
  operation: 'tokens:inspect',
  handle: whoami as never,
  parameters: [CurrentCaller()],
  ...given,
});

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let anonymous: Client;
let unplant: () => void;

beforeAll(async () => {
  unplant = plant(
    controllerOf(
      [
        route({ path: 'generic' }),
        route({ path: 'generic/exams', operation: 'exams:list' }),
        route({ path: 'generic', method: RequestMethod.POST, operation: 'exams:create' }),
      ],
      [AcceptsBasic() as ClassDecorator],
    ),
    controllerOf([
      route({ path: 'mixed/basic', decorators: [AcceptsBasic() as MethodDecorator] }),
      route({ path: 'mixed/bearer' }),
    ]),
  );
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  tenant = await world.newTenant();
  anonymous = new Client(world.baseUrl);
});
afterAll(async () => {
  unplant();
  await world.close();
});

const shows = (secret = tenant.clientSecret, id = tenant.clientId) => ({ authorization: basic(id, secret) });
const encode = (value: string) =>
  [...value].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');

describe('HTTP Basic, where a route takes it,', () => {
  it('is the client with all of its scopes, until revoked', async () => {
    const { status, body } = await anonymous.get('/generic', shows());
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        kind: 'client',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        organizationId: tenant.organizationId,
        label: 'client',
        scopes: [...SCOPES],
        expiresAt: null,
      },
    });
    expect((await anonymous.get('/mixed/basic', shows())).body).toEqual(body);
  });

  it.each<[string, () => string]>([
    ['percent-encoded', () => basic(encode(tenant.clientId), encode(tenant.clientSecret))],
    ['in another case of the scheme', () => shows().authorization.replace('Basic', 'bASIC')],
    ['after two blanks', () => shows().authorization.replace('Basic ', 'Basic  ')],
  ])('may be %s', async (_, authorization) => {
    expect((await anonymous.get('/generic', { authorization: authorization() })).status).toBe(200);
  });

  it('is one way of three', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'exams:read');
    const answer = await new Client(world.baseUrl, token).get('/generic');
    expect([answer.status, answer.body.scopes]).toEqual([200, ['exams:read']]);
    expect((await new Client(world.baseUrl, tenant.apiKey).get('/generic')).body.kind).toBe('api_key');
  });

  it.each<[string, () => Record<string, string>, string]>([
    ['no credential', () => ({}), BOTH],
    ['a wrong secret', () => shows('wrong'), BOTH],
    ['an empty secret', () => shows(''), BOTH],
    ['an unknown client', () => shows(tenant.clientSecret, 'sdc_nobody'), BOTH],
    ['an API key as the secret', () => shows(tenant.apiKey), BOTH],
    ['id and secret changed round', () => shows(tenant.clientId, tenant.clientSecret), BOTH],
    ['no colon', () => ({ authorization: `Basic ${Buffer.from('abc').toString('base64')}` }), BOTH],
    ['nothing after the scheme', () => ({ authorization: 'Basic' }), BOTH],
    ['what is no base64', () => ({ authorization: 'Basic %%%' }), BOTH],
    ['two of them', () => ({ authorization: `${shows().authorization}, ${shows().authorization}` }), BOTH],
    ['another scheme', () => ({ authorization: 'Digest username="a"' }), BOTH_INVALID],
    ['a bad token', () => ({ authorization: 'Bearer abc' }), BOTH_INVALID],
  ])('%s is a 401 that names both schemes', async (_, headers, challenge) => {
    const { status, headers: answered, body } = await anonymous.get('/generic', headers());
    expect({ status, challenge: answered.get('www-authenticate') }).toEqual({ status: 401, challenge });
    expect(answered.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body.status).toBe(401);
  });

  it('has the same words for an unknown client and a wrong secret', async () => {
    const [unknown, wrong] = await Promise.all([
      anonymous.get('/generic', shows(tenant.clientSecret, 'sdc_nobody')),
      anonymous.get('/generic', shows('wrong')),
    ]);
    expect({ ...unknown.body, requestId: '' }).toEqual({ ...wrong.body, requestId: '' });
  });

  it('opens no more than its scopes', async () => {
    const { organizationId } = tenant;
    const narrow = await world.organizations.createClient({
      organizationId,
      name: 'narrow',
      role: 'owner',
      scopes: ['uploads:write'],
    });
    const headers = shows(narrow.clientSecret, narrow.clientId);
    expect((await anonymous.get('/generic', headers)).body.scopes).toEqual(['uploads:write']);
    const refused = await anonymous.get('/generic/exams', headers);
    expect([refused.status, refused.body.code]).toEqual([403, 'insufficient_scope']);
  });

  it('is in the audit ledger as the client, and a refusal as nobody', async () => {
    const own = await world.newTenant();
    await anonymous.get('/generic/exams', {
      ...shows(own.clientSecret, own.clientId),
      'x-request-id': 'basic-right',
    });
    await anonymous.get('/generic/exams', { ...shows('wrong', own.clientId), 'x-request-id': 'basic-wrong' });
    const { rows } = await world.admin.query(
      `SELECT actor_kind, action, outcome, detail->>'code' AS code FROM audit_event
       WHERE request_id LIKE 'basic-%' ORDER BY request_id`,
    );
    expect(rows).toEqual([
      { actor_kind: 'client', action: 'exams:list', outcome: 'success', code: null },
      { actor_kind: 'anonymous', action: 'exams:list', outcome: 'denied', code: 'invalid_client' },
    ]);
  });

  it('is judged before the body is read', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { ...shows('wrong'), 'content-type': 'application/json', 'content-length': '200000' };
      const sent = request(
        `${world.baseUrl}/generic`,
        { method: 'POST', headers, agent: false },
        (response) => {
          resolve(response.resume().statusCode);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.write('{'); // and never the rest
    });
    expect(status).toBe(401);
  });

  it('ends within a second of its client, while it is used all the time', async () => {
    const own = await world.newTenant();
    const ask = () => anonymous.get('/generic', shows(own.clientSecret, own.clientId));
    for (let warm = 0; warm < 3; warm++) expect((await ask()).status).toBe(200);
    await world.admin.query('UPDATE client_key SET revoked_at = now() WHERE organization_id = $1', [
      own.organizationId,
    ]);
    await soonStatus(401, ask);
    expect((await ask()).headers.get('www-authenticate')).toBe(BOTH);
  });
});

describe('HTTP Basic, where a route does not take it,', () => {
  it.each(['/mixed/bearer', '/api/v1/me', '/test-token'])(
    '%s: a 401 that asks for a token',
    async (target) => {
      expect((await anonymous.get('/generic', shows())).status).toBe(200); // what was trusted there is not here
      const { status, headers } = await anonymous.get(target, shows());
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
      expect((await anonymous.get(target)).headers.get('www-authenticate')).toBe('Bearer');
    },
  );
});

describe('the last use of a client’s secret', () => {
  it('is written, at most once a minute', async () => {
    const own = await world.newTenant();
    const lastUse = async () => {
      // Past what is trusted without asking.
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect((await anonymous.get('/generic', shows(own.clientSecret, own.clientId))).status).toBe(200);
      const { rows } = await world.admin.query<{ last_used_at: Date | null }>(
        'SELECT last_used_at FROM client_key WHERE organization_id = $1',
        [own.organizationId],
      );
      return rows[0]!.last_used_at?.getTime();
    };
    const first = await lastUse();
    expect(Math.abs(first! - Date.now())).toBeLessThan(10_000);
    expect(await lastUse()).toBe(first);
    world.travel(61_000);
    expect(await lastUse()).toBeGreaterThanOrEqual(first! + 61_000);
  });
});

const python = '/usr/bin/python3';
const run = promisify(execFile);
const pythonRequests = await run(python, ['-c', 'import requests']).then(
  () => true,
  () => false,
);
if (!pythonRequests) process.stdout.write('HTTP Basic: skipped with Python, requests is not installed\n');

(pythonRequests ? describe : describe.skip)('Python’s requests', () => {
  const get = async (url: string, environment: Record<string, string> = {}) =>
    (
      await run(python, ['-c', 'import requests, sys; print(requests.get(sys.argv[1]).status_code)', url], {
        env: { ...process.env, ...environment },
      })
    ).stdout.trim();

  it('gets in by https://id:secret@host, and by a .netrc', async () => {
    const { clientId, clientSecret } = tenant;
    const url = `${world.baseUrl}/generic`;
    expect(await get(url)).toBe('401');
    expect(await get(url.replace('//', `//${clientId}:${clientSecret}@`))).toBe('200');
    const folder = mkdtempSync(path.join(tmpdir(), 'scandock-netrc-'));
    try {
      const netrc = path.join(folder, 'netrc');
      writeFileSync(netrc, `machine 127.0.0.1 login ${clientId} password ${clientSecret}\n`, { mode: 0o600 });
      expect(await get(url, { NETRC: netrc })).toBe('200');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

// A world of its own, last: the strategy that checks tokens is registered once a process, for the newest API.
describe('failures by HTTP Basic', () => {
  /** From an address of its own: all of 127.0.0.0/8 is this machine. */
  const ask = (own: World, localAddress: string, clientId: string, secret: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: basic(clientId, secret) };
      request(`${own.baseUrl}/generic`, { localAddress, headers, agent: false }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
  const LIMIT = 5;

  it('are limited by address and by client; right ones never are', async () => {
    const own = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: String(LIMIT) });
    try {
      const { clientId, clientSecret } = await own.newTenant();
      const statuses = async (addressOf: (attempt: number) => string, id: string, secret: string) => {
        const seen: (number | undefined)[] = [];
        for (let attempt = 1; attempt <= LIMIT + 2; attempt++)
          seen.push(await ask(own, addressOf(attempt), id, secret));
        return seen;
      };
      const limited = [...Array<number>(LIMIT).fill(401), 429, 429];
      expect(await statuses(() => '127.0.3.1', 'sdc_nobody', 'wrong')).toEqual(limited);
      expect(await statuses((attempt) => `127.0.4.${attempt}`, clientId, 'wrong')).toEqual(limited);
      expect(await statuses(() => '127.0.3.1', clientId, clientSecret)).toEqual(Array(LIMIT + 2).fill(200));
    } finally {
      await own.close();
    }
  });
});
