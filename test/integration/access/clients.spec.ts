import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { ADMIN, Admin } from '../../support/admin.js';
import { type Answer, basic, Client, tokenFor } from '../../support/client.js';
import { adminWith, asking, bindBuiltIn, detailOf } from '../../support/credentials.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const CLIENTS = `${ADMIN}/clients`;

let world: World;
let tenant: Tenant;
let owner: Admin;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '100000', RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

const problem = ({ status, body }: Answer) => ({ status, code: body?.code as string });
const credentialsOf = ({ client_id, client_secret }: Record<string, string>) => ({
  clientId: client_id!,
  clientSecret: client_secret!,
});
const make = (given: object = {}, by = owner) =>
  by.create('/clients', { name: 'Scanner', scopes: ['orders:read', 'exams:read'], ...given });
/** Asks the token endpoint; a refusal is its status. */
const signIn = ({ client_id, client_secret }: Record<string, string>): Promise<Answer> =>
  new Client(world.baseUrl).call('POST', '/oauth2/token', 'grant_type=client_credentials', {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: basic(client_id!, client_secret!),
  });
const byBasic = ({ client_id, client_secret }: Record<string, string>): Promise<Answer> =>
  new Client(world.baseUrl).get('/orders', { authorization: basic(client_id!, client_secret!) });
const publicKey = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }),
  ...{ kid, alg: 'ES384', use: 'sig' },
});

