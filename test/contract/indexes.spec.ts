import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { pdf } from '../../src/formats/document/document.fixture.js';
import { diffusion } from '../../src/formats/nifti/nifti.fixture.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { Admin, ADMIN } from '../support/admin.js';
import { Client, eventually, put, tokenFor } from '../support/client.js';
import { ctInstance, ctSeries } from '../support/dicom-files.js';
import { uploadExam } from '../support/exam.js';
import { Hospital } from '../support/hospital.js';
import { declarationOf, Inspector } from '../support/inspector.js';
import { SCOPES } from '../../src/platform/authorization/scopes.js';
import { PostOffice } from '../support/post-office.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { leaveBehind, liveClinically } from './clinical-flows.js';
import { fill, GROWING, published, ROWS, type RowsRead, rowsRead } from './many-rows.js';

/**
 * Cost must not grow with what is stored: with many rows in place, every flow runs, and Postgres' own counters tell
 * whether any statement read a growing table from end to end.
 */
jest.setTimeout(240_000);

const STORAGE_EVENTS_SECRET = 'a-secret-of-the-bucket-of-32-bytes-or-more';

let world: World;
let tenant: Tenant;
let office: PostOffice;
let tidied: () => Promise<void>;
let before: Map<string, RowsRead>;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({ ...office.environment, RECONCILE_INTERVAL_MS: '1000', STORAGE_EVENTS_SECRET });
  tenant = await world.newTenant();
  await fill(world.admin, tenant.organizationId);
  tidied = await leaveBehind(world, tenant.organizationId);
  await published();
  before = await rowsRead(world.admin);
  await world.startWorker();
}, 400_000);
afterAll(async () => {
  await world.close();
  await office.close();
});

/** What was read of each growing table since all began. */
function read(after: Map<string, RowsRead>, kind: keyof RowsRead): Record<string, number> {
  return Object.fromEntries(
    GROWING.map((table) => [table, after.get(table)![kind] - before.get(table)![kind]]), // every name is a table
  );
}

it('runs every flow of an exam', async () => {
  const client = new Client(world.baseUrl, tenant.apiKey);
  await tokenFor(world.baseUrl, tenant);
  const exam = await uploadExam(
    client,
    Object.fromEntries(ctSeries(40).map((bytes, index) => [`${index}`, bytes])),
  );
  await client.post(
    '/api/v1/exams',
    { name: 'n', patient_name: 'p', files: [{ name: 'a', size: 1 }] },
    { 'idempotency-key': randomUUID() },
  );
  const { body: ready } = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
  await client.post(`/api/v1/exams/${exam.exam_id}/urls`);
  const { files } = await eventually(
    async () => (await client.get(`/api/v1/exams/${exam.exam_id}`)).body,
    ({ ingestion_status }) => ingestion_status === 'registered',
  );
  const page = await client.get('/api/v1/exams?limit=100');
  const next = await client.get(`/api/v1/exams?limit=100&cursor=${page.body.next_cursor}`);
  expect(next.body.items).toHaveLength(100);
  await fetch(ready.share_url);
  await fetch(`${ready.share_url}/files/${files[0].upload_id}`, { redirect: 'manual' });
  await client.post(`/api/v1/exams/${exam.exam_id}/share`, { rotate: true });
  expect((await client.delete(`/api/v1/exams/${exam.exam_id}`)).status).toBe(204);
});

it('runs every flow of an order', () => ingest(new Hospital(world.baseUrl, tenant.apiKey)));

it('runs every flow of an inspection', () => inspect(new Inspector(world.baseUrl, tenant.apiKey)));

it('runs every flow of a clinic and its patients', () => liveClinically(world, tenant, office));

it('runs every flow of users and groups', () => manage(new Admin(world.baseUrl, tenant.apiKey)));

