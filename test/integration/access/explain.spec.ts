import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ExplainService } from '../../../src/modules/access/explain.service.js';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import type { Caller } from '../../../src/platform/authorization/principal.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { AccessRows, type Bearer } from '../../support/access-rows.js';
import { type Answer, Client } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { ctInstance } from '../../support/dicom-files.js';
import { createExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const EXPLAIN = '/api/v1/admin/access/explain';

let world: World;
let tenant: Tenant;
let rows: AccessRows;
let owner: Hospital;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
  tenant = await world.newTenant();
  rows = new AccessRows(world, tenant.organizationId);
  owner = new Hospital(world.baseUrl, tenant.apiKey);
}, 60_000);
afterAll(() => world.close());

type Who = Pick<Bearer, 'kind' | 'id'>;

const ask = (
  { kind, id }: Who,
  operation: string,
  resource?: { type: string; id?: string },
  scopes?: string[],
): Promise<Answer> =>
  owner.post(EXPLAIN, {
    principal: { kind, id },
    operation,
    ...(resource && { resource }),
    ...(scopes && { scopes }),
  });

async function explained(...asked: Parameters<typeof ask>): Promise<any> {
  const { status, body, text } = await ask(...asked);
  if (status !== 200) throw new Error(`${status} ${text}`);
  return body;
}

/** Somebody with one role of these rules. */
async function bearerWith(
  kind: Bearer['kind'],
  ...rules: object[]
): Promise<Bearer & { roleId: string; bindingId: string }> {
  const bearer = await rows.bearer(kind);
  const roleId = await rows.role(...rules);
  return { ...bearer, roleId, bindingId: await rows.bind(roleId, bearer) };
}

async function examOf(bearer: Bearer): Promise<string> {
  const { exam_id } = await createExam(owner, { 'a.dcm': 1 });
  await world.admin.query('UPDATE exam SET created_by_id = $1 WHERE id = $2', [bearer.id, exam_id]);
  return exam_id;
}

const own = { createdById: '${principal.id}' };
const readOwnExams = { operations: ['exams:read'], subject: 'Exam', conditions: own };