describe('a client', () => {
  it('is made without a role, and told its secret once', async () => {
    const answer = await owner.post(CLIENTS, { name: 'Scanner 3', scopes: ['orders:read'] });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('etag')).toBe('"1"');
    const { client_secret, ...view } = answer.body;
    const secrets = [{ id: expect.any(String), created_at: view.created_at, last_used_at: null }];
    expect(view).toEqual({
      id: expect.any(String),
      client_id: expect.stringMatching(/^sdc_[A-Za-z0-9]{22}$/),
      name: 'Scanner 3',
      state: 'enabled',
      scopes: ['orders:read'],
      token_lifetime: 3600,
      jwks: null,
      secrets,
      last_used_at: null,
      created_at: expect.any(String),
      version: 1,
    });
    expect(client_secret).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(await detailOf(world, answer, 'clients:create')).toEqual({
      scopes: ['orders:read'],
      secret: true,
      jwks: false,
      replayed: false,
    });

    const read = await owner.get(`${CLIENTS}/${view.id}`);
    expect([read.status, read.headers.get('etag'), read.body]).toEqual([200, '"1"', view]);
    const { rows } = await world.admin.query(
      `SELECT (SELECT count(*)::int FROM role_binding b WHERE b.oauth_client_id = c.id) AS roles, k.secret_hash = sha256($2) AS hashed
       FROM oauth_client c JOIN client_key k ON k.oauth_client_id = c.id WHERE c.id = $1`,
      [view.id, client_secret],
    );
    expect(rows).toEqual([{ roles: 0, hashed: true }]);

    const token = await signIn(answer.body);
    expect(token.body).toMatchObject({ scope: 'orders:read' });
    const used = await new Client(world.baseUrl, token.body.access_token).get('/orders');
    expect(problem(used)).toEqual({ status: 403, code: 'forbidden' });
    const after = await owner.get(`${CLIENTS}/${view.id}`);
    expect(after.body.last_used_at).toEqual(expect.any(String));
    expect(after.body.secrets[0].last_used_at).toBe(after.body.last_used_at);
  });

  it('has public keys instead of a secret, or both, or neither', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
    const jwks = { keys: [publicKey('a'), { ...rsa, kid: 'b', alg: 'RS384', use: 'sig' }] };
    const keyed = await make({ jwks });
    expect(keyed).toMatchObject({ secrets: [], jwks: { keys: [{ kid: 'a' }, { kid: 'b' }] } });
    expect(keyed).not.toHaveProperty('client_secret');
    expect(await make({ jwks, with_secret: true })).toMatchObject({ client_secret: expect.any(String) });
    expect(await make({ with_secret: false })).not.toHaveProperty('client_secret');

    const path = `/clients/${keyed.id}`;
    const other = await owner.change(path, { jwks: { keys: [publicKey('c')] } });
    expect(other.body.jwks).toMatchObject({ keys: [{ kid: 'c' }] });
    expect((await owner.change(path, { jwks: null })).body.jwks).toBeNull();
    expect((await owner.get(`${CLIENTS}/${keyed.id}`)).body).toMatchObject({ jwks: null, version: 3 });
  });

  it('is changed at the version that was read, and at no other', async () => {
    const { id, version } = await make();
    const path = `/clients/${id}`;
    const without = await owner.call('PATCH', CLIENTS + `/${id}`, { name: 'A' });
    expect(problem(without)).toEqual({ status: 428, code: 'precondition_required' });
    const change = { name: 'A', scopes: ['exams:read'], token_lifetime: 60 };
    const first = await owner.change(path, change, version);
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"']);
    expect(first.body).toMatchObject({ ...change, version: 2 });
    expect(await detailOf(world, first, 'clients:update')).toEqual({
      changed: ['name', 'scopes', 'token_lifetime'],
      scopes: ['exams:read'],
      version: 2,
    });
    const late = await owner.change(path, { name: 'B' }, version);
    expect(problem(late)).toEqual({ status: 412, code: 'precondition_failed' });
    expect((await owner.get(`${CLIENTS}/${id}`)).body).toMatchObject({ name: 'A', version: 2 });
    expect((await owner.change(path, { name: 'B' }, '*')).body).toMatchObject({ name: 'B', version: 3 });
    const absent = await owner.change(`/clients/${newId()}`, { name: 'B' }, 7);
    expect(problem(absent)).toEqual({ status: 404, code: 'not_found' });
  });

  it('loses a scope with every token it has', async () => {
    const made = await make();
    await bindBuiltIn(world, 'reader', { oauth_client_id: made.id });
    const reader = new Client(world.baseUrl, await tokenFor(world.baseUrl, credentialsOf(made)));
    expect((await reader.get('/orders')).status).toBe(200);
    expect((await owner.change(`/clients/${made.id}`, { scopes: ['exams:read'] })).status).toBe(200);
    expect(problem(await soonStatus(403, () => reader.get('/orders'))).code).toBe('insufficient_scope');
    expect((await reader.get('/api/v1/exams')).status).toBe(200);
  });

  it('is listed newest first, by name and by state', async () => {
    const own = new Admin(world.baseUrl, (await world.newTenant()).apiKey);
    const ids: string[] = [];
    for (const name of ['A', 'B', 'A']) ids.unshift((await make({ name }, own)).id);
    await own.post(`${CLIENTS}/${ids[0]}/disable`);
    const listed = async (query: string) =>
      (await own.get(`${CLIENTS}?${query}`)).body.items.map(({ id }: { id: string }) => id);
    const all = await listed('');
    expect(all).toEqual([...ids, expect.any(String)]);
    expect(await listed('name=A')).toEqual([ids[0], ids[2]]);
    expect(await listed('name=a')).toEqual([]);
    expect(await listed('state=disabled')).toEqual([ids[0]]);
    expect(await listed('state=enabled')).toEqual(all.slice(1));
    const paged: string[] = [];
    for (let cursor: string | undefined, turn = 0; turn === 0 || cursor; turn++) {
      const { body } = await own.get(`${CLIENTS}?limit=3${cursor ? `&cursor=${cursor}` : ''}`);
      paged.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    }
    expect(paged).toEqual(all);
    expect((await own.get(CLIENTS)).text).not.toContain('client_secret');
  });

  it.each<[string, object]>([
    ['no name', { name: undefined }],
    ['an empty name', { name: '' }],
    ['a name of 256 characters', { name: 'x'.repeat(256) }],
    ['a control character', { name: 'a\u0007b' }],
    ['a turned text', { name: 'a\u202eb' }],
    ['no scopes', { scopes: undefined }],
    ['an unknown scope', { scopes: ['exams:everything'] }],
    ['a scope twice', { scopes: ['exams:read', 'exams:read'] }],
    ['a short lifetime', { token_lifetime: 59 }],
    ['a long lifetime', { token_lifetime: 3601 }],
    ['a broken lifetime', { token_lifetime: 60.5 }],
    ['no key', { jwks: { keys: [] } }],
    ['eleven keys', { jwks: { keys: Array.from({ length: 11 }, (_, n) => publicKey(`${n}`)) } }],
    ['one kid for two keys', { jwks: { keys: [publicKey('a'), publicKey('a')] } }],
    ['a key without a kid', { jwks: { keys: [{ ...publicKey('a'), kid: undefined }] } }],
    ['a point off the curve', { jwks: { keys: [{ ...publicKey('a'), y: publicKey('b').y }] } }],
    [
      'a private key',
      {
        jwks: {
          keys: [
            {
              ...generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' }),
              ...{ kid: 'a', alg: 'ES384' },
            },
          ],
        },
      },
    ],
    ['a symmetric key', { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'a' }] } }],
    [
      'a small RSA key',
      {
        jwks: {
          keys: [
            {
              ...generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }),
              ...{ kid: 'a', alg: 'RS384' },
            },
          ],
        },
      },
    ],
    ['an id of its own', { client_id: 'sdc_1' }],
    ['a secret of its own', { client_secret: 'x' }],
    ['another organization', { organization_id: newId() }],
  ])('with %s is refused, to make as to change', async (_, given) => {
    const made = await owner.post(CLIENTS, { name: 'Scanner', scopes: [], ...given });
    expect(problem(made)).toEqual({ status: 400, code: 'validation_error' });
    if (Object.values(given)[0] === undefined) return;
    const { id } = await make();
    expect(problem(await owner.change(`/clients/${id}`, given)).code).toBe('validation_error');
  });

  it('is not changed by nothing', async () => {
    const { id } = await make();
    expect(problem(await owner.change(`/clients/${id}`, {})).code).toBe('validation_error');
    expect(problem(await owner.get(`${CLIENTS}?state=gone`)).code).toBe('validation_error');
    expect(problem(await owner.get(`${CLIENTS}?owner=1`)).code).toBe('validation_error');
  });
});

