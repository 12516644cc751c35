import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '../../../src/platform/database/id.js';
import { ADMIN, Admin, signedIn } from '../../support/admin.js';
import type { Answer } from '../../support/client.js';
import { adminWith, detailOf } from '../../support/credentials.js';
import { soonStatus } from '../../support/soon.js';
import { Portal } from '../../support/portal.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const SESSIONS = `${ADMIN}/sessions`;
const DAY_MS = 24 * 3600 * 1000;

let world: World;
let tenant: Tenant;
let owner: Admin;
let portal: Portal;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '100000', RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
  portal = await Portal.open(world, tenant.organizationId);
});
afterAll(() => world.close());

const problem = ({ status, body }: Answer) => ({ status, code: body?.code as string });

/** Somebody of staff who reads sessions, signed in. */
async function staff(): Promise<{ id: string; client: Admin }> {
  const id = newId();
  await world.admin.query(
    `INSERT INTO "user" (id, organization_id, kind, email, created_at) VALUES ($1, $2, 'staff', $3, now())`,
    [id, tenant.organizationId, `${id}@staff.example`],
  );
  await world.admin.query(
    `INSERT INTO role_binding (id, organization_id, role_id, user_id, created_at)
     SELECT gen_random_uuid(), organization_id, id, $2, now() FROM role WHERE organization_id = $1 AND name = 'auditor'`,
    [tenant.organizationId, id],
  );
  return { id, client: await signedIn(world, tenant.organizationId, id) };
}

const sessionsOf = async (userId: string, by = owner) =>
  (await by.get(`${SESSIONS}?user_id=${userId}`)).body.items;

describe('sessions', () => {
  it('are listed with whose they are and how they began, newest first', async () => {
    const patient = await portal.signIn();
    const somebody = await staff();
    const provider = newId();
    await world.admin.query(
      `INSERT INTO identity_provider (organization_id, id, name, issuer, client_id, created_at)
       VALUES ($1, $2, 'SSO', $3, 'scandock', now())`,
      [tenant.organizationId, provider, `https://${provider}.example`],
    );
    await signedIn(world, tenant.organizationId, somebody.id);
    await world.admin.query(
      `UPDATE user_session SET provider_id = $1
       WHERE id = (SELECT id FROM user_session WHERE user_id = $2 ORDER BY created_at DESC, id DESC LIMIT 1)`,
      [provider, somebody.id],
    );
    expect(await sessionsOf(patient.patientId)).toEqual([
      {
        id: expect.any(String),
        user_id: patient.patientId,
        user_kind: 'patient',
        began_by: 'portal',
        created_at: expect.any(String),
        last_used_at: expect.any(String),
        expires_at: expect.any(String),
      },
    ]);
    expect(await sessionsOf(somebody.id)).toMatchObject([
      { user_kind: 'staff', began_by: 'identity_provider' },
      { user_kind: 'staff', began_by: 'code' },
    ]);
    expect(await sessionsOf(newId())).toEqual([]);

    const { body } = await somebody.client.get(`${SESSIONS}?limit=2`);
    expect(body.items.map(({ user_id }: { user_id: string }) => user_id)).toEqual([somebody.id, somebody.id]);
    const rest = (await somebody.client.get(`${SESSIONS}?limit=2&cursor=${body.next_cursor}`)).body;
    expect(rest.items).toMatchObject([{ user_id: patient.patientId }]);

    await world.admin.query('UPDATE identity_provider SET disabled_at = now() WHERE id = $1', [provider]);
    expect(await sessionsOf(somebody.id)).toMatchObject([{ began_by: 'code' }]);
  });

  it('are not listed once they are over: signed out, idle, expired, or their user or portal gone', async () => {
    const count = async (id: string) => (await sessionsOf(id)).length;
    const ended: [string, (id: string) => Promise<unknown>][] = [
      ['signed out', () => out.logout(out.refreshToken)],
      ['user', (id) => world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [id])],
      [
        'expired',
        (id) => world.admin.query('UPDATE user_session SET expires_at = now() WHERE user_id = $1', [id]),
      ],
      [
        'idle',
        (id) =>
          world.admin.query('UPDATE user_session SET last_used_at = $2 WHERE user_id = $1', [
            id,
            new Date(Date.now() - 30 * DAY_MS),
          ]),
      ],
      [
        'portal',
        () =>
          world.admin.query('UPDATE api_key SET revoked_at = now() WHERE key_hash = sha256($1)', [
            out.apiKey,
          ]),
      ],
    ];
    let out!: Awaited<ReturnType<typeof signIn>>;
    const signIn = async () => {
      const own = await Portal.open(world, tenant.organizationId);
      const session = await own.signIn();
      return Object.assign(session, { logout: (token: string) => own.logout(token) });
    };
    for (const [how, end] of ended) {
      out = await signIn();
      expect({ how, count: await count(out.patientId) }).toEqual({ how, count: 1 });
      await end(out.patientId);
      expect({ how, count: await count(out.patientId) }).toEqual({ how, count: 0 });
    }
  });

  it('end when they are revoked: within a second, the refresh token included', async () => {
    const patient = await portal.signIn();
    const other = await portal.signIn();
    const files = () => patient.get('/api/v1/users/me/files');
    expect((await files()).status).toBe(200);
    const [{ id }] = await sessionsOf(patient.patientId);
    const removed = await owner.delete(`${SESSIONS}/${id}`);
    expect([removed.status, removed.text]).toEqual([204, '']);
    expect((await portal.refresh(patient.refreshToken)).status).toBe(401);
    await soonStatus(401, files);
    expect((await other.get('/api/v1/users/me/files')).status).toBe(200);
    expect(await sessionsOf(patient.patientId)).toEqual([]);
    expect(await detailOf(world, removed, 'sessions:revoke')).toEqual({ user: patient.patientId });
    const { rows } = await world.admin.query(
      `SELECT s.revoked_reason, e.patient_ref FROM user_session s JOIN audit_event e ON e.resource_id = s.id::text
       WHERE s.id = $1 AND e.action = 'sessions:revoke'`,
      [id],
    );
    expect(rows).toEqual([{ revoked_reason: 'revoked', patient_ref: patient.patientId }]);
    expect(problem(await owner.delete(`${SESSIONS}/${id}`))).toEqual({ status: 404, code: 'not_found' });
  });

  it('of staff end likewise, one’s own too', async () => {
    const somebody = await staff();
    expect(problem(await somebody.client.delete(`${SESSIONS}/${newId()}`))).toEqual({
      status: 403,
      code: 'forbidden', // an auditor looks
    });
    const [{ id }] = await sessionsOf(somebody.id, somebody.client);
    expect((await owner.delete(`${SESSIONS}/${id}`)).status).toBe(204);
    await soonStatus(401, () => somebody.client.get(SESSIONS));
  });

  it('are for who may see or end them', async () => {
    const [{ id }] = await sessionsOf((await portal.signIn()).patientId);
    const clerk = await adminWith(world, tenant.organizationId, [{ operations: ['*'], subject: 'User' }]);
    expect(problem(await clerk.get(SESSIONS)).code).toBe('forbidden');
    expect(problem(await clerk.delete(`${SESSIONS}/${id}`)).code).toBe('forbidden');
    expect(problem(await owner.get(`${SESSIONS}?user_id=x`)).code).toBe('validation_error');
    expect(problem(await owner.get(`${SESSIONS}?kind=staff`)).code).toBe('validation_error');
    expect(problem(await owner.delete(`${SESSIONS}/x`)).code).toBe('validation_error');
  });
});