describe('what is allowed', () => {
  it('is told with the rule, the role and the binding that allow it, and the scopes', async () => {
    const reader = await rows.bearer('client');
    const bindingId = await rows.bind(await rows.builtIn('reader'), reader);
    const { rule, ...rest } = await explained(reader, 'exams:read', undefined, ['exams:read']);
    expect(rule).toEqual({ operations: ['exams:list', 'exams:read'], subject: 'Exam' });
    expect(rest).toEqual({
      allowed: true,
      reason: 'allowed',
      message: 'The role reader allows exams:read.',
      role: { id: await rows.builtIn('reader'), name: 'reader', built_in: true },
      binding: { id: bindingId, group_ids: [] },
      scopes: { needed: 'exams:read', held: ['exams:read'] },
    });
  });

  it('is told with the values of conditions: what was asked, filled in, and what the row has', async () => {
    const bearer = await bearerWith('api_key', readOwnExams);
    const id = await examOf(bearer);
    expect(await explained(bearer, 'exams:read', { type: 'Exam', id })).toMatchObject({
      allowed: true,
      rule: readOwnExams,
      conditions: [{ column: 'createdById', expected: bearer.id, actual: bearer.id, matches: true }],
    });
    expect(await explained(bearer, 'exams:read', { type: 'Exam' })).toMatchObject({
      allowed: true,
      message: expect.stringMatching(/on rows that meet its conditions\.$/),
      conditions: [{ column: 'createdById', expected: bearer.id }],
    });
  });

  it('names the groups it came by, outwards', async () => {
    const user = await rows.bearer('user');
    const [inner, middle, outer, detour] = [
      await rows.group(),
      await rows.group(),
      await rows.group(),
      await rows.group(),
    ];
    await rows.member(inner, user);
    for (const [group, member] of [
      [middle, inner],
      [outer, middle],
      [detour, middle],
      [outer, detour],
    ] as const)
      await rows.member(group, { kind: 'group', id: member });
    const bindingId = await rows.bind(await rows.role({ operations: ['*'], subject: 'Order' }), {
      kind: 'group',
      id: outer,
    });
    expect((await explained(user, 'orders:read')).binding).toEqual({
      id: bindingId,
      group_ids: [inner, middle, outer],
    });
  });

  it('of several rules is told by one that allows this row', async () => {
    const bearer = await bearerWith('client', readOwnExams);
    const theirs = (await createExam(owner, { 'a.dcm': 1 })).exam_id;
    const limited = await rows.bind(
      await rows.role({ operations: ['exams:read'], subject: 'Exam' }),
      bearer,
      {
        type: 'Exam',
        id: theirs,
      },
    );
    const { allowed, binding } = await explained(bearer, 'exams:read', { type: 'Exam', id: theirs });
    expect({ allowed, binding }).toEqual({
      allowed: true,
      binding: { id: limited, group_ids: [], resource: { type: 'Exam', id: theirs } },
    });
    const mine = await examOf(bearer);
    expect((await explained(bearer, 'exams:read', { type: 'Exam', id: mine })).binding.id).toBe(
      bearer.bindingId,
    );
  });

  it('to a patient is so by the role of patients, which nothing binds', async () => {
    const clinic = await Clinic.open(world, tenant);
    const { patient, caseId } = await clinic.admit();
    const [shown, hidden] = [
      await clinic.attach(caseId, Buffer.from('shown')),
      await clinic.attach(caseId, Buffer.from('hidden'), { is_restricted: true }),
    ];
    const who = { kind: 'user' as const, id: patient.id };
    const answer = await explained(who, 'files:read', { type: 'PatientFile', id: shown });
    expect(answer).toMatchObject({ allowed: true, role: { name: 'patient', built_in: true } });
    expect(answer.binding).toBeUndefined();
    expect(answer.scopes).toEqual({ needed: 'files:read', held: ['files:read', 'files:write'] });
    expect(await explained(who, 'files:read', { type: 'PatientFile', id: hidden })).toMatchObject({
      allowed: false,
      reason: 'conditions_not_met',
      conditions: [
        { column: 'patientId', expected: patient.id, actual: patient.id, matches: true },
        { column: 'isRestricted', expected: false, actual: true, matches: false },
      ],
    });
    expect(await explained(who, 'cases:read', { type: 'PatientCase', id: caseId })).toMatchObject({
      reason: 'scope_missing',
    });
  });

  it('of a study is asked by its UID', async () => {
    const { result } = await owner.deliver(ctInstance());
    const bearer = await bearerWith('client', { operations: ['studies:read'], subject: 'Study' });
    const asked = (id: string) => explained(bearer, 'studies:read', { type: 'Study', id });
    expect(await asked(result.study_uid)).toMatchObject({ allowed: true });
    expect(await asked('2.25.404')).toMatchObject({ allowed: false, reason: 'resource_unknown' });
  });
});

