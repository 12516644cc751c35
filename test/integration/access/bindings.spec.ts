import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '../../../src/platform/database/id.js';
import { Admin, ADMIN, signedIn } from '../../support/admin.js';
import { Client, tokenFor } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { createExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { newestRow, plantGroup, plantStaff } from '../../support/planted-staff.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const READ = { operations: ['exams:read', 'exams:list'], subject: 'Exam' };
const BINDINGS = `${ADMIN}/bindings`;

let world: World;
let tenant: Tenant;
let owner: Admin;
let roleId: string;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
  roleId = await owner.role(READ);
});
afterAll(() => world.close());

const staff = () => plantStaff(world, tenant.organizationId);

/** One of each kind, that may do nothing, and how it calls. */
async function principals(): Promise<[Record<string, string>, Client][]> {
  const { organizationId } = tenant;
  const powerless = { organizationId, name: 'powerless', role: 'auditor', scopes: ['exams:read'] } as const;
  const credentials = await world.organizations.createClient(powerless);
  const client_id = await newestRow(world, organizationId, 'oauth_client');
  const key = await world.organizations.createApiKey(powerless);
  const api_key_id = await newestRow(world, organizationId, 'api_key');
  const [user_id, member] = [await staff(), await staff()];
  const group_id = await plantGroup(world, organizationId, member);
  return [
    [{ user_id }, await signedIn(world, organizationId, user_id)],
    [{ group_id }, await signedIn(world, organizationId, member)],
    [{ client_id }, new Client(world.baseUrl, await tokenFor(world.baseUrl, credentials))],
    [{ api_key_id }, new Client(world.baseUrl, key)],
  ];
}