describe('a disabled client', () => {
  it('is out within a second, with its tokens and by Basic; enabled, it is in again', async () => {
    const made = await make();
    await bindBuiltIn(world, 'reader', { oauth_client_id: made.id });
    const reader = new Client(world.baseUrl, (await signIn(made)).body.access_token);
    const ask = () => reader.get('/orders');
    expect([(await ask()).status, (await byBasic(made)).status]).toEqual([200, 200]);

    const disabled = await owner.post(`${CLIENTS}/${made.id}/disable`);
    expect(disabled.body).toMatchObject({ state: 'disabled', version: 2 });
    const [byToken] = await Promise.all([soonStatus(401, ask), soonStatus(401, () => byBasic(made))]);
    expect(problem(byToken).code).toBe('invalid_token');
    expect((await signIn(made)).body.error).toBe('invalid_client');
    const again = await owner.post(`${CLIENTS}/${made.id}/disable`);
    expect([again.status, again.body]).toEqual([200, disabled.body]);
    expect(await detailOf(world, again, 'clients:disable')).toEqual({ repeated: true });

    const enabled = await owner.post(`${CLIENTS}/${made.id}/enable`);
    expect(enabled.body).toMatchObject({ state: 'enabled', version: 3 });
    expect((await owner.post(`${CLIENTS}/${made.id}/enable`)).body).toEqual(enabled.body);
    expect([(await signIn(made)).status, (await soonStatus(200, ask)).status]).toEqual([200, 200]);
  });

  it('may be the one who asks, unless nobody would be left', async () => {
    const own = await world.newTenant();
    const [byKey, self] = [
      new Admin(world.baseUrl, own.apiKey),
      new Admin(world.baseUrl, await tokenFor(world.baseUrl, own)),
    ];
    const id = (await byKey.get(CLIENTS)).body.items[0].id as string;
    expect((await self.post(`${CLIENTS}/${id}/disable`)).body.state).toBe('disabled');
    expect((await soonStatus(401, () => self.get(CLIENTS))).status).toBe(401);
    const key = (await byKey.get(`${ADMIN}/api-keys`)).body.items[0].id as string;
    const last = await byKey.delete(`${ADMIN}/api-keys/${key}`);
    expect(problem(last)).toEqual({ status: 409, code: 'last_owner' });
    await byKey.post(`${CLIENTS}/${id}/enable`);
    expect((await byKey.delete(`${ADMIN}/api-keys/${key}`)).status).toBe(204);
    const alone = new Admin(world.baseUrl, await tokenFor(world.baseUrl, own));
    expect(problem(await alone.post(`${CLIENTS}/${id}/disable`))).toEqual({
      status: 409,
      code: 'last_owner',
    });
    expect((await alone.get(`${CLIENTS}/${id}`)).body.state).toBe('enabled');
  });
});

