import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { newId } from '../../../src/platform/database/id.js';
import { Admin, ADMIN } from '../../support/admin.js';
import { atOnce } from '../../support/at-once.js';
import { eventually } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { ctInstance } from '../../support/dicom-files.js';
import { createExam, uploadExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { Inspector } from '../../support/inspector.js';
import { powerlessKey } from '../../support/planted-staff.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let world: World;
let tenant: Tenant;
let owner: Admin;
let hospital: Hospital;
let clinic: Clinic;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000' });
  await world.startWorker();
  tenant = await world.newTenant();
  owner = new Admin(world.baseUrl, tenant.apiKey);
  hospital = new Hospital(world.baseUrl, tenant.apiKey);
  clinic = await Clinic.open(world, tenant);
});
afterAll(() => world.close());

type Limit = { type: string; id: string };

/** A key with these roles, by name of a built-in one or by rules, each with its limit. */
async function keyWith(...bindings: [string | object[], Limit?][]): Promise<string> {
  const { id: api_key_id, key } = await powerlessKey(world, tenant.organizationId);
  for (const [role, limit] of bindings) {
    const id = typeof role === 'string' ? await owner.builtIn(role) : await owner.role(...role);
    await owner.bind(id, { api_key_id }, limit);
  }
  return key;
}

const idsOf = ({ body }: { body: any }): string[] =>
  body.items.map((item: any) => item.id ?? item.order_id ?? item.exam_id ?? item.study_uid ?? item.result_id);

/** What everything there is comes down to under each limit. */
const ALLOWED: Record<string, string[]> = {
  PatientCase: [
    'attachments:create',
    'attachments:list',
    'case-files:classify',
    'case-files:download',
    'case-files:read',
    'cases:close',
    'cases:list',
    'cases:read',
    'documents:list',
  ],
  Order: [
    'metadata:write',
    'orders:close',
    'orders:list',
    'orders:read',
    'results:acknowledge',
    'results:deliver',
    'results:list',
    'results:read',
    'studies:list',
    'studies:read',
    'uploads:complete',
    'uploads:download',
    'uploads:read',
  ],
  Exam: [
    'exams:confirm',
    'exams:delete',
    'exams:issue-urls',
    'exams:list',
    'exams:read',
    'exams:share',
    'uploads:complete',
    'uploads:download',
    'uploads:read',
  ],
};

async function resourceOf(type: string): Promise<string> {
  if (type === 'PatientCase') return (await clinic.openCase()).caseId;
  return type === 'Order' ? hospital.newOrder() : (await createExam(owner, { 'a.dcm': 1 })).exam_id;
}

describe.each(Object.keys(ALLOWED))('the role owner, limited to one %s', (type) => {
  it('allows what is done to such a one, and no other operation', async () => {
    const by = new Admin(world.baseUrl, await keyWith(['owner', { type, id: await resourceOf(type) }]));
    const routes = world.api.routes.filter((route) => !route.public && !route.portal);
    expect(routes.length).toBeGreaterThanOrEqual(48);
    const allowed = new Set<string>();
    await atOnce(routes, async ({ method, path, operation }) => {
      const body = ['POST', 'PATCH'].includes(method) ? {} : undefined;
      const asked = path.replace(':id', newId()).replace(':uid', newUid());
      const answer = await by.call(method, asked, body, { 'if-match': '*' });
      if (answer.status === 403)
        expect([path, answer.body?.code ?? answer.body.error]).not.toContain('insufficient_scope');
      else allowed.add(operation.name);
    });
    expect([...allowed].sort()).toEqual(ALLOWED[type]);
  });

  it('is the owner of nothing: it does not keep the organization an owner', async () => {
    const fresh = await world.newTenant();
    const admin = new Admin(world.baseUrl, fresh.apiKey);
    const { id: api_key_id } = await powerlessKey(world, fresh.organizationId);
    const { exam_id } = await createExam(admin, { 'a.dcm': 1 });
    const role = await admin.builtIn('owner');
    await admin.bind(role, { api_key_id }, { type: 'Exam', id: exam_id });
    const { items } = (await admin.get(`${ADMIN}/bindings?role_id=${role}`)).body;
    const whole = items.filter(({ resource }: { resource: unknown }) => resource === null);
    const other = whole.find(({ client_id }: { client_id?: string }) => client_id !== undefined);
    const own = whole.find((each: { api_key_id?: string }) => each.api_key_id !== undefined);
    expect((await admin.delete(`${ADMIN}/bindings/${other.id}`)).status).toBe(204);
    const last = await admin.delete(`${ADMIN}/bindings/${own.id}`);
    expect([last.status, last.body.code]).toEqual([409, 'last_owner']);
  });
});