describe('a binding', () => {
  it('gives a role to a user, a group, a client, an API key, and takes it away', async () => {
    const role = (await owner.get(`${ADMIN}/roles/${roleId}`)).body;
    for (const [to, by] of await principals()) {
      expect((await by.get('/api/v1/exams')).status).toBe(403);
      const made = await owner.post(BINDINGS, { role_id: roleId, ...to });
      expect([made.status, made.body]).toEqual([
        201,
        {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          role_id: roleId,
          role_name: role.name,
          ...to,
          resource: null,
          created_at: expect.stringMatching(/Z$/),
        },
      ]);
      const { id } = made.body;
      expect((await owner.get(`${BINDINGS}/${id}`)).body).toEqual(made.body);
      expect((await by.get('/api/v1/exams')).status).toBe(200);
      const [[name, value]] = Object.entries(to) as [[string, string]];
      const listed = await owner.get(`${BINDINGS}?${name}=${value}&role_id=${roleId}`);
      expect(listed.body).toEqual({ items: [made.body] });
      const deleted = await owner.delete(`${BINDINGS}/${id}`);
      expect([deleted.status, deleted.text]).toEqual([204, '']);
      expect((await by.get('/api/v1/exams')).status).toBe(403);
      expect((await owner.get(`${BINDINGS}/${id}`)).status).toBe(404);
      expect((await owner.delete(`${BINDINGS}/${id}`)).status).toBe(404);
      const { rows } = await world.admin.query<{ action: string; detail: object }>(
        'SELECT action, detail FROM audit_event WHERE resource_id = $1 AND action <> $2 AND outcome = $3 ORDER BY id',
        [id, 'bindings:read', 'success'],
      );
      const detail = {
        role: roleId,
        principal_kind: name.replace('_id', ''),
        principal: value,
        resource_type: null,
        resource: null,
      };
      expect(rows).toEqual([
        { action: 'bindings:create', detail: { ...detail, replayed: false } },
        { action: 'bindings:delete', detail },
      ]);
    }
  });

  it('is made once: the same again is a conflict, another limit is another binding', async () => {
    const exams = [];
    for (let n = 0; n < 2; n++) exams.push((await createExam(owner, { 'a.dcm': 1 })).exam_id);
    const to = { role_id: roleId, user_id: await staff() };
    const bodies = [to, ...exams.map((id) => ({ ...to, resource: { type: 'Exam', id } }))];
    for (const body of bodies) expect((await owner.post(BINDINGS, body)).status).toBe(201);
    for (const body of bodies) {
      const again = await owner.post(BINDINGS, body);
      expect([again.status, again.body.code]).toEqual([409, 'already_exists']);
    }
    const upper = { ...bodies[1]!, resource: { type: 'Exam', id: exams[0]!.toUpperCase() } };
    expect((await owner.post(BINDINGS, upper)).status).toBe(409);
    const limited = await owner.get(`${BINDINGS}?resource_id=${exams[1]}`);
    expect(limited.body.items).toEqual([
      expect.objectContaining({ user_id: to.user_id, resource: { type: 'Exam', id: exams[1] } }),
    ]);
  });

  it('is made once by two at the same time, and by an Idempotency-Key', async () => {
    const body = { role_id: roleId, user_id: await staff() };
    const answers = await Promise.all([1, 2, 3].map(() => owner.post(BINDINGS, body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    const [other, headers] = [
      { role_id: roleId, user_id: await staff() },
      { 'idempotency-key': randomUUID() },
    ];
    const first = await owner.post(BINDINGS, other, headers);
    const again = await owner.post(BINDINGS, other, headers);
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
  });

  it('is listed newest first, page by page', async () => {
    const user_id = await staff();
    const made = [];
    for (let n = 0; n < 5; n++) made.unshift(await owner.bind(await owner.role(READ), { user_id }));
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await owner.get(`${BINDINGS}?user_id=${user_id}&limit=2${cursor}`);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(seen).toEqual(made);
    expect((await owner.get(`${BINDINGS}?user_id=${newId()}`)).body).toEqual({ items: [] });
  });
});

describe('nobody binds', () => {
  it('a role to a patient, to a portal’s key, or the role of patients to anybody', async () => {
    const clinic = await Clinic.open(world, tenant);
    const { patientId } = await clinic.openCase();
    const portalKey = await newestRow(world, tenant.organizationId, 'api_key');
    const user_id = await staff();
    for (const [body, code] of [
      [{ role_id: roleId, user_id: patientId }, 'not_staff'],
      [{ role_id: roleId, api_key_id: portalKey }, 'portal_key'],
      [{ role_id: await owner.builtIn('patient'), user_id }, 'role_of_patients'],
    ] as const) {
      const answer = await owner.post(BINDINGS, body);
      expect([answer.status, answer.body.code]).toEqual([409, code]);
    }
    expect((await owner.get(`${BINDINGS}?user_id=${patientId}`)).body.items).toEqual([]);
  });

  it('what is not there, or is another organization’s', async () => {
    const theirs = await world.newTenant();
    const { organizationId } = theirs;
    const them = new Admin(world.baseUrl, theirs.apiKey);
    const order = await new Hospital(world.baseUrl, theirs.apiKey).newOrder();
    const { exam_id: exam } = await createExam(them, { 'a.dcm': 1 });
    const { caseId } = await (await Clinic.open(world, theirs)).openCase();
    const own = { role_id: roleId, user_id: await staff() };
    const foreign: object[] = [
      { ...own, role_id: await them.role(READ) },
      { role_id: roleId, user_id: await plantStaff(world, organizationId) },
      { role_id: roleId, group_id: await plantGroup(world, organizationId) },
      { role_id: roleId, client_id: await newestRow(world, organizationId, 'oauth_client') },
      { role_id: roleId, api_key_id: await newestRow(world, organizationId, 'api_key') },
      { ...own, resource: { type: 'Order', id: order } },
      { ...own, resource: { type: 'Exam', id: exam } },
      { ...own, resource: { type: 'PatientCase', id: caseId } },
    ];
    for (const body of foreign) {
      const unknown = JSON.parse(
        JSON.stringify(body).replaceAll(/[0-9a-f-]{36}(?="[^"]*$)/g, newId()),
      ) as object;
      for (const asked of [body, unknown]) {
        const { status, body: answer } = await owner.post(BINDINGS, asked);
        expect([asked, status, answer.code]).toEqual([asked, 404, 'not_found']);
      }
    }
    expect((await owner.get(`${BINDINGS}?user_id=${own.user_id}`)).body.items).toEqual([]);
  });

  it('a resource under the type of another', async () => {
    const { caseId } = await (await Clinic.open(world, tenant)).openCase();
    const body = { role_id: roleId, user_id: await staff(), resource: { type: 'Order', id: caseId } };
    expect((await owner.post(BINDINGS, body)).status).toBe(404);
  });
});

describe('bad input', () => {
  const id = newId();
  const to = { role_id: id, user_id: id };
  it.each<[string, unknown]>([
    ['no body', undefined],
    ['no role', { user_id: id }],
    ['nobody', { role_id: id }],
    ['two', { ...to, group_id: id }],
    ['all four', { ...to, group_id: id, client_id: id, api_key_id: id }],
    ['a role that is no id', { ...to, role_id: 'owner' }],
    ['a user that is no id', { ...to, user_id: 'me' }],
    ['a client by its name', { role_id: id, client_id: 'sdc_abcdefghijklmnopqrstuv' }],
    ['a key that is no id', { role_id: id, api_key_id: 1 }],
    ['a group that is null', { role_id: id, group_id: null }],
    ['an unknown field', { ...to, organization_id: id }],
    ['a limit that is an id', { ...to, resource: id }],
    ['a limit without a type', { ...to, resource: { id } }],
    ['a limit without an id', { ...to, resource: { type: 'Order' } }],
    ['a limit of an unknown type', { ...to, resource: { type: 'User', id } }],
    ['a limit of a property of every object', { ...to, resource: { type: 'constructor', id } }],
    ['a limit by a name', { ...to, resource: { type: 'Order', id: 'first' } }],
    ['a limit with more', { ...to, resource: { type: 'Order', id, and: id } }],
  ])('%s is refused', async (_, body) => {
    const answer = await owner.post(BINDINGS, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });

  it.each([
    'limit=0',
    'limit=101',
    'cursor=x',
    'role_id=x',
    'user_id=',
    'resource_id=1',
    'role=x',
    'client_id=sdc_x',
  ])('?%s is refused', async (query) => {
    const { status, body } = await owner.get(`${BINDINGS}?${query}`);
    expect([status, body.code]).toEqual([400, 'validation_error']);
  });
});
