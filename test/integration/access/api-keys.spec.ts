import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { ADMIN, Admin } from '../../support/admin.js';
import { type Answer, Client, tokenFor } from '../../support/client.js';
import { adminWith, asking, bindBuiltIn, detailOf } from '../../support/credentials.js';
import { soonStatus } from '../../support/soon.js';
import { Portal, PortalClient } from '../../support/portal.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const KEYS = `${ADMIN}/api-keys`;

let world: World;
let tenant: Tenant;
let owner: Admin;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '100000', RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, await tokenFor(world.baseUrl, tenant));
});
afterAll(() => world.close());

const problem = ({ status, body }: Answer) => ({ status, code: body?.code as string });
const make = (given: object = {}, by = owner) => by.create('/api-keys', { name: 'Worklist', ...given });
/** A key that may read orders. */
const reader = async () => {
  const made = await make({ scopes: ['orders:read'] });
  await bindBuiltIn(world, 'reader', { api_key_id: made.id });
  return made;
};
const useOf = (key: string) => (): Promise<Answer> => new Client(world.baseUrl, key).get('/orders');
/** What anybody may do who has the portal's key. */
const atPortal = (key: string) => (): Promise<Answer> =>
  new PortalClient(world, tenant.organizationId, key).post('/api/v1/users/auth/logout', {
    refresh_token: 'x',
  });
const read = async (id: string) => (await owner.get(`${KEYS}/${id}`)).body;