describe('what is not allowed', () => {
  it('for want of the scope, the principal’s or the token’s', async () => {
    const bearer = await rows.bearer('api_key', ['orders:read']);
    await rows.bind(await rows.builtIn('owner'), bearer);
    expect(await explained(bearer, 'exams:read')).toMatchObject({
      allowed: false,
      reason: 'scope_missing',
      scopes: { needed: 'exams:read', held: ['orders:read'] },
    });
    expect(await explained(bearer, 'orders:read', undefined, ['exams:read'])).toMatchObject({
      reason: 'scope_missing',
      scopes: { needed: 'orders:read', held: [] },
    });
    expect(await explained(bearer, 'account:read')).toMatchObject({
      allowed: true,
      scopes: { needed: null },
    });
  });

  it('for want of a rule', async () => {
    const bearer = await bearerWith('client', readOwnExams);
    const { rule, role, binding, ...rest } = await explained(bearer, 'exams:delete');
    expect({ rule, role, binding, ...rest }).toMatchObject({ allowed: false, reason: 'no_rule' });
    expect([rule, role, binding]).toEqual([undefined, undefined, undefined]);
  });

  it('for a row that misses the conditions: told of the rule that came nearest', async () => {
    const bearer = await rows.bearer('user');
    const far = {
      operations: ['uploads:read'],
      subject: 'Upload',
      conditions: { principalId: newId(), order: own },
    };
    const near = { operations: ['uploads:read'], subject: 'Upload', conditions: { order: own } };
    await rows.bind(await rows.role(far), bearer);
    const bindingId = await rows.bind(await rows.role(near), bearer);
    const orderId = await owner.newOrder();
    const { uploadId } = await owner.issue(`?order_id=${orderId}`);
    const { rows: orders } = await world.admin.query('SELECT created_by_id FROM "order" WHERE id = $1', [
      orderId,
    ]);
    expect(await explained(bearer, 'uploads:read', { type: 'Upload', id: uploadId })).toMatchObject({
      allowed: false,
      reason: 'conditions_not_met',
      rule: near,
      binding: { id: bindingId },
      conditions: [
        { column: 'order.createdById', expected: bearer.id, actual: orders[0].created_by_id, matches: false },
      ],
    });
  });

  it('for a binding that is limited to another resource, or to one that cannot hold the row', async () => {
    const bearer = await rows.bearer('client');
    const [mine, other] = [await owner.newOrder(), await owner.newOrder()];
    const limit = { type: 'Order', id: mine };
    const bindingId = await rows.bind(await rows.builtIn('coordinator'), bearer, limit);
    const asked = (operation: string, type: string, id?: string) =>
      explained(bearer, operation, { type, ...(id && { id }) });
    expect(await asked('orders:read', 'Order', mine)).toMatchObject({ allowed: true });
    const refusal = {
      allowed: false,
      reason: 'limited_to_another_resource',
      binding: { id: bindingId, resource: limit },
    };
    expect(await asked('orders:read', 'Order', other)).toMatchObject(refusal);
    expect(await asked('orders:create', 'Order')).toMatchObject(refusal);
    expect(await asked('exams:read', 'Exam')).toMatchObject(refusal);
  });

  it('for a row that is not there, any more, or in this organization', async () => {
    const bearer = await bearerWith('client', { operations: ['*'], subject: '*' });
    const other = await world.newTenant();
    const elsewhere = (await createExam(new Client(world.baseUrl, other.apiKey), { a: 1 })).exam_id;
    const deleted = (await createExam(owner, { a: 1 })).exam_id;
    await owner.delete(`/api/v1/exams/${deleted}`);
    const [unknown, ...answers] = await Promise.all(
      [newId(), elsewhere, deleted].map((id) => explained(bearer, 'exams:read', { type: 'Exam', id })),
    );
    expect(unknown).toMatchObject({ allowed: false, reason: 'resource_unknown' });
    for (const answer of answers) expect(answer).toEqual(unknown);
  });

  it('for an operation of the platform, or one of portals', async () => {
    const bearer = await bearerWith('client', { operations: ['*'], subject: '*' });
    expect(await explained(bearer, 'organizations:purge')).toMatchObject({ reason: 'platform_only' });
    expect(await explained(bearer, 'files:list')).toMatchObject({ reason: 'portal_only' });
    const user = await bearerWith('user', { operations: ['*'], subject: '*' });
    expect(await explained(user, 'files:list')).toMatchObject({ reason: 'portal_only' });
  });

  it('for a right that is decided before there is a row, by a rule with conditions', async () => {
    const rule = {
      operations: ['uploads:replace'],
      subject: 'Upload',
      conditions: { principalId: '${principal.id}' },
    };
    expect(await explained(await bearerWith('client', rule), 'uploads:replace')).toMatchObject({
      reason: 'conditions_not_met',
    });
  });

  it.each([
    ['client', 'UPDATE oauth_client SET disabled_at = now() WHERE id = $1'],
    ['api_key', 'UPDATE api_key SET revoked_at = now() WHERE id = $1'],
    ['user', 'UPDATE "user" SET disabled_at = now() WHERE id = $1'],
  ] as const)('to a %s that is disabled', async (kind, sql) => {
    const bearer = await bearerWith(kind, readOwnExams);
    await world.admin.query(sql, [bearer.id]);
    expect(await explained(bearer, 'exams:read')).toMatchObject({
      allowed: false,
      reason: 'principal_disabled',
    });
    const { body } = await owner.get(`/api/v1/admin/access/rights?kind=${kind}&id=${bearer.id}`);
    expect(body).toMatchObject({ excluded: 'principal_disabled', bindings: [{ id: bearer.bindingId }] });
  });

  it('to anybody of an organization that is disabled', async () => {
    const { organizationId } = await world.newTenant();
    const bearer = await new AccessRows(world, organizationId).bearer('client');
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [organizationId]);
    // By whoever was let in a moment before.
    const caller = { principal: { organizationId }, request: {} } as unknown as Caller;
    const { kind, id } = bearer;
    const answer = await world.api.app
      .get(ExplainService, { strict: false })
      .explain(caller, { principal: { kind, id }, operation: 'exams:read' });
    expect(answer).toMatchObject({ allowed: false, reason: 'organization_disabled' });
  });
});