describe('a coordinator of one case', () => {
  let key: string;
  let by: Inspector;
  let own: { caseId: string; patientId: string };
  let other: { caseId: string; patientId: string };
  let ownFile: string;
  let otherFile: string;

  beforeAll(async () => {
    [own, other] = [await clinic.openCase(), await clinic.openCase()];
    ownFile = await clinic.attach(own.caseId, Buffer.from(newId()));
    otherFile = await clinic.attach(other.caseId, Buffer.from(newId()));
    const patient = await clinic.signIn(other.patientId);
    await patient.deliver('a document');
    const files = {
      operations: ['*'],
      subject: 'InspectFile',
      conditions: { createdById: '${principal.id}' },
    };
    key = await keyWith(['coordinator', { type: 'PatientCase', id: own.caseId }], [[files]]);
    by = new Inspector(world.baseUrl, key);
  });

  const cases = `${ADMIN}/cases`;
  /** Of a time that is ahead of every row, however long ago this file was read. */
  const future = Buffer.from(JSON.stringify([new Date(Date.now() + 24 * 3_600_000).toISOString(), newId()]));

  it('reads it, its attachments and their bytes', async () => {
    expect((await by.get(`${cases}/${own.caseId}`)).body.patient).toMatchObject({ id: own.patientId });
    expect(idsOf(await by.get(`${cases}/${own.caseId}/attachments`))).toEqual([ownFile]);
    expect((await by.get(`${ADMIN}/files/${ownFile}`)).status).toBe(200);
    expect((await by.get(`${ADMIN}/files/${ownFile}/download`)).status).toBe(200);
    expect((await by.call('PATCH', `${ADMIN}/files/${ownFile}`, { is_phi: true })).status).toBe(200);
  });

  it('finds no other in a list, by whatever filter or cursor', async () => {
    for (const query of ['', '?limit=1', `?cursor=${future.toString('base64url')}`, '?state=open']) {
      const answer = await by.get(cases + query);
      expect([idsOf(answer), answer.body.next_cursor]).toEqual([[own.caseId], undefined]);
    }
    for (const query of [`?patient_id=${other.patientId}`, '?state=closed'])
      expect((await by.get(cases + query)).body).toEqual({ items: [] });
    for (const query of ['', `?patient_id=${other.patientId}`])
      expect((await by.get(`${ADMIN}/documents${query}`)).body).toEqual({ items: [] });
  });

  it('is told of another what is told of one that is not there, and changes nothing of it', async () => {
    const file_id = await by.deliver(Buffer.from(newId()), 'text/plain');
    const calls: [string, string, string, object?][] = [
      ['GET', cases, ''],
      ['POST', cases, '/close'],
      ['GET', cases, '/attachments'],
      ['POST', cases, '/attachments', { file_id }],
      ['GET', `${ADMIN}/files`, ''],
      ['GET', `${ADMIN}/files`, '/download'],
      ['PATCH', `${ADMIN}/files`, '', { is_restricted: true }],
    ];
    for (const [method, base, rest, body] of calls) {
      const id = base === cases ? other.caseId : otherFile;
      const [foreign, unknown] = [
        await by.call(method, `${base}/${id}${rest}`, body),
        await by.call(method, `${base}/${newId()}${rest}`, body),
      ];
      const said = ({ text }: { text: string }) => text.replace(/"requestId":"[^"]*"/, '');
      expect([method, base, rest, foreign.status]).toEqual([method, base, rest, 404]);
      expect(said(foreign)).toEqual(said(unknown));
    }
    const { body } = await owner.get(`${cases}/${other.caseId}`);
    expect(body.state).toBe('open');
    const { items } = (await owner.get(`${cases}/${other.caseId}/attachments`)).body;
    expect(items).toEqual([expect.objectContaining({ id: otherFile, is_restricted: false })]);
  });

  it('attaches to it what it may read, and nothing else', async () => {
    const file_id = await by.deliver(Buffer.from(newId()), 'text/plain');
    const attached = await by.post(`${cases}/${own.caseId}/attachments`, { file_id });
    expect([attached.status, attached.body.case_id]).toEqual([201, own.caseId]);
    const theirs = await clinic.staff.deliver(Buffer.from(newId()), 'text/plain');
    expect((await by.post(`${cases}/${own.caseId}/attachments`, { file_id: theirs })).status).toBe(404);
  });

  it('who may open cases as well learns by that of no other patient', async () => {
    const opener = new Admin(
      world.baseUrl,
      await keyWith(
        ['coordinator', { type: 'PatientCase', id: own.caseId }],
        [[{ operations: ['cases:create'], subject: 'PatientCase' }]],
      ),
    );
    const opened = await opener.post(cases, { patient_id: other.patientId });
    expect([opened.status, opened.body.patient]).toEqual([
      201,
      { id: other.patientId, first_name: '', last_name: '', email: null, phone_number: null },
    ]);
    expect((await opener.get(`${cases}/${opened.body.id}`)).status).toBe(404);
    expect(idsOf(await opener.get(cases))).toEqual([own.caseId]);
  });

  it('who may close cases and read none is not told whose it was', async () => {
    const { caseId } = await clinic.openCase();
    const closer = new Admin(
      world.baseUrl,
      await keyWith([[{ operations: ['cases:close'], subject: 'PatientCase' }]]),
    );
    const { status, body } = await closer.post(`${cases}/${caseId}/close`);
    expect([status, body.state, body.patient.first_name]).toEqual([200, 'closed', '']);
  });

  it('who may read uploads as well sees those of patients on that case only', async () => {
    const reader = new Admin(
      world.baseUrl,
      await keyWith(
        ['coordinator', { type: 'PatientCase', id: own.caseId }],
        [[{ operations: ['uploads:read', 'uploads:complete'], subject: 'Upload' }]],
      ),
    );
    for (const [{ caseId, patientId }, expected] of [
      [own, 200],
      [other, 404],
    ] as const) {
      const id = await (await clinic.signIn(patientId)).deliver(newId(), { caseId });
      const { upload_id } = (await owner.get(`${ADMIN}/files/${id}`)).body;
      expect((await reader.get(`/uploads/${upload_id}`)).status).toBe(expected);
      expect((await reader.post(`/uploads/${upload_id}/complete`)).status).toBe(expected);
    }
  });
});

