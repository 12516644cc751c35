import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Api, createApi } from '../../../src/api.js';
import { newId } from '../../../src/platform/database/id.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { Admin, ADMIN } from '../../support/admin.js';
import { Client } from '../../support/client.js';
import { Hospital } from '../../support/hospital.js';
import { plantStaff, powerlessKey } from '../../support/planted-staff.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const READ = { operations: ['exams:read', 'exams:list'], subject: 'Exam' };
const SHARE = { operations: ['exams:share'], subject: 'Exam' };

let world: World;
let tenant: Tenant;
let owner: Admin;
let second: Api;
let secondUrl: string;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
  second = await createApi(world.config);
  const port = await freePort(0);
  await second.app.listen(port, '127.0.0.1');
  secondUrl = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  await second.app.close();
  await world.close();
});

const role = (id: string) => `${ADMIN}/roles/${id}`;
const named = (rules: object[] = [READ]) => ({ name: `Role ${randomUUID()}`, rules });

describe('a role of the organization’s own', () => {
  it('is made, read, and listed with the number of its bindings', async () => {
    const input = named([{ ...READ, conditions: { createdById: '${principal.id}' } }]);
    const made = await owner.post(`${ADMIN}/roles`, input);
    expect([made.status, made.headers.get('etag')]).toEqual([201, '"1"']);
    const { id } = made.body;
    expect(made.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ...input,
      built_in: false,
      bindings: 0,
      created_at: expect.stringMatching(/Z$/),
      version: 1,
    });
    for (let n = 0; n < 2; n++)
      await owner.bind(id, { user_id: await plantStaff(world, tenant.organizationId) });
    const read = await owner.get(role(id));
    expect([read.status, read.headers.get('etag'), read.body]).toEqual([
      200,
      '"1"',
      { ...made.body, bindings: 2 },
    ]);
    const listed = await owner.get(`${ADMIN}/roles?name=${encodeURIComponent(input.name)}`);
    expect(listed.body).toEqual({ items: [read.body] });
  });

  it('is made once by an Idempotency-Key', async () => {
    const [input, headers] = [named(), { 'idempotency-key': randomUUID() }];
    const [first, again] = [
      await owner.post(`${ADMIN}/roles`, input, headers),
      await owner.post(`${ADMIN}/roles`, input, headers),
    ];
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect((await owner.post(`${ADMIN}/roles`, named(), headers)).body.code).toBe('idempotency_mismatch');
  });

  it('has a name that no other has, least of all a built-in one', async () => {
    const { name } = await owner.create('/roles', named());
    const other = await owner.create('/roles', named());
    for (const taken of [name, 'owner', 'Owner', 'own\u200ber', '\uff2fwner', 'patient', 'platform-owner']) {
      const made = await owner.post(`${ADMIN}/roles`, { name: taken, rules: [] });
      expect([taken, made.status, made.body.code]).toEqual([taken, 409, 'already_exists']);
      const renamed = await owner.change(`/roles/${other.id}`, { name: taken });
      expect([taken, renamed.status, renamed.body.code]).toEqual([taken, 409, 'already_exists']);
    }
    expect((await owner.change(`/roles/${other.id}`, { name: other.name })).status).toBe(200);
  });

  it('is changed at the version that was read, and at no other', async () => {
    const { id } = await owner.create('/roles', named());
    const renamed = await owner.change(`/roles/${id}`, { name: `New ${id}` }, 1);
    expect([renamed.status, renamed.headers.get('etag'), renamed.body]).toEqual([
      200,
      '"2"',
      expect.objectContaining({ name: `New ${id}`, rules: [READ], version: 2 }),
    ]);
    const stale = await owner.change(`/roles/${id}`, { rules: [] }, 1);
    expect([stale.status, stale.body.code]).toEqual([412, 'precondition_failed']);
    const blind = await owner.call('PATCH', role(id), { rules: [] });
    expect([blind.status, blind.body.code]).toEqual([428, 'precondition_required']);
    const absent = await owner.change(`/roles/${newId()}`, { rules: [] }, 1);
    expect([absent.status, absent.body.code]).toEqual([404, 'not_found']);
    const emptied = await owner.change(`/roles/${id}`, { rules: [] });
    expect(emptied.body).toMatchObject({ name: `New ${id}`, rules: [], version: 3 });
  });

  it('is changed once of two who change it at the same version', async () => {
    const { id } = await owner.create('/roles', named());
    const answers = await Promise.all(
      [SHARE, READ].map((rule) => owner.change(`/roles/${id}`, { rules: [rule, rule] }, 1)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('is deleted once it is bound to nobody', async () => {
    const id = await owner.role(READ);
    const binding = await owner.bind(id, { user_id: await plantStaff(world, tenant.organizationId) });
    const bound = await owner.delete(role(id));
    expect([bound.status, bound.body.code]).toEqual([409, 'role_bound']);
    expect((await owner.delete(`${ADMIN}/bindings/${binding}`)).status).toBe(204);
    const gone = await owner.delete(role(id));
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect((await owner.get(role(id))).status).toBe(404);
    expect((await owner.delete(role(id))).status).toBe(404);
  });

  it('leaves in the ledger what changed, in numbers, and no name', async () => {
    const { id, name } = await owner.create('/roles', named([READ, SHARE]));
    await owner.change(`/roles/${id}`, { name: `${name} too`, rules: [READ] });
    await owner.delete(role(id));
    const { rows } = await world.admin.query<{ action: string; detail: object }>(
      'SELECT action, detail, audit_event::text AS row FROM audit_event WHERE resource_id = $1 ORDER BY id',
      [id],
    );
    expect(rows.map(({ action, detail }) => [action, detail])).toEqual([
      ['roles:create', { rules: 2, replayed: false }],
      ['roles:update', { renamed: true, rules: 1, added: 0, removed: 1 }],
      ['roles:delete', {}],
    ]);
    expect(JSON.stringify(rows)).not.toContain(name);
  });
});

describe('a built-in role', () => {
  it('is read and copied, not changed and not deleted', async () => {
    const { items } = (await owner.get(`${ADMIN}/roles?built_in=true&limit=100`)).body;
    expect(items.map(({ name }: { name: string }) => name).sort()).toEqual([
      'admin',
      'auditor',
      'coordinator',
      'owner',
      'patient',
      'reader',
      'uploader',
    ]);
    for (const { id, rules, built_in } of items) {
      expect(built_in).toBe(true);
      for (const answer of [await owner.change(`/roles/${id}`, { rules: [] }), await owner.delete(role(id))])
        expect([answer.status, answer.body.code]).toEqual([409, 'role_built_in']);
      expect((await owner.get(role(id))).body.rules).toEqual(rules);
      const copy = await owner.create('/roles', named(rules));
      expect(copy).toMatchObject({ rules, built_in: false });
    }
  });
});

describe('the list of roles', () => {
  it('is filtered, and paged without gaps or repetition', async () => {
    const { apiKey } = await world.newTenant();
    const other = new Admin(world.baseUrl, apiKey);
    const own = [];
    for (let n = 0; n < 5; n++) own.unshift(await other.role(READ));
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await other.get(`${ADMIN}/roles?built_in=false&limit=2${cursor}`);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(seen).toEqual(own);
    expect((await other.get(`${ADMIN}/roles?limit=100`)).body.items).toHaveLength(12);
    expect((await other.get(`${ADMIN}/roles?name=nobody`)).body).toEqual({ items: [] });
    expect((await other.get(`${ADMIN}/roles?name=owner&built_in=false`)).body).toEqual({ items: [] });
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'built_in=yes', 'cursor=x', 'name=', 'names=a', 'name=%00'])(
    'refuses ?%s',
    async (query) => {
      const { status, body } = await owner.get(`${ADMIN}/roles?${query}`);
      expect([status, body.code]).toEqual([400, 'validation_error']);
    },
  );
});

describe('bad input', () => {
  const BAD: [string, unknown][] = [
    ['no body', undefined],
    ['a list', []],
    ['no name', { rules: [READ] }],
    ['no rules', { name: 'n' }],
    ['an empty name', { name: '', rules: [] }],
    ['a name too long', { name: 'n'.repeat(101), rules: [] }],
    ['a blank before the name', { name: ' n', rules: [] }],
    ['a control character', { name: 'n\u0000', rules: [] }],
    ['a right-to-left override', { name: 'n\u202e', rules: [] }],
    ['a number for a name', { name: 1, rules: [] }],
    ['an unknown field', { ...named(), built_in: true }],
    ['rules that are no list', { name: 'n', rules: READ }],
    ['too many rules', named(Array.from({ length: 201 }, () => READ))],
    ['too many operations', named([{ operations: Array(201).fill('exams:read'), subject: 'Exam' }])],
    ['too much together', named(Array.from({ length: 100 }, () => ({ operations: ['*'], subject: '*' })))],
    ['no operation', named([{ operations: [], subject: 'Exam' }])],
    ['an unknown operation', named([{ operations: ['exams:invent'], subject: 'Exam' }])],
    [
      'an operation of the platform',
      named([{ operations: ['organizations:purge'], subject: 'Organization' }]),
    ],
    ['an operation under another subject', named([{ operations: ['exams:read'], subject: 'Order' }])],
    ['an unknown subject', named([{ operations: ['*'], subject: 'all' }])],
    ['a denial', named([{ ...READ, inverted: true }])],
    ['a limit of its own', named([{ ...READ, limit: { type: 'Exam', id: newId() } }])],
    ['a column that may not be asked', named([{ ...READ, conditions: { organizationId: newId() } }])],
    ['an operator', named([{ ...READ, conditions: { createdById: { not: newId() } } }])],
    ['an OR', named([{ ...READ, conditions: { OR: [{}] } }])],
    ['another placeholder', named([{ ...READ, conditions: { createdById: '${principal.groupIds}' } }])],
    ['conditions on everything', named([{ operations: ['*'], subject: '*', conditions: {} }])],
    [
      'the prototype',
      `{"name":"n","rules":[{"operations":["exams:read"],"subject":"Exam","conditions":{"__proto__":{"a":1}}}]}`,
    ],
  ];

  it.each(BAD)('%s is refused, new and in a change', async (_, body) => {
    const id = await owner.role(READ);
    const made = await owner.post(`${ADMIN}/roles`, body);
    expect(made.status).toBe(400);
    const isPartial = typeof body === 'object' && body !== null && Object.keys(body).length < 2;
    if (isPartial && !Array.isArray(body)) return;
    const changed = await owner.call('PATCH', role(id), body, { 'if-match': '*' });
    expect(changed.status).toBe(400);
    expect((await owner.get(role(id))).body).toMatchObject({ rules: [READ], version: 1 });
  });

  it('says where the mistake is', async () => {
    const { body } = await owner.post(
      `${ADMIN}/roles`,
      named([READ, { ...READ, conditions: { name: 'x' } }]),
    );
    expect(body.errors).toEqual([
      { path: 'rules.1.conditions.name', message: 'may not be asked of; only createdById' },
    ]);
  });

  it('a change of nothing, an id that is none, a body of megabytes', async () => {
    const id = await owner.role(READ);
    expect((await owner.change(`/roles/${id}`, {})).status).toBe(400);
    for (const bad of ['1', 'x'.repeat(36), `${id}0`]) expect((await owner.get(role(bad))).status).toBe(400);
    const huge = named([{ operations: Array(200).fill('exams:read' + ' '.repeat(3000)), subject: 'Exam' }]);
    expect((await owner.post(`${ADMIN}/roles`, huge)).status).toBe(413);
  });

  it.each(['W/"1"', '1', '"0"', '"1", "2"', '"x"'])('If-Match: %s', async (header) => {
    const id = await owner.role(READ);
    const answer = await owner.call('PATCH', role(id), { rules: [] }, { 'if-match': header });
    expect(answer.status).toBe(400);
  });
});

describe('the edit of a bound role', () => {
  it('holds in this process at once, and in another within a second', async () => {
    const id = await owner.role(READ);
    const { id: api_key_id, key } = await powerlessKey(world, tenant.organizationId);
    await owner.bind(id, { api_key_id });
    const [here, there] = [new Client(world.baseUrl, key), new Client(secondUrl, key)];
    const statuses = async () => [
      (await here.get('/api/v1/exams')).status,
      (await there.get('/api/v1/exams')).status,
    ];
    expect(await statuses()).toEqual([200, 200]);
    for (const [rules, expected] of [
      [[SHARE], 403],
      [[READ], 200],
      [[], 403],
    ] as const) {
      await statuses(); // both have just asked: what they believe is as fresh as it gets
      expect((await owner.change(`/roles/${id}`, { rules })).status).toBe(200);
      const [atOnce] = await Promise.all([
        here.get('/api/v1/exams'),
        soonStatus(expected, () => there.get('/api/v1/exams')),
      ]);
      expect(atOnce.status).toBe(expected);
    }
  });
});

describe('the catalogue', () => {
  it('holds what rules can be made of, and what it offers makes a role', async () => {
    const { status, body } = await owner.get(`${ADMIN}/access/catalogue`);
    expect(status).toBe(200);
    expect(body.operations).toContainEqual({ name: 'exams:read', subject: 'Exam', scope: 'exams:read' });
    expect(body.operations).toContainEqual({ name: 'account:read', subject: 'Organization', scope: null });
    expect(JSON.stringify(body.operations)).not.toContain('organizations:purge');
    expect(body.subjects).toContainEqual({
      name: 'Upload',
      conditions: { principalId: 'principal', order: { createdById: 'principal' } },
      limits: ['Order', 'Exam'],
    });
    expect(body.subjects).toContainEqual({ name: 'Event', conditions: {}, limits: [] });
    expect(body.scopes).toContain('access:manage');
    expect(body.built_in_roles.map(({ name }: { name: string }) => name)).toContain('coordinator');
    const rules = body.subjects.map(({ name: subject }: { name: string }) => ({
      operations: body.operations
        .filter((operation: { subject: string }) => operation.subject === subject)
        .map(({ name }: { name: string }) => name),
      subject,
    }));
    expect((await owner.create('/roles', named(rules))).rules).toEqual(rules);
  });
});

describe('the example of docs/roles.md', () => {
  it('is a device that sees what it made itself', async () => {
    const text = await readFile('docs/roles.md', 'utf8');
    const [, body] = /-d '(\{\s+"name": "CT scanner"[^']*)'/.exec(text)!;
    const [, more] = /two more:\s+```json\s+([^`]*)```/.exec(text)!;
    const { id, rules } = await owner.create('/roles', JSON.parse(body!) as object);
    const devices: Hospital[] = [];
    for (let n = 0; n < 2; n++) {
      const { id: api_key_id, key } = await powerlessKey(world, tenant.organizationId);
      await owner.bind(id, { api_key_id });
      devices.push(new Hospital(world.baseUrl, key));
    }
    const [device, other] = devices as [Hospital, Hospital];
    const order = await device.newOrder();
    const { uploadId } = await device.issue(`?order_id=${order}`);
    for (const [by, status] of [
      [device, 200],
      [other, 404],
    ] as const)
      for (const path of [`/orders/${order}`, `/uploads/${uploadId}`])
        expect([path, (await by.get(path)).status]).toEqual([path, status]);
    expect((await other.get(`/upload?order_id=${order}`)).status).toBe(404);
    expect((await other.get('/orders')).body.items).toEqual([]);
    expect((await device.get(`/results?order_id=${order}`)).status).toBe(403);
    await owner.change(`/roles/${id}`, { rules: [...rules, ...(JSON.parse(more!) as object[])] }, 1);
    expect((await device.get(`/results?order_id=${order}`)).body).toEqual({ items: [] });
    expect((await other.get(`/results?order_id=${order}`)).status).toBe(404);
  });
});
