import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { newId } from '../../../src/platform/database/id.js';
import { parseCsv } from '../../support/csv.js';
import { Client } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { ctInstance } from '../../support/dicom-files.js';
import { Hospital } from '../../support/hospital.js';
import { StaffDoor, type SignedInStaff } from '../../support/staff.js';
import { asSuperuser } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';
import { asApplication, Auditor, REPORTS, type SharedExam, sharedExam, told } from './story.js';

jest.setTimeout(180_000);

let world: World;
let tenant: Tenant;
let client: Client;
let hospital: Hospital;
let auditor: Auditor;
let reader: SignedInStaff;
let stranger: SignedInStaff;
let names: Record<string, string>;

/** Of one study each, in one exam. */
const [UID, OTHER_UID] = [newUid(), newUid()];
let studyId: string;
let exam: SharedExam;
let orderId: string;
let resultId: string;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', RATE_LIMIT_PER_MINUTE: '100000' });
  await world.startWorker();
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  hospital = new Hospital(world.baseUrl, tenant.apiKey);
  const door = new StaffDoor(world, tenant.organizationId);
  [reader, stranger] = [await door.signIn('reader'), await door.signIn()];
  auditor = new Auditor(world.baseUrl, (await door.signIn('auditor')).accessToken);
  const { rows } = await world.admin.query<{ id: string }>(
    'SELECT id FROM api_key WHERE organization_id = $1',
    [tenant.organizationId],
  );
  names = { [rows[0]!.id]: 'key', [reader.userId]: 'reader', [stranger.userId]: 'stranger' };
  exam = await sharedExam(client, {
    'a.dcm': ctInstance({ StudyInstanceUID: UID }),
    'b.dcm': ctInstance({ StudyInstanceUID: OTHER_UID }),
  });
  orderId = await hospital.newOrder();
  await hospital.deliver(ctInstance({ StudyInstanceUID: UID }), `?order_id=${orderId}`);
  const result = await hospital.post(`/results?order_id=${orderId}`, { finding: 'none' });
  resultId = result.body.result_id;
}, 180_000);
afterAll(() => world.close());

