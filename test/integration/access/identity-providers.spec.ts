import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { secretContext } from '../../../src/modules/auth/identity-provider.rows.js';
import { unseal } from '../../../src/platform/crypto/master-key.js';
import { newId } from '../../../src/platform/database/id.js';
import { ADMIN, Admin, signedIn } from '../../support/admin.js';
import type { Answer } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { StaffDoor } from '../../support/staff.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const PROVIDERS = `${ADMIN}/identity-providers`;

let world: World;
let tenant: Tenant;
let admin: Admin;
let door: StaffDoor;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant();
  admin = new Admin(world.baseUrl, tenant.apiKey);
  door = new StaffDoor(world, tenant.organizationId);
});
afterAll(() => world.close());

const told = ({ status, body }: Answer) => ({ status, code: body?.code as string | undefined });
const given = (more: object = {}) => ({
  name: 'Hospital accounts',
  issuer: `https://${randomUUID()}.example`,
  client_id: 'scandock',
  redirect_uris: ['https://app.example/signed-in'],
  ...more,
});
const made = (more: object = {}): Promise<any> => admin.create('/identity-providers', given(more));

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

describe('an identity provider', () => {
  it('is made, read and listed, newest first; its secret is kept sealed and never shown', async () => {
    const secret = `secret-${randomUUID()}`;
    const answer = await admin.post(PROVIDERS, given({ client_secret: secret }));
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toBe('"1"');
    const { body } = answer;
    expect(body).toEqual({
      id: expect.any(String),
      name: 'Hospital accounts',
      issuer: expect.stringMatching(/^https:/),
      client_id: 'scandock',
      has_secret: true,
      redirect_uris: ['https://app.example/signed-in'],
      created_at: expect.any(String),
      disabled_at: null,
      version: 1,
    });
    const second = await made();
    expect(second.has_secret).toBe(false);
    const read = await admin.get(`${PROVIDERS}/${body.id}`);
    expect(read.body).toEqual(body);
    const first = await admin.get(`${PROVIDERS}?limit=1`);
    expect(first.body.items).toEqual([second]);
    const next = await admin.get(`${PROVIDERS}?limit=1&cursor=${first.body.next_cursor}`);
    expect(next.body.items).toEqual([body]);
    const { rows } = await world.admin.query<{ sealed_secret: Buffer; row: string }>(
      'SELECT sealed_secret, t::text AS row FROM identity_provider t WHERE id = $1',
      [body.id],
    );
    const { SCANDOCK_MASTER_KEY: key } = world.config;
    expect(unseal(key, secretContext(body.id), rows[0]!.sealed_secret).toString()).toBe(secret);
    expect(() => unseal(key, secretContext(second.id), rows[0]!.sealed_secret)).toThrow();
    const events = await eventsOf(answer);
    expect(events).toEqual([
      expect.objectContaining({
        action: 'identity-providers:create',
        resource_id: body.id,
        detail: { secret: true, redirect_uris: 1, replayed: false },
      }),
    ]);
    for (const text of [answer.text, read.text, rows[0]!.row, JSON.stringify(events)])
      expect(text).not.toContain(secret);
  });

  it('is made once for an Idempotency-Key, and once for an issuer', async () => {
    const [body, key] = [given({ client_secret: 'one' }), { 'idempotency-key': randomUUID() }];
    const [first, again] = [await admin.post(PROVIDERS, body, key), await admin.post(PROVIDERS, body, key)];
    expect(again.body).toEqual(first.body);
    const other = await admin.post(PROVIDERS, { ...body, client_secret: 'two' }, key);
    expect(told(other)).toEqual({ status: 422, code: 'idempotency_mismatch' });
    expect(told(await admin.post(PROVIDERS, body))).toEqual({ status: 409, code: 'already_exists' });
    const elsewhere = new Admin(world.baseUrl, (await world.newTenant()).apiKey);
    expect((await elsewhere.post(PROVIDERS, body)).status).toBe(201);
  });

  it.each<[string, object]>([
    ['an issuer without TLS', { issuer: 'http://sso.example' }],
    ['an issuer with a query', { issuer: 'https://sso.example/?a=1' }],
    ['an issuer with credentials', { issuer: 'https://a:b@sso.example' }],
    ['an issuer that is its metadata', { issuer: 'https://sso.example/.well-known/openid-configuration' }],
    ['no issuer', { issuer: undefined }],
    ['a redirect URI without TLS', { redirect_uris: ['http://app.example/'] }],
    ['a redirect URI with a fragment', { redirect_uris: ['https://app.example/#'] }],
    ['a redirect URI with a query', { redirect_uris: ['https://app.example/?next=x'] }],
    ['a redirect URI no browser writes so', { redirect_uris: ['https://APP.example'] }],
    ['a script for a redirect URI', { redirect_uris: ['javascript:alert(1)'] }],
    ['a redirect URI twice', { redirect_uris: ['https://app.example/', 'https://app.example/'] }],
    ['no client id', { client_id: '' }],
    ['a name of two lines', { name: 'a\nb' }],
    ['more', { scope: 'openid' }],
  ])('is not made with %s', async (_, more) => {
    expect(told(await admin.post(PROVIDERS, given(more)))).toEqual({ status: 400, code: 'validation_error' });
  });

  it('is changed by who has read it; the issuer stays', async () => {
    const { id } = await made({ client_secret: 'old' });
    const sealed = async () =>
      (await world.admin.query('SELECT sealed_secret FROM identity_provider WHERE id = $1', [id])).rows[0];
    const before = await sealed();
    expect(told(await admin.call('PATCH', `${PROVIDERS}/${id}`, { name: 'x' }))).toMatchObject({
      status: 428,
    });
    const renamed = await admin.change(`/identity-providers/${id}`, { name: 'Other' }, 1);
    expect(renamed.body).toMatchObject({
      name: 'Other',
      client_id: 'scandock',
      has_secret: true,
      version: 2,
    });
    expect(renamed.headers.get('etag')).toBe('"2"');
    expect(await sealed()).toEqual(before);
    expect(await eventsOf(renamed)).toEqual([
      expect.objectContaining({ action: 'identity-providers:update', detail: { changed: ['name'] } }),
    ]);
    expect(told(await admin.change(`/identity-providers/${id}`, { name: 'Late' }, 1))).toEqual({
      status: 412,
      code: 'precondition_failed',
    });
    const secret = await admin.change(`/identity-providers/${id}`, { client_secret: 'new' }, 2);
    expect(secret.text).not.toContain('"new"');
    expect(await sealed()).not.toEqual(before);
    const none = await admin.change(`/identity-providers/${id}`, { client_secret: null }, 3);
    expect(none.body.has_secret).toBe(false);
    for (const body of [{ issuer: 'https://evil.example' }, {}, { version: 9 }])
      expect(told(await admin.change(`/identity-providers/${id}`, body))).toMatchObject({ status: 400 });
    expect(told(await admin.change(`/identity-providers/${newId()}`, { name: 'x' }, 7))).toMatchObject({
      status: 404,
    });
  });

  it('is disabled and enabled, the same answer each time', async () => {
    const { id } = await made();
    const off = await admin.post(`${PROVIDERS}/${id}/disable`);
    expect(off.body).toMatchObject({ disabled_at: expect.any(String), version: 2 });
    expect((await admin.post(`${PROVIDERS}/${id}/disable`)).body).toEqual(off.body);
    const on = await admin.post(`${PROVIDERS}/${id}/enable`);
    expect(on.body).toMatchObject({ disabled_at: null, version: 3 });
    const again = await admin.post(`${PROVIDERS}/${id}/enable`);
    expect(again.body).toEqual(on.body);
    expect((await eventsOf(again))[0]).toMatchObject({ detail: { repeated: true } });
  });

  it('is led elsewhere, or made a way in again, only by who holds all that those known by it may do', async () => {
    const { id } = await made();
    const [nobody, boss] = [await door.newStaff(), await door.newStaff()];
    const manager = await signedIn(world, tenant.organizationId, await door.newStaff(undefined, 'admin'));
    for (const user of [nobody, boss])
      await admin.create(`/users/${user}/identities`, { provider_id: id, subject: randomUUID() });
    const [path, home] = [`/identity-providers/${id}`, 'https://app.example/signed-in'];
    const further = { redirect_uris: [home, 'https://other.example/'] };
    // As long as nobody has more than the manager.
    expect((await manager.change(path, further)).status).toBe(200);
    const group_id = await admin.group();
    await admin.create(`/groups/${group_id}/members`, { user_id: boss });
    await admin.bind(await admin.builtIn('owner'), { group_id });
    const before = (await admin.get(ADMIN + path)).body;
    for (const change of [{ client_id: 'mine' }, { redirect_uris: [home, 'https://evil.example/'] }])
      expect(told(await manager.change(path, change))).toEqual({ status: 403, code: 'grant_exceeded' });
    expect((await admin.get(ADMIN + path)).body).toEqual(before);
    for (const change of [{ name: 'Other' }, { client_id: 'scandock' }, { redirect_uris: [home] }])
      expect((await manager.change(path, change)).status).toBe(200);
    expect((await manager.post(`${ADMIN}${path}/disable`)).status).toBe(200);
    expect(told(await manager.post(`${ADMIN}${path}/enable`))).toEqual({
      status: 403,
      code: 'grant_exceeded',
    });
    expect((await admin.get(ADMIN + path)).body.disabled_at).not.toBeNull();
    expect((await admin.post(`${ADMIN}${path}/enable`)).status).toBe(200);
    expect((await manager.post(`${ADMIN}${path}/enable`)).status).toBe(200); // changes nothing
    expect((await admin.change(path, { client_id: 'ours' })).status).toBe(200);
  });
});

