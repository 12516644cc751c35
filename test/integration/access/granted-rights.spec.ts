import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { newId } from '../../../src/platform/database/id.js';
import { Admin, ADMIN } from '../../support/admin.js';
import { Clinic } from '../../support/clinic.js';
import { createExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { powerlessKey } from '../../support/planted-staff.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(180_000);

const RUNS = 30;

interface Rule {
  operations: string[];
  subject: string;
  conditions?: object;
}
type Limit = { type: string; id: string };
interface Bound {
  rule: Rule;
  limit: Limit | undefined;
}

interface Given {
  held: Bound[];
  other: Bound;
  pick: number;
  asked: { how: string; by: string };
}

let world: World;
let tenant: Tenant;
let owner: Admin;
/** Two rows of each kind; what limits name. */
let rows: Record<'Exam' | 'Order' | 'PatientCase', string[]>;
let ownerId: string;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '1000000' });
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
  const hospital = new Hospital(world.baseUrl, tenant.apiKey);
  const clinic = await Clinic.open(world, tenant);
  const twice = async (make: () => Promise<string>) => [await make(), await make()];
  rows = {
    Exam: await twice(async () => (await createExam(owner, { 'a.dcm': 1 })).exam_id),
    Order: await twice(() => hospital.newOrder()),
    PatientCase: await twice(async () => (await clinic.openCase()).caseId),
  };
  const { rows: made } = await world.admin.query<{ id: string }>(
    'SELECT created_by_id AS id FROM "order" WHERE id = $1',
    [rows.Order[0]],
  );
  ownerId = made[0]!.id;
});
afterAll(() => world.close());

const OPERATIONS = {
  Exam: ['exams:list', 'exams:read', 'exams:share'],
  Order: ['orders:list', 'orders:read', 'results:list'],
  PatientCase: ['cases:list', 'cases:read', 'attachments:list'],
};
type Kind = keyof typeof OPERATIONS;
const KINDS = Object.keys(OPERATIONS) as Kind[];

const rule = (): fc.Arbitrary<Rule> =>
  fc.constantFrom(...KINDS).chain((kind) => {
    const own = OPERATIONS[kind].filter((name) => name !== 'attachments:list');
    return fc.oneof(
      { weight: 1, arbitrary: fc.constant<Rule>({ operations: ['*'], subject: '*' }) },
      { weight: 2, arbitrary: fc.constant<Rule>({ operations: ['*'], subject: kind }) },
      {
        weight: 6,
        arbitrary: fc
          .record(
            {
              operations: fc.uniqueArray(fc.constantFrom(...own), { minLength: 1 }),
              subject: fc.constant(kind as string),
              conditions: fc
                .constantFrom('${principal.id}', ownerId, newId())
                .map((createdById) => ({ createdById })),
            },
            { requiredKeys: ['operations', 'subject'] },
          )
          .map((given) => given as Rule),
      },
      {
        weight: 1,
        arbitrary: fc.constant<Rule>({ operations: ['attachments:list', ...own], subject: '*' }),
      },
    );
  });

const limit = (): fc.Arbitrary<Limit | undefined> =>
  fc.option(
    fc
      .constantFrom(...KINDS)
      .chain((type) => fc.constantFrom(...rows[type]).map((id): Limit => ({ type, id }))),
    { nil: undefined },
  );

const bound = (): fc.Arbitrary<Bound> => fc.record({ rule: rule(), limit: limit() });

