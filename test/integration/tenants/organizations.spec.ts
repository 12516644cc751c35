import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Api, createApi } from '../../../src/api.js';
import { BUILT_IN_ROLES, PLATFORM_OWNER_ROLE } from '../../../src/modules/access/built-in-roles.js';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { newId } from '../../../src/platform/database/id.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { type Admin, signedIn } from '../../support/admin.js';
import { basic, Client, tokenFor } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { uploadExam } from '../../support/exam.js';
import { ctInstance } from '../../support/dicom-files.js';
import { ORGANIZATIONS, platformOwner, toldOf } from '../../support/platform.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

let world: World;
let platform: Admin;
let tenant: Tenant;
let owner: Client;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000', CREDENTIAL_FAILURES_PER_MINUTE: '100000' });
  platform = await platformOwner(world);
  tenant = await world.newTenant();
  owner = new Client(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

const named = (name: string) => ({ name, owner: { email: `${randomUUID()}@staff.example` } });
const create = async (name: string): Promise<{ id: string; version: number }> => {
  const { status, body, text } = await platform.post(ORGANIZATIONS, named(name));
  if (status !== 201) throw new Error(`POST organizations: ${status} ${text}`);
  return body;
};
const change = (by: Client, id: string, body: object, version?: string) =>
  by.call('PATCH', `${ORGANIZATIONS}/${id}`, body, version === undefined ? {} : { 'if-match': version });

describe('the platform’s organization', () => {
  const roles = async () =>
    (
      await world.admin.query<{ id: string; name: string; rules: unknown }>(
        'SELECT id, name, rules FROM role WHERE organization_id = $1 ORDER BY name',
        [PLATFORM_ORGANIZATION],
      )
    ).rows;

  it('is made by the migration, once, with roles of its own', async () => {
    const before = await roles();
    expect(before.map(({ name }) => name)).toEqual(['auditor', PLATFORM_OWNER_ROLE]);
    await world.admin.query(`UPDATE role SET rules = '[]' WHERE id = $1`, [before[1]!.id]);
    await world.admin.query('GRANT EXECUTE ON FUNCTION organization_ids() TO scandock_app');
    await world.organizations.refreshBuiltInRoles();
    await world.organizations.refreshBuiltInRoles();
    await world.admin.query('REVOKE EXECUTE ON FUNCTION organization_ids() FROM scandock_app');
    expect(await roles()).toEqual(before);
    const elsewhere = await world.admin.query(
      `SELECT DISTINCT name FROM role WHERE organization_id = $1 ORDER BY name`,
      [tenant.organizationId],
    );
    expect(elsewhere.rows.map(({ name }) => name)).toEqual(Object.keys(BUILT_IN_ROLES).sort());
  });

  it('can be neither disabled nor deleted', async () => {
    for (const path of ['disable', 'enable', 'deletion']) {
      const answer = await platform.post(`${ORGANIZATIONS}/${PLATFORM_ORGANIZATION}/${path}`, {});
      expect({ path, status: answer.status, code: answer.body.code }).toEqual({
        path,
        status: 409,
        code: 'platform_organization',
      });
    }
  });

  it('has clients that manage organizations, and work with nothing of theirs', async () => {
    expect((await platform.get('/api/v1/exams')).status).toBe(403);
    expect((await platform.get(`${ORGANIZATIONS}/${PLATFORM_ORGANIZATION}`)).body).toMatchObject({
      name: 'Platform',
      state: 'enabled',
    });
  });

  it('keeps its last owner', async () => {
    const { rows } = await world.admin.query<{ owners: number }>(
      `SELECT count(*)::int AS owners FROM role_binding b JOIN role r ON r.id = b.role_id
       WHERE b.organization_id = $1 AND r.name = $2`,
      [PLATFORM_ORGANIZATION, PLATFORM_OWNER_ROLE],
    );
    const { AccessChanges } = await import('../../../src/modules/access/access-changes.js');
    const changes = world.api.app.get(AccessChanges, { strict: false });
    expect(rows[0]!.owners).toBeGreaterThan(0);
    await expect(
      changes.change(PLATFORM_ORGANIZATION, (tx) =>
        tx.roleBinding.deleteMany({ where: { organizationId: PLATFORM_ORGANIZATION } }),
      ),
    ).rejects.toMatchObject({ code: 'last_owner' });
  });
});

describe('what spans organizations', () => {
  it('is refused to a tenant’s owner, whose role allows everything there is in the tenant', async () => {
    const spanning = world.api.routes.filter(({ operation }) => operation.platform);
    expect(spanning.map(({ operation }) => operation.name).sort()).toEqual([
      'organizations:cancel-deletion',
      'organizations:create',
      'organizations:disable',
      'organizations:enable',
      'organizations:list',
      'organizations:purge',
      'organizations:read-deletion',
      'organizations:request-deletion',
    ]);
    const other = await create('Not theirs');
    for (const { method, path } of spanning)
      for (const id of [tenant.organizationId, other.id]) {
        const body = method === 'POST' ? {} : undefined;
        const answer = await owner.call(method, path.replace(':id', id), body);
        expect({ method, path, status: answer.status, code: answer.body.code }).toEqual({
          method,
          path,
          status: 403,
          code: 'forbidden',
        });
      }
    expect((await platform.get(`${ORGANIZATIONS}/${other.id}`)).body.state).toBe('enabled');
  });
});

describe('POST organizations', () => {
  it('makes one with its roles and its first owner, and says so in both ledgers', async () => {
    const email = `${randomUUID()}@staff.example`;
    const input = { name: 'North Clinic', owner: { email: email.toUpperCase(), first_name: 'Nora' } };
    const answer = await platform.post(ORGANIZATIONS, input);
    expect(answer.status).toBe(201);
    const { id } = answer.body;
    expect(answer.body).toEqual({
      id,
      name: 'North Clinic',
      state: 'enabled',
      required_metadata: [],
      created_at: expect.any(String),
      version: 1,
    });
    expect(answer.headers.get('etag')).toBe('"1"');
    const { rows } = await world.admin.query(
      `SELECT u.id, u.kind, u.email, u.first_name, u.last_name, r.name AS role,
              (SELECT count(*)::int FROM role WHERE organization_id = $1) AS roles
       FROM "user" u JOIN role_binding b ON b.user_id = u.id JOIN role r ON r.id = b.role_id
       WHERE u.organization_id = $1`,
      [id],
    );
    const [user] = rows;
    expect(rows).toEqual([
      {
        id: expect.any(String),
        kind: 'staff',
        email,
        first_name: 'Nora',
        last_name: '',
        role: 'owner',
        roles: Object.keys(BUILT_IN_ROLES).length,
      },
    ]);
    const told = await toldOf(world.admin, answer);
    for (const ledger of [id, PLATFORM_ORGANIZATION])
      expect(told[ledger]).toMatchObject({
        actor_kind: 'client',
        action: 'organizations:create',
        outcome: 'success',
        resource_id: id,
        detail: { owner: user.id, replayed: false },
      });
    expect(JSON.stringify(told)).not.toContain(email);
    const first = await signedIn(world, id, user.id);
    expect((await first.get(`${ORGANIZATIONS}/${id}`)).body.name).toBe('North Clinic');
  });

  it('makes none twice under one Idempotency-Key', async () => {
    const [input, headers] = [named('Once'), { 'idempotency-key': randomUUID() }];
    const first = await platform.post(ORGANIZATIONS, input, headers);
    const second = await platform.post(ORGANIZATIONS, input, headers);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect((await toldOf(world.admin, second))[first.body.id]!.detail).toMatchObject({ replayed: true });
    expect((await platform.post(ORGANIZATIONS, named('Other'), headers)).status).toBe(422);
    const { rows } = await world.admin.query(
      'SELECT count(*)::int AS users FROM "user" WHERE organization_id = $1',
      [first.body.id],
    );
    expect(rows).toEqual([{ users: 1 }]);
  });

  it.each([
    ['no owner', { name: 'A' }],
    ['no address', { name: 'A', owner: {} }],
    ['no name', { owner: { email: 'a@staff.example' } }],
    ['an unknown field', { ...named('A'), state: 'purged' }],
    ['control characters', named('A\u0000B')],
  ])('refuses %s', async (_, body) => {
    expect((await platform.post(ORGANIZATIONS, body)).status).toBe(400);
  });
});

describe('GET organizations', () => {
  it('pages through all of them, newest first', async () => {
    const made = [await create('One'), await create('Two'), await create('Three')].map(({ id }) => id);
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { status, body } = await platform.get(`${ORGANIZATIONS}?limit=2${cursor}`);
      expect(status).toBe(200);
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      if (!body.next_cursor) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen.slice(0, 3)).toEqual(made.reverse());
    const { rows } = await world.admin.query<{ id: string }>(
      'SELECT id FROM organization ORDER BY created_at DESC, id DESC',
    );
    expect(seen).toEqual(rows.map(({ id }) => id));
    expect(seen).toContain(PLATFORM_ORGANIZATION);
  });

  it('tells a tenant of its own, and of no other', async () => {
    const other = await create('Other');
    expect((await owner.get(`${ORGANIZATIONS}/${tenant.organizationId}`)).body).toMatchObject({
      id: tenant.organizationId,
      state: 'enabled',
    });
    const [foreign, unknown] = [
      await owner.get(`${ORGANIZATIONS}/${other.id}`),
      await owner.get(`${ORGANIZATIONS}/${newId()}`),
    ];
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect((await platform.get(`${ORGANIZATIONS}/${newId()}`)).status).toBe(404);
  });
});