/** As if May 2019 had been taken out of an organization's ledger. */
async function retireMay(organizationId: string): Promise<void> {
  const [exportId, at] = [randomUUID(), new Date()];
  await world.admin.query(
    `INSERT INTO audit_retired VALUES ($1, '2019-05-01', $2, 'k', 'm', sha256(''), 1, 1, 1, $3)`,
    [organizationId, exportId, at],
  );
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                              scopes, detail)
     VALUES ($1, $2, $3, 'system', 'operator', 'audit:retired', 'success', 'AuditExport', $4, '{}', '{"month": "2019-05"}')`,
    [newId(), at, organizationId, exportId],
  );
}

const report = async (asked: object): Promise<any> => {
  const { status, body, text } = await auditor.access({ limit: 1000, ...asked });
  if (status !== 200) throw new Error(`${status} ${text}`);
  return body;
};
const ofStudy = (body: any): string[] => told(body, names).filter((line) => !line.startsWith('system '));

describe('the access report of a study', () => {
  it('says who brought it, and knows it by its UID and by its id alike', async () => {
    const body = await report({ type: 'study', study_uid: UID });
    studyId = body.id;
    expect(ofStudy(body)).toEqual(
      expect.arrayContaining([
        'key changed exams:create Exam',
        'key changed exams:confirm Exam',
        'key changed orders:create Order',
        'key changed uploads:issue Upload',
        'key changed results:deliver Result',
        'key seen exams:read Exam',
      ]),
    );
    expect(told(body, names)).toEqual(
      expect.arrayContaining([
        'system changed uploads:register Upload',
        'system changed uploads:verify Upload',
      ]),
    );
    expect((await report({ type: 'study', id: studyId })).items).toEqual(body.items);
  });

  it('names whoever saw, changed or was refused it since, and nothing of another study', async () => {
    const from = new Date().toISOString();
    const [upload, other] = exam.uploads as [string, string];
    const link = `/share/${exam.token}`;
    await client.post(`/api/v1/exams/${exam.id}/share`, {});
    await new Client(world.baseUrl).get(link);
    await new Client(world.baseUrl).get(`${link}/files/${upload}`);
    await new Client(world.baseUrl).get(`${link}/files/${other}`); // of the other study
    await reader.get(`/studies/${UID}`);
    await reader.get(`/studies/${OTHER_UID}`);
    await reader.get(`/uploads/${upload}/download`);
    await reader.get(`/uploads/${other}/download`);
    await reader.get(`/results?study_uid=${UID}`);
    await reader.get(`/status?order_id=${orderId}`);
    await stranger.get(`/uploads/${upload}/download`);
    await hospital.patch(`order_id=${orderId}`, { StudyDescription: 'd' });
    await client.get('/studies'); // names nobody

    expect(ofStudy(await report({ type: 'study', id: studyId, from }))).toEqual([
      'key changed exams:share Exam',
      'share_link seen shares:open ShareLink',
      'share_link seen shares:download Upload',
      'reader seen studies:read Study',
      'reader seen uploads:download Upload',
      'reader seen results:download Result',
      'reader seen results:list Order',
      'reader seen orders:read Order',
      'stranger denied uploads:download Upload',
      'key changed metadata:write Order',
    ]);
    const about = ofStudy(await report({ type: 'study', study_uid: OTHER_UID, from }));
    expect(about.filter((line) => line.includes('download'))).toEqual([
      'share_link seen shares:download Upload',
      'reader seen uploads:download Upload',
    ]);
  });

  it('is told in pages, each with the notes and without a name', async () => {
    const whole = await report({ type: 'study', id: studyId });
    const items = [];
    for (let cursor: string | undefined; ;) {
      const page = await report({ type: 'study', id: studyId, limit: 7, ...(cursor && { cursor }) });
      expect(page.items.length).toBeLessThanOrEqual(7);
      expect(page.notes.length).toBeGreaterThan(3);
      items.push(...page.items);
      cursor = page.next_cursor;
      if (!cursor) break;
    }
    expect(items).toEqual(whole.items);
    const text = JSON.stringify(whole);
    for (const secret of [UID, 'Test^Patient', 'Juan', 'a.dcm', 'P-1', exam.token])
      expect(text).not.toContain(secret);
    expect(whole.complete_since).toBeUndefined();
  });

  it('is CSV for who asks for it: the same lines, no formula among them', async () => {
    const key = await world.organizations.createApiKey({
      organizationId: tenant.organizationId,
      name: '=cmd|"calc"!A1',
      role: 'reader',
      scopes: ['studies:read'],
    });
    await new Client(world.baseUrl, key).get(`/studies/${UID}`);
    const { items } = await report({ type: 'study', id: studyId });
    const asked = { type: 'study', id: studyId };
    const csv = await auditor.post(`${REPORTS}/access`, { ...asked, format: 'csv' });
    expect(csv.status).toBe(200);
    expect(csv.headers.get('content-type')).toMatch(/^text\/csv/);
    const [header, ...records] = parseCsv(csv.text);
    const lines = records.map((cells) =>
      Object.fromEntries(header!.map((name, index) => [name, cells[index]])),
    );
    expect(lines.map(({ event_id }) => event_id)).toEqual(items.map(({ event_id }: any) => event_id));
    expect(lines.map(({ access, action, actor_id }) => [access, action, actor_id])).toEqual(
      items.map(({ access, action, actor }: any) => [access, action, actor.id ?? '']),
    );
    expect(lines[0]!.actor_label).toBe(`'=cmd|"calc"!A1`);
    const byHeader = await auditor.post(`${REPORTS}/access`, asked, { accept: 'text/csv' });
    expect(byHeader.text).toBe(csv.text);
  });

  it('says since when it has all there was, as CSV in a header', async () => {
    const own = await world.newTenant();
    const by = new Auditor(world.baseUrl, own.apiKey);
    const { body } = await by.post('/api/v1/admin/cases', { patient: { email: 'jane@patients.example' } });
    const whole = await by.access({ type: 'case', id: body.id, format: 'csv' });
    expect(whole.headers.has('x-complete-since')).toBe(false);
    await retireMay(own.organizationId);
    for (const ask of [by.access, by.disclosures]) {
      const json = await ask({ type: 'case', id: body.id });
      expect(json.body.complete_since).toBe('2019-06-01T00:00:00.000Z');
      const csv = await ask({ type: 'case', id: body.id, format: 'csv' });
      expect(csv.status).toBe(200);
      expect(csv.headers.get('x-complete-since')).toBe(json.body.complete_since);
    }
  });

  it('tells the same whatever times the rows of it are given', async () => {
    const before = ofStudy(await report({ type: 'study', id: studyId }));
    const changes = [
      `UPDATE upload SET issued_at = now() + interval '10 years'`,
      `UPDATE exam SET created_at = now() + interval '10 years'`,
      `UPDATE share_link SET created_at = now() + interval '10 years'`,
      `UPDATE "order" SET created_at = now() + interval '10 years'`,
      `UPDATE result SET created_at = now() + interval '10 years'`,
    ];
    for (const change of changes)
      await expect(asApplication(world, tenant, change)).rejects.toMatchObject({ code: '42501' });
    await asSuperuser(world.admin, (client) => client.query(changes.join(';')));
    expect(ofStudy(await report({ type: 'study', id: studyId }))).toEqual(before);
    expect(before).toEqual(
      expect.arrayContaining(['key changed exams:create Exam', 'key changed orders:create Order']),
    );
  });

  it('tells of it when it is gone: by the id that the ledger has', async () => {
    const own = newUid();
    const gone = await sharedExam(client, { 'a.dcm': ctInstance({ StudyInstanceUID: own }) });
    await reader.get(`/studies/${own}`);
    const { id } = await report({ type: 'study', study_uid: own });
    await client.delete(`/api/v1/exams/${gone.id}`);
    expect((await auditor.access({ type: 'study', study_uid: own })).status).toBe(404);
    const lines = ofStudy(await report({ type: 'study', id }));
    expect(lines[0]).toBe('key changed exams:create Exam');
    expect(lines).toContain('reader seen studies:read Study');
    expect(lines.at(-1)).toBe('key changed exams:delete Exam');
  });

  it('is an event itself, about the study', async () => {
    const answer = await auditor.access({ type: 'study', id: studyId });
    const { rows } = await world.admin.query(
      'SELECT action, outcome, resource_type, resource_id, study_ref FROM audit_event WHERE request_id = $1',
      [answer.headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      {
        action: 'audit:report-access',
        outcome: 'success',
        resource_type: 'Study',
        resource_id: studyId,
        study_ref: studyId,
      },
    ]);
  });
});