/** What somebody may do at all, by asking for it. */
async function rightsBy(key: string): Promise<Set<string>> {
  const by = new Admin(world.baseUrl, key);
  const rights = new Set<string>();
  const lists = { Exam: '/api/v1/exams', Order: '/orders', PatientCase: `${ADMIN}/cases` };
  for (const kind of KINDS) {
    const { status, body } = await by.get(`${lists[kind]}?limit=100`);
    if (status === 200)
      for (const item of body.items) rights.add(`list ${kind} ${item.exam_id ?? item.order_id ?? item.id}`);
    for (const id of rows[kind]) {
      const path = `${lists[kind]}/${id}`;
      const note = (what: string, answer: { status: number }) => {
        expect([200, 403, 404, 409]).toContain(answer.status); // an exam without its files is not shared
        if (answer.status === 200 || answer.status === 409) rights.add(`${what} ${kind} ${id}`);
      };
      note('read', await by.get(path));
      if (kind === 'Exam') note('share', await by.post(`${path}/share`, {}));
      if (kind === 'Order') note('results', await by.get(`/results?order_id=${id}`));
      if (kind === 'PatientCase') note('attachments', await by.get(`${path}/attachments`));
    }
  }
  return rights;
}

it('whoever is granted something never may do what who granted it may not', async () => {
  const seen = { granted: 0, refused: 0, rights: 0 };
  const given = (asked: fc.Arbitrary<{ how: string; by: string }>) =>
    fc.record({
      held: fc.array(bound(), { minLength: 1, maxLength: 3 }),
      other: bound(),
      pick: fc.nat(2),
      asked,
    });
  /** Half of what is asked for is held, wholly or but for its limit; most of it in a way that takes more than is held. */
  const anything = fc.record({
    how: fc.constantFrom('held', 'held without its limit', 'other', 'other'),
    by: fc.constantFrom('a binding', 'a role of its own', 'an edit'),
  });
  const held = fc.constant({ how: 'held', by: 'a binding' });
  const check = (asked: typeof anything, numRuns: number) =>
    fc.assert(fc.asyncProperty(given(asked), granting), { numRuns });
  const granting = async ({ held, other, pick, asked: { how, by: way } }: Given): Promise<void> => {
    const [giver, taker] = [
      await powerlessKey(world, tenant.organizationId),
      await powerlessKey(world, tenant.organizationId),
    ];
    const manages = ['Role', 'RoleBinding'].map((subject) => ({ operations: ['*'], subject }));
    await owner.bind(await owner.role(...manages), { api_key_id: giver.id });
    for (const each of held)
      await owner.bind(await owner.role(each.rule), { api_key_id: giver.id }, each.limit);
    const like = how.startsWith('held') ? held[pick % held.length]! : other;
    const granted = { rule: like.rule, limit: how === 'held without its limit' ? undefined : like.limit };
    const status = await grant(new Admin(world.baseUrl, giver.key), taker.id, granted, way);
    expect([200, 201, 403]).toContain(status);
    seen[status === 403 ? 'refused' : 'granted']++;
    const [may, mayNow] = await Promise.all([rightsBy(giver.key), rightsBy(taker.key)]);
    seen.rights += mayNow.size;
    expect([...mayNow].filter((right) => !may.has(right))).toEqual([]);
    if (status === 403) expect(mayNow.size).toBe(0);
  };
  await check(held, RUNS / 3);
  await check(anything, RUNS - RUNS / 3);
  // None of which would be worth much without the others.
  expect(seen.granted).toBeGreaterThan(RUNS / 10);
  expect(seen.refused).toBeGreaterThan(RUNS / 10);
  expect(seen.rights).toBeGreaterThan(RUNS / 10);
});

/** The answer's status. */
async function grant(by: Admin, takerId: string, { rule, limit }: Bound, way: string): Promise<number> {
  const to = { api_key_id: takerId, ...(limit && { resource: limit }) };
  if (way === 'an edit') {
    const id = await owner.role();
    await owner.bind(id, { api_key_id: takerId }, limit);
    return (await by.change(`/roles/${id}`, { rules: [rule] })).status;
  }
  if (way === 'a binding')
    return (await by.post(`${ADMIN}/bindings`, { role_id: await owner.role(rule), ...to })).status;
  const made = await by.post(`${ADMIN}/roles`, { name: `Role ${newId()}`, rules: [rule] });
  if (made.status !== 201) return made.status;
  return (await by.post(`${ADMIN}/bindings`, { role_id: made.body.id, ...to })).status;
}
