import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { operationsOn } from '../../src/platform/authorization/operations.js';
import { SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { AccessRows, type Bearer } from '../support/access-rows.js';
import { Client } from '../support/client.js';
import { Clinic } from '../support/clinic.js';
import { ctInstance } from '../support/dicom-files.js';
import { createExam } from '../support/exam.js';
import { Hospital } from '../support/hospital.js';
import { asSuperuser } from '../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

/**
 * Explaining against enforcement: random roles, bound by random ways to a random principal with a random token, then each
 * route of a few is asked for rows of theirs and of others, and has to answer as was explained.
 */

type Type = 'Exam' | 'Order' | 'Upload' | 'PatientCase' | 'Study';
type Rows = Record<Type, string>;

interface Call {
  operation: string;
  type: Type;
  /** Absent: the route is about no row. */
  send: (by: Client, id: string) => ReturnType<Client['call']>;
  rowless?: true;
}

const CALLS: Call[] = [
  { operation: 'exams:list', type: 'Exam', rowless: true, send: (by) => by.get('/api/v1/exams') },
  { operation: 'exams:create', type: 'Exam', rowless: true, send: (by) => by.post('/api/v1/exams', {}) },
  { operation: 'exams:read', type: 'Exam', send: (by, id) => by.get(`/api/v1/exams/${id}`) },
  { operation: 'exams:share', type: 'Exam', send: (by, id) => by.post(`/api/v1/exams/${id}/share`, {}) },
  { operation: 'orders:list', type: 'Order', rowless: true, send: (by) => by.get('/orders') },
  { operation: 'orders:read', type: 'Order', send: (by, id) => by.get(`/orders/${id}`) },
  {
    operation: 'metadata:write',
    type: 'Order',
    send: (by, id) => by.call('PATCH', `/add-metadata?order_id=${id}`, { StudyDescription: 'CT' }),
  },
  { operation: 'results:list', type: 'Order', send: (by, id) => by.get(`/results?order_id=${id}`) },
  { operation: 'uploads:read', type: 'Upload', send: (by, id) => by.get(`/uploads/${id}`) },
  { operation: 'studies:read', type: 'Study', send: (by, id) => by.get(`/studies/${id}`) },
  { operation: 'cases:read', type: 'PatientCase', send: (by, id) => by.get(`/api/v1/admin/cases/${id}`) },
  {
    operation: 'cases:close',
    type: 'PatientCase',
    send: (by, id) => by.post(`/api/v1/admin/cases/${id}/close`),
  },
];
const TYPES: Type[] = ['Exam', 'Order', 'Upload', 'PatientCase', 'Study'];
const OWNER_COLUMNS: Record<Type, string> = {
  Exam: 'exam SET created_by_id',
  Order: '"order" SET created_by_id',
  Upload: 'upload SET principal_id',
  PatientCase: 'patient_case SET created_by_id',
  Study: 'study SET created_by_id',
};

let world: World;
let tenant: Tenant;
let owner: Hospital;
let own: Rows;
let foreign: Rows;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000' });
  await world.startWorker();
  tenant = await world.newTenant();
  owner = new Hospital(world.baseUrl, tenant.apiKey);
  const clinic = await Clinic.open(world, tenant);
  [own, foreign] = [await makeRows(clinic), await makeRows(clinic)];
}, 60_000);
afterAll(() => world.close());

async function makeRows(clinic: Clinic): Promise<Rows> {
  const { result } = await owner.deliver(ctInstance());
  const orderId = await owner.newOrder();
  return {
    Exam: (await createExam(owner, { 'a.dcm': 1 })).exam_id,
    Order: orderId,
    Upload: (await owner.issue(`?order_id=${orderId}`)).uploadId,
    PatientCase: (await clinic.openCase()).caseId,
    Study: result.study_uid,
  };
}

interface GivenRule {
  type: Type | '*';
  operations: string[];
  conditions: 'none' | 'own' | 'nobody' | 'order';
}

interface GivenBinding {
  rules: GivenRule[];
  to: 'principal' | 'inner' | 'outer';
  limit: { type: 'Exam' | 'Order' | 'PatientCase'; whose: 'own' | 'foreign' } | undefined;
}

