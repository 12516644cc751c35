import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { type Answer, basic, put, tokenFor } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { Hospital } from '../support/hospital.js';
import { declarationOf, Inspector } from '../support/inspector.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { created, STORAGE_EVENTS_SECRET } from './ingestion-calls.js';
import { expectNothingOf, keysOf, type LoudProcesses, rowsOf, startLoudly, tablesOf } from './traces.js';

/**
 * A patient goes through every flow of an order, right and wrong, and every trace of the two processes is searched for
 * what is theirs: names, numbers, UIDs, file names, values. The words are found nowhere else.
 */
jest.setTimeout(120_000);

const UIDS = { study: newUid(), series: newUid(), sop: newUid(), wrongUid: `${newUid()}.Quillfeather` };
const OWN = {
  ...UIDS,
  patientName: 'Quillfeather^Xanthe',
  patientId: 'QX-4711-PID',
  accessionNumber: 'ACC0815QX',
  fileName: 'quillfeather_mri.dcm',
  entryName: 'quillfeather_entry.dcm',
  skippedName: 'quillfeather_notes.txt',
  sidecarValue: 'Sidecar of Quillfeather',
  metadataValue: 'Fracture of Quillfeather',
  unknownKeyword: 'QuillfeatherKeyword',
  reportText: 'Report on Quillfeather',
  idempotencyKey: 'quillfeather-key-1',
  anyOfIt: 'uillfeather',
  given: 'Xanthe',
};

let world: World;
let tenant: Tenant;
let hospital: Hospital;
let processes: LoudProcesses;
let metrics: string[];
let answers: Answer[];

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', STORAGE_EVENTS_SECRET });
  tenant = await world.newTenant();
  processes = await startLoudly(world);
  const { baseUrl } = processes;
  hospital = new Hospital(baseUrl, await tokenFor(baseUrl, tenant));
  await liveThrough(baseUrl);
  metrics = await processes.metrics();
  await processes.stop();
});
afterAll(async () => {
  await processes.stop();
  await world.close();
});

it('is found where it stands, in the index', async () => {
  const rows = await rowsOf(world.admin, 'study');
  for (const name of ['study', 'patientName', 'patientId', 'accessionNumber'] as const)
    expect(() => expectNothingOf({ [name]: OWN[name] }, rows)).toThrow(`${name} stands in`);
});

describe('nothing of a patient, nor of a study', () => {
  it('stands in the ledger', async () => {
    const rows = await rowsOf(world.admin, 'audit_event');
    expect(rows.length).toBeGreaterThan(60);
    for (const action of [
      'uploads:register',
      'uploads:reject',
      'studies:close',
      'metadata:write',
      'results:deliver',
    ])
      expect(rows.some((row) => row.includes(action))).toBe(true);
    expectNothingOf(OWN, rows);
  });

  it('stands in a log', () => {
    const { api, worker } = processes;
    const lines = `${api.output}\n${worker.output}`.split('\n').filter(Boolean);
    const said = (text: string) => lines.filter((line) => line.includes(text)).length;
    expect(said('"msg":"request"')).toBeGreaterThan(40);
    expect(said('"level":"error"') + said('"level":50')).toBeGreaterThan(0); // and faults were logged
    expect(worker.output.length).toBeGreaterThan(200);
    expectNothingOf(OWN, lines);
  });

  it('stands in a metric', () => {
    for (const text of metrics) expect(text).toContain('# TYPE');
    expect(metrics[1]).toMatch(/uploads_settled\w*\{[^}]*rejected/);
    expectNothingOf(OWN, metrics);
  });

  it('stands in a key of the bucket, in a presigned URL, or in the queue', async () => {
    const keys = await keysOf(world);
    expect(keys.length).toBeGreaterThan(5);
    expectNothingOf(OWN, keys);
    const urls = answers.flatMap(({ text }) => text.match(/https?:[^"]*X-Amz-[^"]*/g) ?? []);
    expect(urls.length).toBeGreaterThanOrEqual(3);
    expectNothingOf(OWN, urls);
    const queues = await tablesOf(world.admin, 'bullmq');
    expect(queues.length).toBeGreaterThan(0);
    for (const name of queues) expectNothingOf(OWN, await rowsOf(world.admin, name));
  });

  it('but the StudyInstanceUID stands in what is told of events, which is for those who may read the study', async () => {
    const rows = await rowsOf(world.admin, 'outbox_event');
    expect(rows.some((row) => row.includes(UIDS.study))).toBe(true);
    const { study, ...others } = OWN;
    expect(study).toBe(UIDS.study);
    expectNothingOf(others, rows);
  });
});