describe('PATCH organizations/:id', () => {
  it('changes the version that was read, by its own owner and by the platform', async () => {
    const { id } = await create('Old name');
    const { rows } = await world.admin.query<{ id: string }>(
      'SELECT id FROM "user" WHERE organization_id = $1',
      [id],
    );
    const own = await signedIn(world, id, rows[0]!.id);
    expect((await change(own, id, { name: 'New name' })).status).toBe(428);
    const renamed = await change(own, id, { name: 'New name' }, '"1"');
    expect([renamed.status, renamed.body.name, renamed.headers.get('etag')]).toEqual([
      200,
      'New name',
      '"2"',
    ]);
    expect(await toldOf(world.admin, renamed)).toEqual({
      [id]: expect.objectContaining({
        action: 'organizations:update',
        actor_kind: 'user',
        detail: { name: true, required_metadata: false },
      }),
    });
    expect((await change(platform, id, { name: 'Late' }, '"1"')).status).toBe(412);
    const required = await change(platform, id, { required_metadata: ['PatientID', '00080050'] }, '"2"');
    expect(required.body).toMatchObject({
      name: 'New name',
      required_metadata: ['PatientID', 'AccessionNumber'],
      version: 3,
    });
    const told = await toldOf(world.admin, required);
    expect(Object.keys(told).sort()).toEqual([PLATFORM_ORGANIZATION, id].sort());
  });

  it('finds no other before it looks at versions', async () => {
    const { id } = await create('Other');
    expect((await change(owner, id, { name: 'Mine' }, '"9"')).status).toBe(404);
    expect((await change(platform, newId(), { name: 'Nobody’s' }, '*')).status).toBe(404);
  });

  it.each([{}, { name: '' }, { required_metadata: ['Nonsense'] }, { disabled: true }])(
    'refuses %j',
    async (body) => {
      expect((await change(owner, tenant.organizationId, body, '*')).status).toBe(400);
    },
  );
});