describe('a coordinator of one order', () => {
  let by: Hospital;
  let key: string;
  let own: Ordered;
  let other: Ordered;

  interface Ordered {
    id: string;
    study: string;
    upload: string;
    result: string;
  }

  async function ordered(PatientName: string): Promise<Ordered> {
    const [id, study] = [await hospital.newOrder({ StudyID: '7' }), newUid()];
    const upload = await hospital.deliver(
      ctInstance({ StudyInstanceUID: study, PatientName }),
      `?order_id=${id}`,
    );
    const { body } = await hospital.post(`/results?order_id=${id}`, { finding: 'none' });
    return { id, study, upload: upload.id, result: body.result_id };
  }

  beforeAll(async () => {
    [own, other] = [await ordered('Own^Patient'), await ordered('Other^Patient')];
    key = await keyWith(['coordinator', { type: 'Order', id: own.id }]);
    by = new Hospital(world.baseUrl, key);
  });

  it('reads it with its studies, uploads and results', async () => {
    expect((await by.status(own.id)).study_uids).toEqual([own.study]);
    expect((await by.get(`/orders/${own.id}`)).body.attributes.PatientName.value).toBe('Own^Patient');
    for (const path of [
      `/status?study_uid=${own.study}`,
      `/failure-report?order_id=${own.id}`,
      `/uploads/${own.upload}`,
      `/uploads/${own.upload}/download`,
      `/studies/${own.study}`,
      `/results?study_uid=${own.study}`,
    ])
      expect([path, (await by.get(path)).status]).toEqual([path, 200]);
    expect((await by.get(`/orderId?study_uid=${own.study}`)).body).toEqual({ order_ids: [own.id] });
    expect((await by.patch(`order_id=${own.id}`, { StudyID: '8' })).status).toBe(200);
    const delivered = await by.post(`/results?order_id=${own.id}`, { finding: 'another' });
    expect(delivered.status).toBe(201);
    expect((await by.post('/reports', { result_ids: [delivered.body.result_id] })).body.unknown).toEqual([]);
  });

  it('finds no other in a list, by whatever filter', async () => {
    expect(idsOf(await by.get('/orders'))).toEqual([own.id]);
    expect(idsOf(await by.get('/studies'))).toEqual([own.study]);
    expect((await by.get('/reports')).body.items.map(({ order_id }: any) => order_id)).toEqual([own.id]);
    for (const path of [`/orders?study_uid=${other.study}`, `/studies?study_uid=${other.study}`])
      expect((await by.get(path)).body).toEqual({ items: [] });
  });

  it('is told of another what is told of one that is not there, and changes nothing of it', async () => {
    const calls: [string, string, object?][] = [
      ['GET', '/orders/<order>'],
      ['GET', '/status?order_id=<order>'],
      ['GET', '/status?study_uid=<study>'],
      ['GET', '/failure-report?order_id=<order>'],
      ['GET', '/failure-report?study_uid=<study>'],
      ['GET', '/orderId?study_uid=<study>'],
      ['GET', '/results?order_id=<order>'],
      ['GET', '/results?study_uid=<study>'],
      ['POST', '/results?order_id=<order>', { finding: 'of another' }],
      ['PATCH', '/add-metadata?order_id=<order>', { StudyID: '9' }],
      ['PATCH', '/add-metadata?study_uid=<study>', { StudyID: '9' }],
      ['POST', '/orders/<order>/close'],
      ['GET', '/studies/<study>'],
      ['GET', '/uploads/<upload>'],
      ['GET', '/uploads/<upload>/download'],
      ['POST', '/uploads/<upload>/complete'],
    ];
    const said = ({ status, text }: { status: number; text: string }) =>
      `${status} ${text.replace(/"requestId":"[^"]*"/, '')}`;
    for (const [method, template, body] of calls) {
      const fill = (order: string, study: string, upload: string) =>
        template.replace('<order>', order).replace('<study>', study).replace('<upload>', upload);
      const foreign = await by.call(method, fill(other.id, other.study, other.upload), body);
      const unknown = await by.call(method, fill(newId(), newUid(), newId()), body);
      expect([template, foreign.status]).toEqual([template, 404]);
      expect(said(foreign)).toEqual(said(unknown));
    }
    const acknowledged = await by.post('/reports', { result_ids: [other.result] });
    expect(acknowledged.body).toEqual({ acknowledged: [], unknown: [other.result] });
    const { body } = await hospital.get(`/orders/${other.id}`);
    expect([body.closed_at, body.attributes.StudyID.value]).toEqual([undefined, '7']);
    expect((await hospital.get(`/results?order_id=${other.id}`)).body.items).toHaveLength(1);
  });

  it('sees of a study that came for another order as well nothing of that order, nor of an exam', async () => {
    const bytes = ctInstance({ StudyInstanceUID: own.study, PatientName: 'Own^Patient' });
    const also = await hospital.newOrder({ PatientName: 'Also^Known' });
    await hospital.deliver(bytes, `?order_id=${also}`);
    await hospital.post(`/results?order_id=${also}`, { finding: 'of the other order' });
    const { exam_id } = await uploadExam(owner, { 'a.dcm': bytes });
    await owner.post(`/api/v1/exams/${exam_id}/confirm`);
    const conflicts = async (as: Hospital) =>
      (await as.get(`/studies/${own.study}`)).body.conflicts.map(({ kind }: { kind: string }) => kind);
    await eventually(
      () => conflicts(hospital),
      (kinds) => kinds.includes('exam'),
    );
    const { body } = await by.get(`/studies/${own.study}`);
    expect(body.orders).toEqual([own.id]);
    expect(body.attributes.PatientName).toEqual({ value: 'Own^Patient', origin: 'tag' });
    expect(await conflicts(by)).toEqual([]);
    const results = await by.get(`/results?study_uid=${own.study}`);
    expect(new Set(results.body.items.map(({ order_id }: any) => order_id))).toEqual(new Set([own.id]));
  });

  it('who has orders of its own besides is not shown their studies’ tags', async () => {
    const mine = { createdById: '${principal.id}' };
    const device = new Hospital(
      world.baseUrl,
      await keyWith(
        ['coordinator', { type: 'Order', id: own.id }],
        [
          [
            { operations: ['orders:create'], subject: 'Order' },
            { operations: ['orders:read'], subject: 'Order', conditions: mine },
            { operations: ['uploads:issue'], subject: 'Upload' },
            {
              operations: ['uploads:read'],
              subject: 'Upload',
              conditions: { principalId: '${principal.id}' },
            },
          ],
        ],
      ),
    );
    const order = await device.newOrder({ StudyID: '7' });
    const uploadId = await device.send(ctInstance({ PatientName: 'Secret^Sarah' }), `?order_id=${order}`);
    await hospital.post(`/uploads/${uploadId}/complete`);
    await device.settled(uploadId);
    const { body } = await device.get(`/orders/${order}`);
    expect([body.study_uids.length, body.attributes]).toEqual([
      1,
      { StudyID: { value: '7', origin: 'api' } },
    ]);
    const limited = (await device.get(`/orders/${own.id}`)).body;
    expect(limited.attributes.PatientName.value).toBe('Own^Patient');
  });
});