describe('an API key', () => {
  it('is made without a role, and told once', async () => {
    const answer = await owner.post(KEYS, { name: 'Worklist', scopes: ['orders:read'] });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([201, 'no-store']);
    expect(answer.headers.get('etag')).toBe('"1"');
    const { key, ...view } = answer.body;
    expect(view).toEqual({
      id: expect.any(String),
      name: 'Worklist',
      purpose: 'secret',
      state: 'live',
      scopes: ['orders:read'],
      last_used_at: null,
      previous: null,
      created_at: expect.any(String),
      version: 1,
    });
    expect(key).toMatch(/^sdk_live_[A-Za-z0-9]{43}$/);
    expect(await detailOf(world, answer, 'api-keys:create')).toEqual({
      purpose: 'secret',
      scopes: ['orders:read'],
    });
    const again = await owner.get(`${KEYS}/${view.id}`);
    expect([again.headers.get('etag'), again.body]).toEqual(['"1"', view]);
    const { rows } = await world.admin.query(
      `SELECT key_hash = sha256($2) AS hashed, position($2::text in k::text) AS told,
              (SELECT count(*)::int FROM role_binding b WHERE b.api_key_id = k.id) AS roles FROM api_key k WHERE id = $1`,
      [view.id, key],
    );
    expect(rows).toEqual([{ hashed: true, told: 0, roles: 0 }]);
    expect(problem(await useOf(key)())).toEqual({ status: 403, code: 'forbidden' });
    expect((await read(view.id)).last_used_at).toEqual(expect.any(String));
  });

  it('has no scopes where none are named', async () => {
    expect(await make()).toMatchObject({ purpose: 'secret', scopes: [] });
  });

  it('is changed at the version that was read, and at no other', async () => {
    const { id, key } = await reader();
    const path = `/api-keys/${id}`;
    expect(problem(await owner.call('PATCH', `${KEYS}/${id}`, { name: 'A' })).code).toBe(
      'precondition_required',
    );
    expect((await useOf(key)()).status).toBe(200);
    const first = await owner.change(path, { name: 'A', scopes: ['exams:read'] }, 1);
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"']);
    expect(first.body).toMatchObject({ name: 'A', scopes: ['exams:read'], version: 2 });
    expect(await detailOf(world, first, 'api-keys:update')).toEqual({
      changed: ['name', 'scopes'],
      scopes: ['exams:read'],
      version: 2,
    });
    expect(problem(await soonStatus(403, useOf(key))).code).toBe('insufficient_scope');
    const late = await owner.change(path, { name: 'B' }, 1);
    expect(problem(late)).toEqual({ status: 412, code: 'precondition_failed' });
    expect(await read(id)).toMatchObject({ name: 'A', version: 2 });
    const absent = await owner.change(`/api-keys/${newId()}`, { name: 'B' }, 7);
    expect(problem(absent)).toEqual({ status: 404, code: 'not_found' });
  });

  it('is listed newest first, by purpose and by state', async () => {
    const own = new Admin(world.baseUrl, (await world.newTenant()).apiKey);
    const portal = await make({ purpose: 'portal' }, own);
    const [live, revoked] = [await make({}, own), await make({}, own)];
    await own.delete(`${KEYS}/${revoked.id}`);
    const listed = async (query: string) =>
      (await own.get(`${KEYS}?${query}`)).body.items.map(({ id }: { id: string }) => id);
    const all = await listed('');
    expect(all).toEqual([revoked.id, live.id, portal.id, expect.any(String)]);
    expect(await listed('purpose=portal')).toEqual([portal.id]);
    expect(await listed('state=revoked')).toEqual([revoked.id]);
    expect(await listed('state=live&purpose=secret')).toEqual([live.id, all[3]]);
    const first = await own.get(`${KEYS}?limit=3`);
    const rest = await listed(`limit=3&cursor=${first.body.next_cursor}`);
    expect(rest).toEqual([all[3]]);
    expect(first.text).not.toContain('sdk_');
  });

  it.each<[string, object]>([
    ['no name', { name: undefined }],
    ['an empty name', { name: '' }],
    ['a name of 256 characters', { name: 'x'.repeat(256) }],
    ['a control character', { name: 'a\u0000b' }],
    ['an unknown scope', { scopes: ['everything'] }],
    ['a scope twice', { scopes: ['orders:read', 'orders:read'] }],
    ['another purpose', { purpose: 'admin' }],
    ['a value of its own', { key: 'sdk_live_1' }],
    ['another organization', { organization_id: newId() }],
  ])('with %s is refused, to make as to change', async (_, given) => {
    const made = await owner.post(KEYS, { name: 'Worklist', ...given });
    expect(problem(made)).toEqual({ status: 400, code: 'validation_error' });
    if (Object.values(given)[0] === undefined) return;
    const { id } = await make();
    expect(problem(await owner.change(`/api-keys/${id}`, given)).code).toBe('validation_error');
  });

  it('is out within a second when it is revoked, for ever', async () => {
    const { id, key } = await reader();
    const { body } = await owner.post(`${KEYS}/${id}/rotate`);
    const [old, recent] = [useOf(key), useOf(body.key)];
    expect([(await old()).status, (await recent()).status]).toEqual([200, 200]);
    const removed = await owner.delete(`${KEYS}/${id}`);
    expect([removed.status, removed.text]).toEqual([204, '']);
    await Promise.all([soonStatus(401, old), soonStatus(401, recent)]);
    expect(await read(id)).toMatchObject({ state: 'revoked', previous: null, version: 3 });
    const again = await owner.delete(`${KEYS}/${id}`);
    expect([again.status, await detailOf(world, again, 'api-keys:revoke')]).toEqual([
      204,
      { repeated: true },
    ]);
    expect((await read(id)).version).toBe(3);
    expect(problem(await owner.post(`${KEYS}/${id}/rotate`))).toEqual({
      status: 409,
      code: 'api_key_revoked',
    });
  });

  it('may be the one that asks', async () => {
    const { organizationId } = tenant;
    const given = { organizationId, name: 'self', role: 'owner', scopes: SCOPES } as const;
    const self = new Admin(world.baseUrl, await world.organizations.createApiKey(given));
    const { id } = (await self.get(`${KEYS}?limit=1`)).body.items[0];
    const { body } = await self.post(`${KEYS}/${id}/rotate`);
    const renewed = new Admin(world.baseUrl, body.key);
    expect((await renewed.post(`${KEYS}/${id}/retire-previous`)).status).toBe(200);
    expect((await renewed.delete(`${KEYS}/${id}`)).status).toBe(204);
    await soonStatus(401, () => renewed.get(KEYS));
  });
});