it('runs every search of the ledger', () => searchLedger(new Client(world.baseUrl, tenant.apiKey)));
it('runs every flow of an export of the ledger', async () => {
  const client = new Client(world.baseUrl, tenant.apiKey);
  const { status, body } = await client.post('/api/v1/audit/exports', { format: 'ndjson' });
  expect(status).toBe(202);
  expect((await client.get(`/api/v1/audit/exports/${body.id}`)).status).toBe(200);
  const page = await client.get('/api/v1/audit/exports?limit=100');
  const next = await client.get(`/api/v1/audit/exports?limit=100&cursor=${page.body.next_cursor}`);
  expect(next.body.items).toHaveLength(100);
});
it('runs every report of the ledger', () => report(world, tenant));

it('runs the chores of the worker', () => tidied());

it('runs the flows of a device, which sees only what is its own', async () => {
  const credentials = await world.organizations.createClient({
    organizationId: tenant.organizationId,
    name: 'device',
    role: 'uploader',
    scopes: SCOPES,
  });
  const device = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, credentials));
  const StudyInstanceUID = newUid();
  const order = await device.newOrder();
  await device.deliver(ctInstance({ StudyInstanceUID }), `?order_id=${order}`);
  for (const path of [
    '/orders',
    '/reports',
    '/api/v1/exams',
    `/orders?study_uid=${StudyInstanceUID}`,
    `/status?study_uid=${StudyInstanceUID}`,
    `/results?order_id=${order}`,
    `/orders/${order}`,
  ])
    expect({ path, status: (await device.get(path)).status }).toEqual({ path, status: 200 });
  await inspect(new Inspector(world.baseUrl, await tokenFor(world.baseUrl, credentials)));
  expect((await device.patch(`study_uid=${StudyInstanceUID}`, { StudyDescription: 'd' })).status).toBe(200);
  await device.post(`/orders/${order}/close`);
});

describe('all of it', () => {
  let after: Map<string, RowsRead>;
  beforeAll(async () => {
    await published();
    after = await rowsRead(world.admin);
  });

  it('has read no growing table from end to end', () => {
    expect(read(after, 'scanned')).toEqual(Object.fromEntries(GROWING.map((table) => [table, 0])));
  });

  it('has gone through no index from end to end either', () => {
    const fetched = Object.entries(read(after, 'fetched'));
    expect(fetched.filter(([, rows]) => rows > ROWS / 3)).toEqual([]);
    expect(fetched.filter(([, rows]) => rows > 0).length).toBeGreaterThan(19);
  });

  it('would have noticed', async () => {
    const backend = await world.admin.connect();
    try {
      await backend.query(`SELECT count(attributes) FROM order_overlay WHERE attributes = '{}'`);
      await backend.query('SELECT pg_stat_force_next_flush()'); // says so now: it is not waited for as the others are
      const noticed = await rowsRead(backend);
      expect(read(noticed, 'scanned').order_overlay).toBeGreaterThanOrEqual(ROWS);
    } finally {
      backend.release();
    }
  });
});

/** Lists of users by each of their filters; few of very many are of staff, or disabled, or in a group. */
async function manage(by: Admin): Promise<void> {
  const email = `${randomUUID()}@staff.example`;
  const [user, group, inner] = [await by.invite(email), await by.group(), await by.group()];
  await by.create(`/groups/${group}/members`, { group_id: inner });
  await by.create(`/groups/${inner}/members`, { user_id: user });
  const { body: first } = await by.get(`${ADMIN}/users`);
  expect((await by.post(`${ADMIN}/users/search`, { email })).status).toBe(200);
  for (const query of [
    `cursor=${first.next_cursor}`,
    'kind=patient',
    'kind=staff',
    'state=enabled',
    `group_id=${group}`,
    'kind=staff&state=disabled',
    'state=disabled',
  ])
    expect({ query, status: (await by.get(`${ADMIN}/users?${query}`)).status }).toEqual({
      query,
      status: 200,
    });
  expect((await by.get(`${ADMIN}/users/${user}`)).body.group_ids).toEqual([inner]);
  expect((await by.change(`/users/${user}`, { first_name: 'A' })).status).toBe(200);
  for (const path of ['disable', 'enable'])
    expect((await by.post(`${ADMIN}/users/${user}/${path}`)).status).toBe(200);
  expect((await by.delete(`${ADMIN}/groups/${group}`)).status).toBe(204);
}