describe('the access report of a case and of a file', () => {
  let clinic: Clinic;
  const from = '2020-01-01T00:00:00Z';

  beforeAll(async () => {
    clinic = await Clinic.open(world, tenant);
  });

  it('names patient and staff, and nobody of another case', async () => {
    const { patient, caseId } = await clinic.admit();
    const second = await clinic.openCase();
    const inspectFile = await clinic.staff.deliver(Buffer.from('a plan'), 'text/plain', { name: 'plan.txt' });
    const attach = (id: string) =>
      clinic.staff.post(`/api/v1/admin/cases/${id}/attachments`, { file_id: inspectFile });
    const attached = (await attach(caseId)).body.id;
    const elsewhere = (await attach(second.caseId)).body.id;
    const file = await patient.deliver('a note', { caseId });
    await clinic.staff.get(`/api/v1/admin/files/${file}/download`);
    await clinic.staff.get(`/api/v1/admin/files/${elsewhere}/download`);
    await clinic.staff.download(inspectFile);
    await stranger.get(`/api/v1/admin/cases/${caseId}`);
    await patient.download(file);
    await patient.remove(file);
    const who = { ...names, [patient.id]: 'patient' };
    // Who notices a landing first is chance: it, or the reconciler.
    const lines = (body: any) => told(body, who).filter((line) => !/^system |uploads:land/.test(line));

    const ofCase = await report({ type: 'case', id: caseId, from });
    expect(lines(ofCase)).toEqual([
      'client changed cases:create PatientCase',
      'client changed inspect:presign InspectFile',
      'client changed inspect:complete InspectFile',
      'client changed attachments:create PatientFile',
      'patient changed uploads:issue Upload',
      'patient changed files:upload PatientFile',
      'client seen case-files:download PatientFile',
      'client seen inspect:download InspectFile',
      'stranger denied cases:read PatientCase',
      'patient seen files:download PatientFile',
      'patient changed files:delete PatientFile',
    ]);
    expect(ofCase.items.map(({ resource }: any) => resource.id)).not.toContain(elsewhere);
    expect(JSON.stringify(ofCase)).not.toMatch(/Jane|Doe|note\.txt|plan\.txt/);

    const ofFile = lines(await report({ type: 'file', id: file }));
    expect(ofFile).toEqual([
      'patient changed uploads:issue Upload',
      'patient changed files:upload PatientFile',
      'client seen case-files:download PatientFile',
      'patient seen files:download PatientFile',
      'patient changed files:delete PatientFile',
    ]);
    const ofInspectFile = await report({ type: 'file', id: inspectFile });
    expect(lines(ofInspectFile).filter((line) => line.includes('download'))).toEqual([
      'client seen case-files:download PatientFile',
      'client seen inspect:download InspectFile',
    ]);
    const ids = ofInspectFile.items.map(({ resource }: any) => resource.id);
    expect(ids).toEqual(expect.arrayContaining([attached, elsewhere]));
  });

  it('of an upload names who had it through a share link', async () => {
    const lines = ofStudy(await report({ type: 'file', id: exam.uploads[0] }));
    expect(lines.filter((line) => line.includes('download'))).toEqual([
      'share_link seen shares:download Upload',
      'reader seen uploads:download Upload',
      'stranger denied uploads:download Upload',
    ]);
  });
});