describe('a client’s secret', () => {
  it('is changed for another without a request that fails', async () => {
    const made = await make();
    await bindBuiltIn(world, 'reader', { oauth_client_id: made.id });
    const [former] = made.secrets;
    const old = asking(() => byBasic(made));
    const added = await owner.post(`${CLIENTS}/${made.id}/secrets`);
    expect(added.status).toBe(201);
    expect(added.headers.get('cache-control')).toBe('no-store');
    expect(added.body).toEqual({
      id: expect.any(String),
      client_secret: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      created_at: expect.any(String),
    });
    const renewed = { ...made, client_secret: added.body.client_secret };
    const recent = asking(() => byBasic(renewed));
    await Promise.all(Array.from({ length: 5 }, async () => expect((await signIn(made)).status).toBe(200)));
    expect((await signIn(renewed)).status).toBe(200);
    expect(await old.stop()).toEqual([200]);

    const removed = await owner.delete(`${CLIENTS}/${made.id}/secrets/${former.id}`);
    expect([removed.status, removed.text]).toEqual([204, '']);
    expect(await detailOf(world, removed, 'clients:revoke-secret')).toEqual({ secret: former.id });
    expect((await signIn(made)).body.error).toBe('invalid_client');
    await soonStatus(401, () => byBasic(made));
    expect(await recent.stop()).toEqual([200]);
    expect((await signIn(renewed)).status).toBe(200);

    const { body } = await owner.get(`${CLIENTS}/${made.id}`);
    expect(body).toMatchObject({ version: 3, secrets: [{ id: added.body.id }] });
    expect(body.last_used_at).toBe(body.secrets[0].last_used_at);
    const twice = await owner.delete(`${CLIENTS}/${made.id}/secrets/${former.id}`);
    expect(problem(twice)).toEqual({ status: 404, code: 'not_found' });
  });

  it('is revoked at its own client only', async () => {
    const [one, other] = [await make(), await make()];
    const wrong = await owner.delete(`${CLIENTS}/${other.id}/secrets/${one.secrets[0].id}`);
    expect(problem(wrong)).toEqual({ status: 404, code: 'not_found' });
    expect((await signIn(one)).status).toBe(200);
  });

  it('is one of two at most, however many are asked for at once', async () => {
    const { id } = await make();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => owner.post(`${CLIENTS}/${id}/secrets`)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    expect(problem(answers.find(({ status }) => status === 409)!).code).toBe('too_many_secrets');
    expect((await owner.get(`${CLIENTS}/${id}`)).body.secrets).toHaveLength(2);
    const { rows } = await world.admin.query(
      'SELECT count(*)::int AS live FROM client_key WHERE oauth_client_id = $1 AND revoked_at IS NULL',
      [id],
    );
    expect(rows).toEqual([{ live: 2 }]);
  });
});

describe('a repeated request', () => {
  it('is not told a secret again, and makes none', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const input = { name: 'Once', scopes: [] };
    const made = await owner.post(CLIENTS, input, headers);
    expect(made.status).toBe(201);
    const replay = await owner.post(CLIENTS, input, headers);
    expect(problem(replay)).toEqual({ status: 409, code: 'secret_already_told' });
    expect(replay.text).not.toContain(made.body.client_secret);
    const other = await owner.post(CLIENTS, { ...input, name: 'Twice' }, headers);
    expect(problem(other)).toEqual({ status: 422, code: 'idempotency_mismatch' });
    expect((await owner.get(`${CLIENTS}?name=Once`)).body.items).toHaveLength(1);

    const key = { 'idempotency-key': randomUUID() };
    const path = `${CLIENTS}/${made.body.id}/secrets`;
    expect((await owner.post(path, undefined, key)).status).toBe(201);
    expect(problem(await owner.post(path, undefined, key)).code).toBe('secret_already_told');
    const elsewhere = `${CLIENTS}/${(await make()).id}/secrets`;
    expect(problem(await owner.post(elsewhere, undefined, key)).code).toBe('idempotency_mismatch');
  });

  it('is told again what was made, where it is no secret', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const input = { name: 'Keyed', scopes: [], jwks: { keys: [publicKey('a')] } };
    const [made, replay] = [
      await owner.post(CLIENTS, input, headers),
      await owner.post(CLIENTS, input, headers),
    ];
    expect([replay.status, replay.body]).toEqual([201, made.body]);
    expect(await detailOf(world, replay, 'clients:create')).toMatchObject({ replayed: true });
  });
});