/** By each filter, by what is common, rare and not there; and by the id of an event whose time the id does not tell. */
async function searchLedger(by: Client): Promise<void> {
  const EVENTS = '/api/v1/audit/events';
  const rare = ['resource_id=resource-77', 'patient=patient-7', 'study=study-7', 'request_id=request-77'];
  const common = ['actor_id=actor-7', 'action=many:7', 'resource_type=Type7', 'outcome=denied'];
  const together = [
    'actor_kind=anonymous',
    'action=many:20&outcome=denied',
    'actor_id=actor-0&outcome=denied',
    'resource_type=Type17&resource_id=resource-77',
    'from=2020-01-01T01:00:00Z&to=2020-01-01T01:01:00Z',
    'actor_id=actor-7&from=2020-01-01T01:00:00Z&to=2020-01-01T02:00:00Z',
  ];
  for (const query of [...rare, ...common, ...together]) {
    const { status, body } = await by.get(`${EVENTS}?${query}`);
    expect({ query, status, found: body.items?.length > 0 }).toEqual({ query, status: 200, found: true });
    if (!body.next_cursor) continue;
    const next = await by.get(`${EVENTS}?${query}&cursor=${body.next_cursor}`);
    expect({ query, found: next.body.items?.length > 0 }).toEqual({ query, found: true });
  }
  for (const query of [
    'action=never',
    'actor_id=nobody',
    'resource_type=None',
    'request_id=none',
    'outcome=failure&action=many:1',
  ])
    expect({ query, ...(await by.get(`${EVENTS}?${query}`)).body }).toEqual({ query, items: [] });
  const { body } = await by.get(`${EVENTS}?request_id=request-77`);
  expect((await by.get(`${EVENTS}/${body.items[0].id}`)).body).toMatchObject({
    request_id: 'request-77',
    sealed: false,
  });
}

/** Of each kind of thing, among very many. */
async function report({ admin, baseUrl }: World, { organizationId, apiKey }: Tenant): Promise<void> {
  const by = new Client(baseUrl, apiKey);
  const ask = async (path: string, asked: object): Promise<number> =>
    (await by.post(`/api/v1/audit/reports/${path}`, asked)).status;
  for (const [type, table] of [
    ['study', 'study'],
    ['case', 'patient_case'],
    ['file', 'patient_file'],
    ['file', 'inspect_file'],
    ['file', 'upload'],
    ['patient', 'user'],
  ]) {
    const { rows } = await admin.query<{ id: string }>(
      `SELECT id FROM "${table}" WHERE organization_id = $1 ORDER BY id LIMIT 1`,
      [organizationId],
    );
    for (const path of type === 'patient' ? ['disclosures'] : ['access', 'disclosures'])
      expect({ path, type, status: await ask(path, { type, id: rows[0]!.id }) }).toEqual({
        path,
        type,
        status: 200,
      });
  }
  expect(await ask('access', { type: 'study', study_uid: '1.2.7' })).toBe(200);
  expect(await ask('access', { type: 'file', id: randomUUID() })).toBe(404);
}