describe('an upload for an order', () => {
  it('is taken for those one may read, whatever decides: memory as the database', async () => {
    const orders = [await hospital.newOrder(), await hospital.newOrder()];
    const { rows } = await world.admin.query<{ id: string }>(
      'SELECT created_by_id AS id FROM "order" WHERE id = $1',
      [orders[0]],
    );
    const by = (createdById: string) => ({
      operations: ['orders:read'],
      subject: 'Order',
      conditions: { createdById },
    });
    const limit = { type: 'Order', id: orders[0]! };
    const all = { operations: ['orders:read'], subject: 'Order' };
    const issue: [object[]] = [
      [
        { operations: ['uploads:issue'], subject: 'Upload' },
        { operations: ['orders:create'], subject: 'Order' },
      ],
    ];
    const holders: [string, number, ...[object[], Limit?][]][] = [
      ['all', 3, [[all]]],
      ['none', 0],
      ['its own', 1, [[by('${principal.id}')]]],
      ['somebody’s', 2, [[by(rows[0]!.id)]]],
      ['somebody’s, in capitals', 2, [[by(rows[0]!.id.toUpperCase())]]],
      ['nobody’s', 0, [[by(newId())]]],
      ['one', 1, [[all], limit]],
      ['one of its own, that is not', 0, [[by('${principal.id}')], limit]],
      ['one, and its own', 2, [[all], limit], [[by('${principal.id}')]]],
    ];
    for (const [name, number, ...bindings] of holders) {
      const device = new Hospital(world.baseUrl, await keyWith(issue, ...bindings));
      const own = await device.newOrder();
      const [inSql, inMemory] = [[] as boolean[], [] as boolean[]];
      for (const order of [...orders, own]) {
        inSql.push((await device.get(`/orders/${order}`)).status === 200);
        inMemory.push((await device.get(`/upload?order_id=${order}`)).status === 200);
      }
      expect([name, inMemory]).toEqual([name, inSql]);
      expect([name, inSql.filter(Boolean).length]).toEqual([name, number]);
    }
  });
});