describe('nobody is given what the giver does not hold', () => {
  const exceeded = { status: 403, code: 'grant_exceeded' };
  const all = [{ operations: ['*'], subject: 'OauthClient' }];
  /** An owner's client that has no secret yet. */
  const ownersClient = async (given: object = {}) => {
    const made = await make({ scopes: SCOPES, ...given });
    await bindBuiltIn(world, 'owner', { oauth_client_id: made.id });
    return made;
  };

  it('no scope that the caller’s token lacks, though its role has it', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'access:manage orders:read');
    const narrow = new Admin(world.baseUrl, token);
    const input = { name: 'Wide', scopes: ['orders:read', 'exams:read'] };
    const made = await narrow.post(CLIENTS, input);
    expect(problem(made)).toEqual(exceeded);
    expect(made.body.detail).toContain('exams:read');
    expect((await narrow.post(CLIENTS, { ...input, scopes: ['orders:read'] })).status).toBe(201);

    const { id } = await make({ scopes: ['studies:read'] });
    const path = `/clients/${id}`;
    const wider = await narrow.change(path, { scopes: ['studies:read', 'exams:read'] });
    expect(problem(wider)).toEqual(exceeded);
    // What it had is not given by who leaves it there.
    const kept = await narrow.change(path, { scopes: ['studies:read', 'orders:read'] });
    expect(kept.status).toBe(200);
    expect(problem(await narrow.post(`${CLIENTS}/${id}/secrets`))).toEqual(exceeded);
  });

  it('no way in as an owner, by a secret, by keys, by more scopes or by letting it in again', async () => {
    const { organizationId } = tenant;
    const clerk = await adminWith(world, organizationId, all);
    const target = await ownersClient();
    const narrow = await ownersClient({ scopes: ['exams:read'] });
    const [path, secrets] = [`/clients/${target.id}`, `${CLIENTS}/${target.id}/secrets`];
    expect(problem(await clerk.post(secrets))).toEqual(exceeded);
    expect(problem(await clerk.change(path, { jwks: { keys: [publicKey('mine')] } }))).toEqual(exceeded);
    const wider = await clerk.change(`/clients/${narrow.id}`, { scopes: ['exams:read', 'access:manage'] });
    expect(problem(wider)).toEqual(exceeded);
    // Less is given by whoever may change clients; and more of a name.
    expect((await clerk.change(path, { name: 'Renamed', jwks: null })).status).toBe(200);
    expect((await clerk.post(`${CLIENTS}/${target.id}/disable`)).status).toBe(200);
    expect(problem(await clerk.post(`${CLIENTS}/${target.id}/enable`))).toEqual(exceeded);
    const { body } = await owner.get(`${CLIENTS}/${target.id}`);
    expect(body).toMatchObject({ state: 'disabled', jwks: null, secrets: target.secrets });
    expect((await owner.post(`${CLIENTS}/${target.id}/enable`)).status).toBe(200);
    expect((await owner.post(secrets)).status).toBe(201);

    const only = await adminWith(world, organizationId, [
      { operations: ['clients:create-secret'], subject: 'OauthClient' },
    ]);
    expect(problem(await only.post(`${CLIENTS}/${narrow.id}/secrets`))).toEqual(exceeded);
    expect(problem(await only.get(`${CLIENTS}/${narrow.id}`))).toEqual({ status: 403, code: 'forbidden' });
  });

  it('what an admin holds, to admins and below; never an owner’s', async () => {
    const { organizationId } = tenant;
    const given = { organizationId, name: 'admin', role: 'admin', scopes: SCOPES } as const;
    const admin = new Admin(world.baseUrl, await world.organizations.createApiKey(given));
    const reader = await make({ scopes: SCOPES });
    await bindBuiltIn(world, 'reader', { oauth_client_id: reader.id });
    expect((await admin.post(`${CLIENTS}/${reader.id}/secrets`)).status).toBe(201);
    const target = await ownersClient();
    expect(problem(await admin.post(`${CLIENTS}/${target.id}/secrets`))).toEqual(exceeded);
  });

  it('and a refusal leaves nothing but its event', async () => {
    const clerk = await adminWith(world, tenant.organizationId, all);
    const target = await ownersClient();
    const refused = await clerk.post(`${CLIENTS}/${target.id}/secrets`);
    const { rows } = await world.admin.query(
      'SELECT action, outcome, detail FROM audit_event WHERE request_id = $1',
      [refused.headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      {
        action: 'clients:create-secret',
        outcome: 'denied',
        detail: { status: 403, code: 'grant_exceeded' },
      },
    ]);
    expect((await owner.get(`${CLIENTS}/${target.id}`)).body).toEqual({
      ...target,
      client_secret: undefined,
    });
  });
});