const ruleOf = (type: Type | '*'): fc.Arbitrary<GivenRule> => {
  const named = CALLS.filter((call) => type === '*' || call.type === type).map(({ operation }) => operation);
  return fc.record({
    type: fc.constant(type),
    operations: fc.oneof(
      { weight: 3, arbitrary: fc.subarray(named, { minLength: 1 }) },
      { weight: 1, arbitrary: fc.constant<string[]>(['*']) },
    ),
    conditions: fc.constantFrom('none', 'own', 'nobody', 'order'),
  });
};
const binding: fc.Arbitrary<GivenBinding> = fc.record({
  rules: fc.array(fc.constantFrom(...TYPES, '*' as const).chain(ruleOf), { minLength: 1, maxLength: 4 }),
  to: fc.constantFrom('principal', 'inner', 'outer'),
  limit: fc.option(
    fc.record({
      type: fc.constantFrom('Exam', 'Order', 'PatientCase'),
      whose: fc.constantFrom('own', 'foreign'),
    }),
    { nil: undefined },
  ),
});
const scopes = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Scope[]>([...SCOPES]) },
  { weight: 1, arbitrary: fc.subarray<Scope>([...SCOPES], { minLength: 1 }) },
);

function toRule({ type, operations, conditions }: GivenRule): object {
  const column = type === 'Upload' ? 'principalId' : 'createdById';
  const asked = {
    none: undefined,
    own: { [column]: '${principal.id}' },
    nobody: { [column]: tenant.organizationId },
    order: type === 'Upload' ? { order: { createdById: '${principal.id}' } } : undefined,
  }[conditions];
  return { operations, subject: type, ...(type !== '*' && asked && { conditions: asked }) };
}

async function grant(rows: AccessRows, bearer: Bearer, bindings: GivenBinding[]): Promise<void> {
  const [inner, outer] = [await rows.group(), await rows.group()];
  if (bearer.kind === 'user') await rows.member(inner, bearer);
  await rows.member(outer, { kind: 'group', id: inner });
  for (const { rules, to, limit } of bindings) {
    const groupId = { principal: undefined, inner, outer }[to];
    const holder = groupId ? ({ kind: 'group', id: groupId } as const) : bearer;
    const id = limit && (limit.whose === 'own' ? own : foreign)[limit.type];
    await rows.bind(await rows.role(...rules.map(toRule)), holder, limit && { type: limit.type, id: id! });
  }
}

/** What the caller is told, in the words of an explanation. */
const REASONS: Record<string, string[]> = {
  insufficient_scope: ['scope_missing'],
  forbidden: ['no_rule', 'limited_to_another_resource'],
  not_found: ['conditions_not_met', 'limited_to_another_resource'],
};

describe('an explanation', () => {
  it('is what happens when the route is called, whatever the roles, the bindings and the token', async () => {
    const rows = new AccessRows(world, tenant.organizationId);
    const seen: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('client' as const, 'api_key' as const, 'user' as const),
        fc.array(binding, { maxLength: 3 }),
        scopes,
        async (kind, bindings, held: Scope[]) => {
          const bearer = await rows.bearer(kind, held);
          // Who made a row is written once: no trigger keeps a superuser from it.
          await asSuperuser(world.admin, async (client) => {
            for (const type of TYPES)
              await client.query(
                `UPDATE ${OWNER_COLUMNS[type]} = $1 WHERE ${type === 'Study' ? 'study_instance_uid' : 'id::text'} = $2`,
                [bearer.id, own[type]],
              );
          });
          await grant(rows, bearer, bindings);
          const by = new Client(world.baseUrl, bearer.token);
          for (const call of CALLS)
            for (const id of call.rowless ? [''] : [own[call.type], foreign[call.type]]) {
              const { body: told } = await owner.post('/api/v1/admin/access/explain', {
                principal: { kind, id: bearer.id },
                operation: call.operation,
                resource: { type: call.type, ...(id && { id }) },
                scopes: held,
              });
              const { status, text } = await call.send(by, id);
              const code = Object.keys(REASONS).find((each) => text.includes(`"${each}"`));
              const refused = status === 403 || status === 404;
              const context = { call: call.operation, id, status, text: text.slice(0, 200), told };
              expect({ ...context, allowed: told.allowed }).toEqual({ ...context, allowed: !refused });
              if (refused)
                expect({ ...context, one: REASONS[code!] }).toMatchObject({
                  one: expect.arrayContaining([told.reason]),
                });
              else
                expect([[call.operation], ['*']].some(([name]) => told.rule.operations.includes(name))).toBe(
                  true,
                );
              seen[told.reason] = (seen[told.reason] ?? 0) + 1;
            }
        },
      ),
      { numRuns: 40, endOnFailure: true },
    );
    // It was about something: each of these answers was given, and not just once.
    for (const reason of ['allowed', ...new Set(Object.values(REASONS).flat())])
      expect({ reason, often: (seen[reason] ?? 0) > 2 }).toEqual({ reason, often: true });
  }, 300_000);

  it('was asked of operations that exist, each on its subject', () => {
    for (const { operation, type } of CALLS)
      expect(operationsOn(type).map(({ name }) => name)).toContain(operation);
  });
});