describe('an organization that is disabled', () => {
  let other: Api;
  let otherUrl: string;

  beforeAll(async () => {
    const port = await freePort(0);
    other = await createApi(world.config);
    await other.app.listen(port, '127.0.0.1');
    otherUrl = `http://127.0.0.1:${port}`;
  });
  afterAll(() => other.app.close());

  it('is out with every kind of credential, in every process, within a second; and in again when it is enabled', async () => {
    const leaving = await world.newTenant();
    const clinic = await Clinic.open(world, leaving);
    const { patient } = await clinic.admit();
    const { rows } = await world.admin.query<{ id: string }>(
      `INSERT INTO "user" (id, organization_id, kind, email, created_at)
       VALUES (gen_random_uuid(), $1, 'staff', 'somebody@staff.example', now()) RETURNING id`,
      [leaving.organizationId],
    );
    await world.admin.query(
      `INSERT INTO role_binding (id, organization_id, role_id, user_id, created_at)
       SELECT gen_random_uuid(), $1, r.id, $2, now() FROM role r WHERE r.organization_id = $1 AND r.name = 'owner'`,
      [leaving.organizationId, rows[0]!.id],
    );
    const token = await tokenFor(world.baseUrl, leaving);
    const keyed = new Client(world.baseUrl, leaving.apiKey);
    const { exam_id } = await uploadExam(keyed, { 'a.dcm': ctInstance() });
    const { share_url } = (await keyed.post(`/api/v1/exams/${exam_id}/confirm`)).body;
    const { pathname } = new URL(share_url);
    const staff = await signedIn(world, leaving.organizationId, rows[0]!.id);
    const staffToken = Reflect.get(staff, 'token') as string;
    const patientToken = Reflect.get(patient, 'token') as string;
    const form = { 'content-type': 'application/x-www-form-urlencoded' };

    /** The status of each kind, at one of the two processes. */
    const statuses = async (url: string): Promise<Record<string, number>> => {
      const anybody = new Client(url);
      const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
      const byBasic = { authorization: basic(leaving.clientId, leaving.clientSecret) };
      const portal = { 'cv-api-key': clinic.portalKey };
      const answers = {
        token: anybody.get('/api/v1/exams', bearer(token)),
        apiKey: anybody.get('/api/v1/exams', bearer(leaving.apiKey)),
        basic: anybody.get('/orders', byBasic),
        newToken: anybody.call('POST', '/oauth2/token', 'grant_type=client_credentials', {
          ...form,
          ...byBasic,
        }),
        staff: anybody.get('/api/v1/exams', bearer(staffToken)),
        patient: anybody.get('/api/v1/users/me/files', { ...bearer(patientToken), ...portal }),
        portal: anybody.post('/api/v1/users/auth/logout', { refresh_token: 'x'.repeat(43) }, portal),
        share: anybody.get(pathname),
      };
      const settled = await Promise.all(
        Object.entries(answers).map(async ([kind, answer]) => [kind, (await answer).status] as const),
      );
      return Object.fromEntries(settled);
    };
    const IN = { token: 200, apiKey: 200, basic: 200, newToken: 200, staff: 200, patient: 200, portal: 200, share: 200 }; // prettier-ignore
    const OUT = { token: 401, apiKey: 401, basic: 401, newToken: 401, staff: 401, patient: 404, portal: 404, share: 404 }; // prettier-ignore
    const both = [world.baseUrl, otherUrl];
    for (const url of both) expect(await statuses(url)).toEqual(IN);

    const disabled = await platform.post(`${ORGANIZATIONS}/${leaving.organizationId}/disable`);
    expect([disabled.status, disabled.body.state]).toEqual([200, 'disabled']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const url of both) expect(await statuses(url)).toEqual(OUT);

    const again = await platform.post(`${ORGANIZATIONS}/${leaving.organizationId}/disable`);
    expect(again.body).toEqual(disabled.body);
    const told = await toldOf(world.admin, again);
    for (const ledger of [leaving.organizationId, PLATFORM_ORGANIZATION])
      expect(told[ledger]).toMatchObject({ action: 'organizations:disable', detail: { repeated: true } });

    const enabled = await platform.post(`${ORGANIZATIONS}/${leaving.organizationId}/enable`);
    expect([enabled.status, enabled.body.state]).toEqual([200, 'enabled']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const url of both) expect(await statuses(url)).toEqual(IN);
  });

  it('is nobody’s that does not exist', async () => {
    expect((await platform.post(`${ORGANIZATIONS}/${newId()}/disable`)).status).toBe(404);
    expect((await platform.post(`${ORGANIZATIONS}/${newId()}/enable`)).status).toBe(404);
  });
});