/** Everything a hospital does with one patient. */
async function liveThrough(baseUrl: string): Promise<void> {
  answers = [];
  const note = async (call: Promise<Answer>, ...statuses: number[]): Promise<any> => {
    const answer = await call;
    answers.push(answer);
    if (!statuses.includes(answer.status)) throw new Error(`${answer.status} ${answer.text}`);
    return answer.body;
  };
  const facts = {
    StudyInstanceUID: UIDS.study,
    SeriesInstanceUID: UIDS.series,
    PatientName: OWN.patientName,
    PatientID: OWN.patientId,
    AccessionNumber: OWN.accessionNumber,
  };
  const metadata = {
    PatientName: OWN.patientName,
    PatientID: OWN.patientId,
    StudyDescription: OWN.metadataValue,
  };
  const quoted = encodeURIComponent(OWN.fileName);
  const { order_id: order } = await note(
    hospital.post('/new-order', metadata, { 'idempotency-key': OWN.idempotencyKey }),
    201,
  );
  await note(hospital.post('/new-order', { ...metadata, [OWN.unknownKeyword]: OWN.given }), 400);
  await note(hospital.post('/new-order', `{"PatientName":"${OWN.patientName}"`), 400);
  await note(hospital.get(`/new-order?metadata=${encodeURIComponent(JSON.stringify(metadata))}`), 400);
  await note(hospital.get(`/new-order?order_id=${OWN.given}`), 400);

  const bytes = ctInstance({ ...facts, SOPInstanceUID: UIDS.sop });
  const single = await hospital.deliver(bytes, `?order_id=${order}&filename=${quoted}`);
  await hospital.deliver(bytes, `?order_id=${order}&filename=${quoted}`);
  // Another patient's under the same UID, a broken one, and one that is nothing.
  const conflict = await hospital.deliver(
    ctInstance({ ...facts, SOPInstanceUID: UIDS.sop, PatientID: `${OWN.patientId}-2` }),
    `?filename=${quoted}`,
  );
  await hospital.deliver(bytes.subarray(0, bytes.length - 100), `?order_id=${order}&filename=${quoted}`);
  await hospital.deliver(Buffer.from(OWN.reportText), `?order_id=${order}&filename=${quoted}`);
  const sidecar = JSON.stringify({ StudyDescription: OWN.sidecarValue });
  const entries = [
    { name: OWN.entryName, data: ctInstance(facts) },
    { name: OWN.skippedName, data: OWN.reportText },
  ];
  await hospital.deliver(
    writeZip([...entries, { name: 'metadata.json', data: sidecar }]),
    `?order_id=${order}`,
  );
  const badSidecar = JSON.stringify({ [OWN.unknownKeyword]: OWN.sidecarValue });
  await hospital.deliver(
    writeZip([...entries, { name: 'metadata.json', data: badSidecar }]),
    `?filename=${quoted}`,
  );
  await hospital.deliver(writeZip([{ name: `../${OWN.entryName}`, data: bytes }]));
  const { url, key } = await note(hospital.get(`/upload?filename=${quoted}`), 200);
  await put(url, ctInstance(facts));
  for (const told of [key, `staging/${OWN.fileName}`])
    await note(
      hospital.post('/internal/storage-events', created(told), {
        authorization: `Bearer ${STORAGE_EVENTS_SECRET}`,
      }),
      200,
    );
  await note(hospital.post('/internal/storage-events', { Records: [OWN.fileName] }), 400, 401);
  expect([single.state, conflict.rejection.rule]).toEqual(['registered', 'dicom.conflict']);

  const inspector = new Inspector(baseUrl, tenant.apiKey);
  const named = { name: OWN.fileName, assetID: OWN.metadataValue };
  const file = await inspector.deliver(Buffer.from(`${OWN.reportText}\n`), 'text/plain', named);
  await note(inspector.declare(declarationOf(Buffer.from(OWN.given), `text/${OWN.given}`, named)), 400);
  await note(inspector.declare({ ...named, [OWN.unknownKeyword]: OWN.given, hash: OWN.patientName }), 400);
  await note(inspector.download(file), 200);
  await note(inspector.file(OWN.patientId), 400);

  for (const target of [`order_id=${order}`, `study_uid=${UIDS.study}`]) {
    for (const path of ['/status', '/failure-report', '/results'])
      await note(hospital.get(`${path}?${target}`), 200);
    await note(hospital.patch(target, metadata), 200);
    await note(hospital.patch(target, { [OWN.unknownKeyword]: OWN.metadataValue }), 400);
    await note(hospital.patch(target, { StudyDate: OWN.metadataValue }), 400);
  }
  for (const path of [
    `/orders/${order}`,
    `/orders?study_uid=${UIDS.study}`,
    `/orderId?study_uid=${UIDS.study}`,
    `/studies?patient_id=${OWN.patientId}&accession_number=${OWN.accessionNumber}`,
    `/studies?study_uid=${UIDS.study}`,
    `/studies/${UIDS.study}`,
    `/uploads/${single.id}`,
    `/uploads/${single.id}/download`,
    '/api/v1/events',
  ])
    await note(hospital.get(path), 200);
  for (const path of [
    `/status?study_uid=${UIDS.sop}`,
    `/status?study_uid=${UIDS.wrongUid}`,
    `/studies/${UIDS.series}`,
    `/studies/${UIDS.wrongUid}`,
    `/studies?patient_name=${encodeURIComponent(OWN.patientName)}`,
    `/uploads/${OWN.fileName}`,
    `/orders/${OWN.given}/${OWN.fileName}`,
  ])
    await note(hospital.get(path), 400, 404);
  await note(new Hospital(baseUrl).get(`/studies/${UIDS.study}`), 401);
  await note(
    new Hospital(baseUrl).get(`/status?study_uid=${UIDS.study}`, {
      authorization: basic(tenant.clientId, OWN.patientName),
    }),
    401,
  );
  await note(new Hospital(baseUrl, OWN.fileName).get('/orders'), 401);

  const report = { finding: OWN.reportText };
  const { result_id } = await note(hospital.post(`/results?order_id=${order}`, report), 201);
  await note(hospital.post(`/results?order_id=${order}`, `{"${OWN.reportText}`), 400, 422);
  await note(
    hospital.post(`/results?order_id=${order}`, OWN.reportText, { 'content-type': `text/${OWN.given}` }),
    415,
  );
  await note(hospital.get('/reports'), 200);
  await note(hospital.post('/reports', { result_ids: [result_id] }), 200);

  await faults(note, facts, order as string, quoted);
  await note(hospital.post(`/orders/${order}/close`), 200);
  for (let state = ''; state !== 'closed';) ({ state } = (await hospital.get(`/studies/${UIDS.study}`)).body);
}