describe('an identity', () => {
  const identitiesOf = (userId: string) => `/users/${userId}/identities`;

  it('is linked, listed and unlinked; its subject stands in no event', async () => {
    const [userId, { id: provider_id, issuer }] = [await door.newStaff(), await made()];
    const subject = `subject-${randomUUID()}`;
    const key = { 'idempotency-key': randomUUID() };
    const answer = await admin.post(ADMIN + identitiesOf(userId), { provider_id, subject }, key);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(String),
      user_id: userId,
      issuer,
      subject,
      created_at: expect.any(String),
    });
    const replay = await admin.post(ADMIN + identitiesOf(userId), { provider_id, subject }, key);
    expect(replay.body).toEqual(answer.body);
    expect((await admin.get(ADMIN + identitiesOf(userId))).body.items).toEqual([answer.body]);

    const session = newId();
    await world.admin.query(
      `INSERT INTO user_session (organization_id, id, user_id, provider_id, created_at, last_used_at, expires_at)
       VALUES ($1, $2, $3, $4, now(), now(), now() + interval '1 day')`,
      [tenant.organizationId, session, userId, provider_id],
    );
    const path = `${ADMIN}${identitiesOf(userId)}/${answer.body.id}`;
    const gone = await admin.delete(path);
    expect(gone.status).toBe(204);
    const { rows } = await world.admin.query('SELECT revoked_reason FROM user_session WHERE id = $1', [
      session,
    ]);
    expect(rows).toEqual([{ revoked_reason: 'identity_unlinked' }]);
    expect((await admin.get(ADMIN + identitiesOf(userId))).body.items).toEqual([]);
    expect(told(await admin.delete(path))).toMatchObject({ status: 404 });
    const events = [...(await eventsOf(answer)), ...(await eventsOf(gone))];
    expect(events.map(({ action, resource_id, detail }) => ({ action, resource_id, detail }))).toEqual([
      {
        action: 'users:link-identity',
        resource_id: userId,
        detail: { identity: answer.body.id, provider: provider_id, replayed: false },
      },
      {
        action: 'users:unlink-identity',
        resource_id: userId,
        detail: { identity: answer.body.id, sessions: 1 },
      },
    ]);
    expect(JSON.stringify(events)).not.toContain(subject);
  });

  it('is one person’s in the organization, and of staff', async () => {
    const { id: provider_id } = await made();
    const [one, other] = [await door.newStaff(), await door.newStaff()];
    await admin.create(identitiesOf(one), { provider_id, subject: 'x' });
    for (const userId of [one, other])
      expect(told(await admin.post(ADMIN + identitiesOf(userId), { provider_id, subject: 'x' }))).toEqual({
        status: 409,
        code: 'already_exists',
      });
    const portal = await Portal.open(world, tenant.organizationId);
    const patient = await portal.newPatient({ email: `${randomUUID()}@patients.example` });
    for (const userId of [patient, newId()])
      expect(
        told(await admin.post(ADMIN + identitiesOf(userId), { provider_id, subject: 'y' })),
      ).toMatchObject({
        status: 404,
      });
    expect(
      told(await admin.post(ADMIN + identitiesOf(one), { provider_id: newId(), subject: 'y' })),
    ).toMatchObject({ status: 404 });
  });

  it('is linked only by who holds all that the user may do: it is a way in as them', async () => {
    const { id: provider_id } = await made();
    const [boss, colleague] = [
      await door.newStaff(undefined, 'owner'),
      await door.newStaff(undefined, 'reader'),
    ];
    const by = await signedIn(world, tenant.organizationId, await door.newStaff(undefined, 'admin'));
    const refused = await by.post(ADMIN + identitiesOf(boss), { provider_id, subject: 'mine' });
    expect(told(refused)).toEqual({ status: 403, code: 'grant_exceeded' });
    expect((await by.post(ADMIN + identitiesOf(colleague), { provider_id, subject: 'mine' })).status).toBe(
      201,
    );
    const { rows } = await world.admin.query('SELECT 1 FROM user_identity WHERE user_id = $1', [boss]);
    expect(rows).toEqual([]);
  });
});