/** Everything the ingestion surface can do, once at least. */
async function ingest(hospital: Hospital): Promise<void> {
  const ok = async (path: string): Promise<any> => {
    const answer = await hospital.get(path);
    expect({ path, status: answer.status }).toEqual({ path, status: 200 });
    return answer.body;
  };
  const StudyInstanceUID = newUid();
  const SOPInstanceUID = newUid();
  const facts = { StudyInstanceUID, SeriesInstanceUID: newUid() };
  const [order, other] = [await hospital.newOrder({ PatientID: 'P-1' }), await hospital.newOrder()];
  const first = await hospital.deliver(ctInstance({ ...facts, SOPInstanceUID }), `?order_id=${order}`);
  await hospital.deliver(ctInstance({ ...facts, SOPInstanceUID }), `?order_id=${order}`); // replaces it
  await hospital.deliver(ctInstance(facts)); // finds its order by the UID
  await hospital.deliver(ctInstance()); // makes one
  await hospital.deliver(Buffer.from('no image'), `?order_id=${other}`);
  const dicom = Array.from({ length: 5 }, (_, n) => ({ name: `${n}.dcm`, data: ctInstance(facts) }));
  const sidecar = { name: 'metadata.json', data: '{"StudyDescription":"d"}' };
  await hospital.deliver(writeZip([...dicom, sidecar]), `?order_id=${order}`);
  const nifti = { nii: diffusion.nii, bval: diffusion.bval, bvec: diffusion.bvec };
  await hospital.deliver(
    writeZip(Object.entries(nifti).map(([type, data]) => ({ name: `d.${type}`, data }))),
  );
  await notified(hospital);

  for (const target of [`order_id=${order}`, `study_uid=${StudyInstanceUID}`]) {
    await ok(`/status?${target}`);
    await ok(`/failure-report?${target}`);
    expect((await hospital.patch(target, { StudyDescription: 'd', PatientSex: null })).status).toBe(200);
  }
  await ok(`/failure-report?order_id=${other}`);
  await ok(`/orderId?study_uid=${StudyInstanceUID}`);
  await ok(`/orders/${order}`);
  await ok(`/orders?study_uid=${StudyInstanceUID}`);
  await ok(`/orders?created_from=2020-01-01T00:00:00Z&created_to=${new Date().toISOString()}`);
  await ok(`/uploads/${first.id}/download`);
  for (const filter of ['patient_id=P7', 'accession_number=A7', `study_uid=${StudyInstanceUID}`])
    expect((await ok(`/studies?${filter}`)).items).toHaveLength(1);
  await ok(`/studies/${StudyInstanceUID}`);
  await ok('/studies/1.2.7');

  const result = await hospital.post(
    `/results?order_id=${order}`,
    { a: 1 },
    { 'idempotency-key': randomUUID() },
  );
  expect(result.status).toBe(201);
  await ok(`/results?order_id=${order}`);
  await ok(`/results?study_uid=${StudyInstanceUID}&report_type=json`);
  await hospital.post('/reports', { result_ids: [result.body.result_id] });

  for (const list of ['/orders?limit=100', '/studies?limit=100', '/reports?limit=100']) {
    const { next_cursor } = await ok(list);
    expect((await ok(`${list}&cursor=${next_cursor}`)).items).toHaveLength(100);
  }
  const events = await ok('/api/v1/events?limit=100');
  expect((await ok(`/api/v1/events?limit=100&after=${events.next_cursor}`)).items).toHaveLength(100);

  await hospital.post(`/orders/${order}/close`);
  await eventually(
    () => hospital.status(order),
    ({ submission }) => submission.state === 'closed',
  );
  // A straggler, or another generation: both read what is there.
  await hospital.deliver(ctInstance({ ...facts, SOPInstanceUID }));
  await ok(`/studies/${StudyInstanceUID}?generation=1`);
}

/** Declared by its own id and by its content, sent, completed, fetched. */
async function inspect(inspector: Inspector): Promise<void> {
  const bytes = pdf(randomUUID());
  const declaration = { ...declarationOf(bytes, 'application/pdf'), id: randomUUID() };
  await inspector.presigned(declaration);
  await inspector.deliver(bytes, 'application/pdf', { id: declaration.id });
  expect((await inspector.declare(declarationOf(bytes, 'application/pdf'))).body.data.id).toBe(
    declaration.id,
  );
  expect((await inspector.file(declaration.id)).body.data.status).toBe('completed');
  expect((await inspector.download(declaration.id)).status).toBe(200);
}

/** An upload that the bucket tells of. */
async function notified(hospital: Hospital): Promise<void> {
  const { url, key } = await hospital.issue(`?sha256=${createHash('sha256').update('x').digest('hex')}`);
  await put(url, Buffer.from('y'));
  const event = {
    Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'scandock' }, object: { key } } }],
  };
  const answer = await new Client(world.baseUrl, STORAGE_EVENTS_SECRET).post(
    '/internal/storage-events',
    event,
  );
  expect(answer.status).toBe(200);
}