describe('what can be asked', () => {
  it.each<[string, object, string]>([
    ['an operation there is not', { operation: 'exams:invent' }, 'operation: is not an operation'],
    [
      'one that is open',
      { operation: 'tokens:issue' },
      'operation: is open to everybody: no right decides it',
    ],
    [
      'one of the system',
      { operation: 'system:documentation' },
      'operation: is open to everybody: no right decides it',
    ],
    [
      'another type than the operation is about',
      { resource: { type: 'Order', id: newId() } },
      'resource.type: must be Exam, which exams:read is about',
    ],
    [
      'a row of what makes one',
      { operation: 'exams:create', resource: { type: 'Exam', id: newId() } },
      'resource.id: is not asked of exams:create, which makes a new one',
    ],
    [
      'a row of what has none',
      { operation: 'access:explain', resource: { type: 'Access', id: newId() } },
      'resource.id: is not asked of Access, which has no rows',
    ],
    [
      'a row of what is decided before',
      { operation: 'uploads:replace', resource: { type: 'Upload', id: newId() } },
      'resource.id: is not asked of uploads:replace, which is decided before there is one',
    ],
    [
      'an organization of the platform’s operations',
      { operation: 'organizations:disable', resource: { type: 'Organization', id: newId() } },
      'resource.id: is not asked of organizations:disable, which is about any organization',
    ],
    ['what is no id', { resource: { type: 'Exam', id: '1' } }, 'resource.id: cannot be the id of a row'],
  ])('is not: %s', async (_, given, message) => {
    const { status, body } = await owner.post(EXPLAIN, {
      principal: { kind: 'client', id: newId() },
      operation: 'exams:read',
      ...given,
    });
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: message });
  });

  it.each([
    [{ principal: { kind: 'group', id: newId() } }],
    [{ scopes: ['exams:invent'] }],
    [{ surprise: 1 }],
  ])('nor is %j', async (given) => {
    const body = { principal: { kind: 'client', id: newId() }, operation: 'exams:read', ...given };
    expect((await owner.post(EXPLAIN, body)).status).toBe(400);
  });

  it('is of principals of the caller’s organization: others are unknown, whatever they are', async () => {
    const other = await world.newTenant();
    const there = new AccessRows(world, other.organizationId);
    const group = await there.group();
    const portal = await Clinic.open(world, tenant);
    const { rows: keys } = await world.admin.query<{ id: string }>(
      `SELECT id FROM api_key WHERE organization_id = $1 AND purpose = 'portal'`,
      [portal.tenant.organizationId],
    );
    const strangers: { kind: string; id: string }[] = [
      ...(await Promise.all((['client', 'api_key', 'user'] as const).map((kind) => there.bearer(kind)))),
      { kind: 'group', id: group },
      { kind: 'api_key', id: keys[0]!.id },
      { kind: 'user', id: newId() },
    ];
    const said = ({ status, body }: Answer) => ({ status, ...body, requestId: undefined });
    const unknown = said(await owner.get(`/api/v1/admin/access/rights?kind=client&id=${newId()}`));
    expect(unknown.status).toBe(404);
    for (const { kind, id } of strangers) {
      expect(said(await owner.get(`/api/v1/admin/access/rights?kind=${kind}&id=${id}`))).toEqual(unknown);
      if (kind !== 'group') expect(said(await ask({ kind, id } as Who, 'exams:read'))).toEqual(unknown);
    }
  });

  it('needs the scope, and a role that allows it', async () => {
    const bearer = await rows.bearer('client');
    const client = new Client(world.baseUrl, bearer.token);
    const body = { principal: { kind: 'client', id: bearer.id }, operation: 'exams:read' };
    expect((await client.post(EXPLAIN, body)).body.code).toBe('forbidden');
    await rows.bind(await rows.builtIn('auditor'), bearer);
    rows.forget();
    expect((await client.post(EXPLAIN, body)).status).toBe(200);
    const scoped = await rows.bearer(
      'client',
      SCOPES.filter((scope) => scope !== 'access:manage'),
    );
    await rows.bind(await rows.builtIn('auditor'), scoped);
    expect((await new Client(world.baseUrl, scoped.token).post(EXPLAIN, body)).body.code).toBe(
      'insufficient_scope',
    );
  });
});

describe('what is told of a row', () => {
  it('is never a column that roles may not ask of, whatever a role asks', async () => {
    const conditions = { patientName: 'Juan Pérez', createdById: '${principal.id}' };
    const bearer = await bearerWith('client', { operations: ['exams:read'], subject: 'Exam', conditions });
    const { exam_id: id } = await createExam(owner, { a: 1 });
    const answer = await explained(bearer, 'exams:read', { type: 'Exam', id });
    const told = Object.fromEntries(answer.conditions.map((each: { column: string }) => [each.column, each]));
    expect(told.patientName).toEqual({ column: 'patientName', expected: 'Juan Pérez' });
    expect(Object.keys(told.createdById).sort()).toEqual(['actual', 'column', 'expected', 'matches']);
  });
});