/** What goes wrong in the database, whose messages quote rows and values, in both processes. */
async function faults(
  note: (call: Promise<Answer>, ...statuses: number[]) => Promise<any>,
  facts: object,
  order: string,
  quoted: string,
): Promise<void> {
  const { admin } = world;
  await admin.query(
    `CREATE FUNCTION quote_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'bad row: %', NEW; END $$;
     CREATE TRIGGER quote_row BEFORE INSERT ON order_overlay FOR EACH ROW EXECUTE FUNCTION quote_row();
     CREATE TRIGGER quote_row BEFORE INSERT ON upload FOR EACH ROW EXECUTE FUNCTION quote_row()`,
  );
  await note(hospital.post('/new-order', { PatientName: OWN.patientName }), 500);
  await note(hospital.get(`/upload?order_id=${order}&filename=${quoted}`), 500);
  await note(hospital.post(`/results?order_id=${order}`, { finding: OWN.reportText }), 500);
  await admin.query('DROP TRIGGER quote_row ON order_overlay; DROP TRIGGER quote_row ON upload');

  await admin.query(
    'CREATE TRIGGER quote_row BEFORE INSERT ON instance FOR EACH ROW EXECUTE FUNCTION quote_row()',
  );
  const uploadId = await hospital.send(ctInstance(facts), `?order_id=${order}&filename=${quoted}`);
  for (let failures = 0; failures === 0;)
    [{ failures }] = (await admin.query('SELECT failures FROM upload WHERE id = $1', [uploadId])).rows as [
      { failures: number },
    ];
  await admin.query('DROP TRIGGER quote_row ON instance; DROP FUNCTION quote_row()');
  await hospital.settled(uploadId, 60_000);

  await admin.query('ALTER TABLE study RENAME COLUMN patient_id TO gone');
  await note(hospital.get(`/studies?patient_id=${OWN.patientId}`), 500, 503);
  await note(hospital.get(`/studies/${UIDS.study}`), 500, 503);
  await admin.query('ALTER TABLE study RENAME COLUMN gone TO patient_id');
}