describe('nobody learns by a report', () => {
  it('of what is another organization’s, or was never there: the same words', async () => {
    const foreign = await world.newTenant();
    const other = new Auditor(world.baseUrl, foreign.apiKey);
    await new Client(world.baseUrl, foreign.apiKey).get(`/api/v1/admin/cases/${studyId}`); // a failure of its own
    const absent = await other.access({ type: 'study', id: randomUUID() });
    for (const asked of [
      { type: 'study', id: studyId },
      { type: 'study', study_uid: UID },
      { type: 'case', id: studyId },
      { type: 'file', id: exam.uploads[0] },
      { type: 'file', id: resultId },
    ]) {
      const answer = await other.access(asked);
      expect({ asked, status: answer.status, code: answer.body.code, detail: answer.body.detail }).toEqual({
        asked,
        status: 404,
        code: absent.body.code,
        detail: absent.body.detail,
      });
    }
  });

  it('without the right and the scope to read the ledger', async () => {
    expect((await reader.post(`${REPORTS}/access`, { type: 'study', id: studyId })).status).toBe(403);
    const weak = new Auditor(world.baseUrl, (await world.newTenant('owner', ['studies:read'])).apiKey);
    expect((await weak.access({ type: 'study', id: studyId })).status).toBe(403);
  });

  it.each([
    [{ type: 'study' }],
    [{ type: 'study', id: randomUUID(), study_uid: '1.2.3' }],
    [{ type: 'case', study_uid: '1.2.3' }],
    [{ type: 'exam', id: randomUUID() }],
    [{ type: 'study', id: randomUUID(), limit: 1001 }],
    [{ type: 'study', id: 'x' }],
    [{ type: 'study', id: randomUUID(), from: 'yesterday' }],
    [{ type: 'study', id: randomUUID(), from: '0000-01-01T00:00:00Z' }],
    [{ type: 'study', id: randomUUID(), to: '9999-12-31T23:59:59-01:00' }],
    [{ type: 'study', id: randomUUID(), from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00Z' }],
    [{ type: 'study', id: randomUUID(), from: '2026-01-02T00:00:00+02:00', to: '2026-01-01T22:00:00Z' }],
  ])('is asked %j', async (asked) => {
    expect((await auditor.access(asked)).status).toBe(400);
    expect((await auditor.disclosures(asked)).status).toBe(400);
  });
});