describe('a coordinator of one exam', () => {
  it('sees and changes that one and its uploads, and no other', async () => {
    const [own, other] = [
      await uploadExam(owner, { 'a.dcm': ctInstance() }),
      await uploadExam(owner, { 'b.dcm': ctInstance() }),
    ];
    const by = new Admin(world.baseUrl, await keyWith(['coordinator', { type: 'Exam', id: own.exam_id }]));
    const uploadOf = async (id: string) => (await owner.get(`/api/v1/exams/${id}`)).body.files[0].upload_id;
    expect(idsOf(await by.get('/api/v1/exams'))).toEqual([own.exam_id]);
    expect((await by.get('/api/v1/exams?offset=1')).body.items).toEqual([]);
    for (const [{ exam_id }, expected] of [
      [own, 200],
      [other, 404],
    ] as const) {
      const exam = `/api/v1/exams/${exam_id}`;
      expect((await by.get(exam)).status).toBe(expected);
      expect((await by.get(`/uploads/${await uploadOf(exam_id)}`)).status).toBe(expected);
      expect((await by.post(`${exam}/confirm`)).status).toBe(expected);
      expect((await by.post(`${exam}/share`, {})).status).toBe(expected);
      expect([200, 204, 404]).toContain((await by.delete(exam)).status);
    }
    expect((await owner.get(`/api/v1/exams/${own.exam_id}`)).status).toBe(404);
    expect((await owner.get(`/api/v1/exams/${other.exam_id}`)).status).toBe(200);
    expect((await by.get('/api/v1/exams')).body.items).toEqual([]);
  });
});