describe('a rotation', () => {
  it('fails no request, and records the last use of each value apart', async () => {
    const { id, key } = await reader();
    expect((await useOf(key)()).status).toBe(200);
    const before = await read(id);
    const old = asking(useOf(key));
    const rotated = await owner.post(`${KEYS}/${id}/rotate`);
    expect([rotated.status, rotated.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { key: renewed, ...view } = rotated.body;
    expect(renewed).toMatch(/^sdk_live_[A-Za-z0-9]{43}$/);
    expect(view).toEqual({
      ...before,
      last_used_at: null,
      previous: { last_used_at: before.last_used_at },
      version: 2,
    });
    const recent = asking(useOf(renewed));
    // Past what is trusted without asking, so that both are looked up again.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await old.stop()).toEqual([200]);

    world.travel(90_000); // past the minute within which a use is not written again
    expect((await soonStatus(200, useOf(renewed))).status).toBe(200);
    await eventuallyUsed(id, ({ last_used_at }) => last_used_at > before.last_used_at);
    const stale = await read(id);
    expect(stale.previous).toEqual({ last_used_at: before.last_used_at });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await useOf(key)()).status).toBe(200);
    const used = await read(id);
    expect(Date.parse(used.previous.last_used_at)).toBeGreaterThan(Date.parse(stale.last_used_at));

    const retired = await owner.post(`${KEYS}/${id}/retire-previous`);
    expect([retired.status, retired.body]).toEqual([
      200,
      { ...used, previous: null, version: 3, last_used_at: expect.any(String) },
    ]);
    expect(problem(await soonStatus(401, useOf(key))).code).toBe('invalid_token');
    expect(await recent.stop()).toEqual([200]);
    const again = await owner.post(`${KEYS}/${id}/retire-previous`);
    expect([again.status, again.body.version]).toEqual([200, 3]);
    expect(await detailOf(world, again, 'api-keys:retire-previous')).toEqual({ repeated: true });
  });

  it('waits for the one before to end, however many are asked for at once', async () => {
    const { id } = await make();
    const answers = await Promise.all(Array.from({ length: 5 }, () => owner.post(`${KEYS}/${id}/rotate`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
    expect(problem(answers.find(({ status }) => status === 409)!).code).toBe('too_many_secrets');
    expect((await read(id)).version).toBe(2);
    await owner.post(`${KEYS}/${id}/retire-previous`);
    expect((await owner.post(`${KEYS}/${id}/rotate`)).status).toBe(200);
  });

  it('tells the new value once', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const made = await owner.post(KEYS, { name: 'Once' }, headers);
    const replay = await owner.post(KEYS, { name: 'Once' }, headers);
    expect([made.status, problem(replay)]).toEqual([201, { status: 409, code: 'secret_already_told' }]);
    expect(problem(await owner.post(KEYS, { name: 'Twice' }, headers))).toEqual({
      status: 422,
      code: 'idempotency_mismatch',
    });
    const path = `${KEYS}/${made.body.id}/rotate`;
    const key = { 'idempotency-key': randomUUID() };
    expect((await owner.post(path, undefined, key)).status).toBe(200);
    expect(problem(await owner.post(path, undefined, key)).code).toBe('secret_already_told');
  });
});

async function eventuallyUsed(id: string, done: (key: { last_used_at: string }) => boolean): Promise<void> {
  for (const begun = Date.now(); !done(await read(id)); await new Promise((next) => setTimeout(next, 50)))
    expect(Date.now() - begun).toBeLessThan(5_000);
}

describe('a portal’s key', () => {
  it('has neither scopes nor roles, and is no bearer credential', async () => {
    const made = await make({ purpose: 'portal', name: 'Patients' });
    expect(made).toMatchObject({ purpose: 'portal', scopes: [] });
    expect(made.key).toMatch(/^sdk_portal_[A-Za-z0-9]{43}$/);
    expect((await atPortal(made.key)()).status).toBe(200);
    expect((await useOf(made.key)()).status).toBe(401);
    const withScopes = await owner.post(KEYS, { name: 'A', purpose: 'portal', scopes: ['orders:read'] });
    expect(problem(withScopes).code).toBe('validation_error');
    const path = `/api-keys/${made.id}`;
    expect(problem(await owner.change(path, { scopes: ['orders:read'] })).code).toBe('validation_error');
    expect((await owner.change(path, { name: 'Patients 2' })).body.name).toBe('Patients 2');
  });

  it('is rotated while its patients stay signed in, and revoked with their sessions', async () => {
    const { id, key } = await make({ purpose: 'portal' });
    const session = await new Portal(world, tenant.organizationId, key).signIn();
    expect((await atPortal(key)()).status).toBe(200);
    const { body } = await owner.post(`${KEYS}/${id}/rotate`);
    expect(body.key).toMatch(/^sdk_portal_/);
    expect(body.previous.last_used_at).toEqual(expect.any(String));
    const renewed = new Portal(world, tenant.organizationId, body.key);
    const files = (by: string) => () =>
      new PortalClient(world, tenant.organizationId, by, session.accessToken).get('/api/v1/users/me/files');
    expect([(await files(key)()).status, (await files(body.key)()).status]).toEqual([200, 200]);
    expect((await read(id)).last_used_at).toEqual(expect.any(String));
    expect((await owner.post(`${KEYS}/${id}/retire-previous`)).status).toBe(200);
    await soonStatus(404, atPortal(key));
    expect((await files(body.key)()).status).toBe(200);
    const next = await renewed.refresh(session.refreshToken);
    expect(next.status).toBe(200);

    expect((await owner.delete(`${KEYS}/${id}`)).status).toBe(204);
    await soonStatus(404, atPortal(body.key));
    const other = await Portal.open(world, tenant.organizationId);
    await soonStatus(401, files(other.apiKey));
    expect((await other.refresh(next.body.refreshToken)).status).toBe(401);
  });
});

describe('nobody is given what the giver does not hold', () => {
  const exceeded = { status: 403, code: 'grant_exceeded' };

  it('no scope that the caller’s token lacks', async () => {
    const token = await tokenFor(world.baseUrl, tenant, 'access:manage orders:read');
    const narrow = new Admin(world.baseUrl, token);
    const input = { name: 'Wide', scopes: ['orders:read', 'exams:read'] };
    expect(problem(await narrow.post(KEYS, input))).toEqual(exceeded);
    expect((await narrow.post(KEYS, { ...input, scopes: ['orders:read'] })).status).toBe(201);
    const { id } = await make({ scopes: ['exams:read'] });
    const wider = await narrow.change(`/api-keys/${id}`, { scopes: ['exams:read', 'uploads:read'] });
    expect(problem(wider)).toEqual(exceeded);
    expect(problem(await narrow.post(`${KEYS}/${id}/rotate`))).toEqual(exceeded);
    expect((await narrow.change(`/api-keys/${id}`, { scopes: [] })).status).toBe(200);
  });

  it('no owner’s key, by its next value or by more scopes', async () => {
    const clerk = await adminWith(world, tenant.organizationId, [{ operations: ['*'], subject: 'ApiKey' }]);
    const target = await make({ scopes: ['orders:read'] });
    await bindBuiltIn(world, 'owner', { api_key_id: target.id });
    expect(problem(await clerk.post(`${KEYS}/${target.id}/rotate`))).toEqual(exceeded);
    const wider = await clerk.change(`/api-keys/${target.id}`, { scopes: ['orders:read', 'access:manage'] });
    expect(problem(wider)).toEqual(exceeded);
    expect(await read(target.id)).toMatchObject({ scopes: ['orders:read'], previous: null, version: 1 });
    const portal = await make({ purpose: 'portal' });
    expect((await clerk.post(`${KEYS}/${portal.id}/rotate`)).status).toBe(200);
    expect((await clerk.delete(`${KEYS}/${target.id}`)).status).toBe(204);
  });
});