describe('effective rights', () => {
  const rightsOf = async (kind: string, id: string): Promise<any> =>
    (await owner.get(`/api/v1/admin/access/rights?kind=${kind}&id=${id}`)).body;
  const operationsIn = (binding: { rights: { operations: string[] }[] }): string[] =>
    binding.rights.flatMap(({ operations }) => operations);

  it('say each operation by its name, and none that is not in effect', async () => {
    const bearer = await rows.bearer('client', ['exams:read']);
    await rows.bind(await rows.builtIn('owner'), bearer);
    const { bindings, ...rest } = await rightsOf('client', bearer.id);
    expect(rest).toEqual({ kind: 'client', id: bearer.id, excluded: null, scopes: [...SCOPES] });
    expect(bindings).toHaveLength(1);
    const operations = operationsIn(bindings[0]);
    expect(operations).toEqual(expect.arrayContaining(['exams:read', 'roles:create']));
    for (const never of ['*', 'organizations:purge', 'organizations:create'])
      expect(operations).not.toContain(never);
    expect(bindings[0].rights.find(({ subject }: { subject: string }) => subject === 'Study')).toEqual({
      subject: 'Study',
      operations: ['studies:list', 'studies:read'],
    });
  });

  it('are grouped by binding, oldest first, with limits, conditions and the way of groups', async () => {
    const user = await rows.bearer('user');
    const [inner, outer] = [await rows.group(), await rows.group()];
    await rows.member(inner, user);
    await rows.member(outer, { kind: 'group', id: inner });
    const orderId = await owner.newOrder();
    const roleId = await rows.role({ operations: ['*'], subject: 'Order', conditions: own }, readOwnExams);
    const limit = { type: 'Order', id: orderId };
    const first = await rows.bind(roleId, user);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const second = await rows.bind(roleId, { kind: 'group', id: outer }, limit);
    const { bindings, scopes } = await rightsOf('user', user.id);
    expect(scopes).toEqual([...SCOPES]);
    expect(bindings.map(({ id, group_ids, resource }: any) => ({ id, group_ids, resource }))).toEqual([
      { id: first, group_ids: [], resource: undefined },
      { id: second, group_ids: [inner, outer], resource: limit },
    ]);
    expect(bindings[0].rights.at(-1)).toEqual({
      subject: 'Exam',
      operations: ['exams:read'],
      conditions: own,
    });
    expect(operationsIn(bindings[0])).toContain('orders:create');
    expect(operationsIn(bindings[1])).toContain('orders:read');
    expect(operationsIn(bindings[1])).not.toContain('orders:create'); // a new one is not that one
    expect(operationsIn(bindings[1])).not.toContain('exams:read'); // an exam is in no order
    const ofGroup = await rightsOf('group', inner);
    expect(ofGroup).toMatchObject({ scopes: [], bindings: [{ id: second, group_ids: [inner, outer] }] });
  });

  it('of a patient are those of the role of patients', async () => {
    const clinic = await Clinic.open(world, tenant);
    const { patientId } = await clinic.openCase();
    expect(await rightsOf('user', patientId)).toMatchObject({
      scopes: ['files:read', 'files:write'],
      bindings: [{ id: null, role: { name: 'patient' }, group_ids: [] }],
    });
  });

  it('of the platform’s owner are across organizations', async () => {
    await world.admin.query(
      `INSERT INTO organization (id, name, created_at) VALUES ($1, 'Platform', now()) ON CONFLICT DO NOTHING`,
      [PLATFORM_ORGANIZATION],
    );
    const platform = new AccessRows(world, PLATFORM_ORGANIZATION);
    const user = { kind: 'user' as const, id: await platform.staff() };
    await platform.bind(await platform.role({ operations: ['*'], subject: '*' }), user);
    const caller = { principal: { organizationId: PLATFORM_ORGANIZATION }, request: {} } as unknown as Caller;
    const service = world.api.app.get(ExplainService, { strict: false });
    expect(operationsIn((await service.rights(caller, user)).bindings[0]!)).toContain('organizations:purge');
    expect(
      await service.explain(caller, { principal: user, operation: 'organizations:purge' }),
    ).toMatchObject({
      allowed: true,
    });
  });
});
