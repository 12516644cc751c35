import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { parseCsv } from '../../support/csv.js';
import { Client } from '../../support/client.js';
import { Clinic } from '../../support/clinic.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { ctInstance } from '../../support/dicom-files.js';
import { Hospital } from '../../support/hospital.js';
import { type SignedInStaff, StaffDoor } from '../../support/staff.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';
import { asApplication, Auditor, type SharedExam, sharedExam, told } from './story.js';

jest.setTimeout(180_000);

const YEAR = 365.25 * 24 * 3600 * 1000;

let world: World;
let tenant: Tenant;
let client: Client;
let auditor: Auditor;
let reader: SignedInStaff;
let names: Record<string, string>;
const [UID, OTHER_UID] = [newUid(), newUid()];
let exam: SharedExam;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', RATE_LIMIT_PER_MINUTE: '100000' });
  await world.startWorker();
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  const door = new StaffDoor(world, tenant.organizationId);
  reader = await door.signIn('reader');
  auditor = new Auditor(world.baseUrl, (await door.signIn('auditor')).accessToken);
  names = { [reader.userId]: 'reader' };
  exam = await sharedExam(client, {
    'a.dcm': ctInstance({ StudyInstanceUID: UID }),
    'b.dcm': ctInstance({ StudyInstanceUID: OTHER_UID }),
  });
}, 180_000);
afterAll(() => world.close());

const report = async (asked: object): Promise<any> => {
  const { status, body, text } = await auditor.disclosures({ limit: 1000, ...asked });
  if (status !== 200) throw new Error(`${status} ${text}`);
  return body;
};

describe('the disclosure report of a study', () => {
  it('lists what may have left, to whom, and on what evidence', async () => {
    const [upload, other] = exam.uploads as [string, string];
    const anonymous = new Client(world.baseUrl);
    const hospital = new Hospital(world.baseUrl, tenant.apiKey);
    const order = await hospital.newOrder();
    await hospital.deliver(ctInstance({ StudyInstanceUID: UID }), `?order_id=${order}`);
    await hospital.post(`/results?order_id=${order}`, { finding: 'none' });
    await anonymous.get(`/share/${exam.token}`);
    await anonymous.get(`/share/${exam.token}/files/${upload}`);
    await anonymous.get(`/share/${exam.token}/files/${other}`);
    await reader.get(`/uploads/${upload}/download`);
    await client.get(`/uploads/${upload}/download`); // who had sent it
    await client.get(`/results?order_id=${order}`); // who had delivered it
    await reader.get(`/results?study_uid=${UID}`);
    await reader.get(`/studies/${UID}`); // shown, not given away
    await reader.get(`/uploads/${newId()}/download`); // nothing

    const body = await report({ type: 'study', study_uid: UID });
    expect(told(body, names)).toEqual([
      'share_link share_opening shares:open ShareLink',
      'share_link share_download shares:download Upload',
      'reader download uploads:download Upload',
      'reader result_download results:download Result',
    ]);
    expect(body.items.map(({ evidence }: any) => evidence).toReversed()).toEqual([
      'delivered',
      'issued',
      'issued',
      'issued',
    ]);
    expect(new Set(body.items.map(({ purpose }: any) => purpose))).toEqual(new Set(['not stated']));
    const [download, opening] = [body.items[2], body.items[3]];
    expect(download.what).toEqual({ resource: { type: 'Upload', id: upload }, study: body.id });
    expect(opening.recipient).toMatchObject({
      kind: 'share_link',
      ip: expect.stringMatching(/127\.0\.0\.1$/),
    });
    expect(body.notes.join(' ')).toMatch(/issued, not that anything was retrieved/);
    for (const secret of [UID, 'Test^Patient', 'Juan', 'a.dcm'])
      expect(JSON.stringify(body)).not.toContain(secret);

    const theirs = told(await report({ type: 'study', study_uid: OTHER_UID }), names);
    expect(theirs).toEqual([
      'share_link share_opening shares:open ShareLink',
      'share_link share_download shares:download Upload',
    ]);
  });

  it('lists what somebody had who says to have brought it', async () => {
    const uid = newUid();
    const key = await world.organizations.createApiKey({
      organizationId: tenant.organizationId,
      name: 'younger than the reader', // of two sources, the older one would be taken
      role: 'owner',
      scopes: SCOPES,
    });
    const hospital = new Hospital(world.baseUrl, key);
    const { uploads } = await sharedExam(new Client(world.baseUrl, key), {
      'a.dcm': ctInstance({ StudyInstanceUID: uid }),
    });
    const order = await hospital.newOrder();
    await hospital.deliver(ctInstance({ StudyInstanceUID: uid }), `?order_id=${order}`);
    await hospital.post(`/results?order_id=${order}`, { finding: 'none' });
    await reader.get(`/uploads/${uploads[0]}/download`);
    await reader.get(`/results?study_uid=${uid}`);
    const { id, items } = await report({ type: 'study', study_uid: uid });
    expect(told({ items }, names)).toEqual([
      'reader download uploads:download Upload',
      'reader result_download results:download Result',
    ]);

    for (const change of ['upload SET principal_id', 'result SET delivered_by_id'])
      await expect(
        asApplication(world, tenant, `UPDATE ${change} = $1`, [reader.userId]),
      ).rejects.toMatchObject({ code: '42501' });
    const added = `
      INSERT INTO result (id, organization_id, order_id, upload_id, report_type, content_type, delivered_by_id, created_at)
      VALUES ($1, $2, $3, $4, 'json', 'application/json', $5, now())`;
    const values = [newId(), tenant.organizationId, order, uploads[0], reader.userId];
    expect(await asApplication(world, tenant, added, values)).toBe(1);
    for (const asked of [
      { type: 'study', id },
      { type: 'file', id: uploads[0] },
    ])
      expect((await report(asked)).items).toEqual(
        items.filter(({ what }: any) => asked.type === 'study' || what.resource.id === uploads[0]),
      );
  });

  it('is CSV as well, and an event about the study', async () => {
    const { id, items } = await report({ type: 'study', study_uid: UID });
    const answer = await auditor.disclosures({ type: 'study', id, format: 'csv' });
    const [header, ...records] = parseCsv(answer.text);
    expect(header).toEqual(expect.arrayContaining(['date', 'evidence', 'recipient_id', 'purpose', 'study']));
    const [date, event] = [header!.indexOf('date'), header!.indexOf('event_id')];
    expect(records.map((cells) => [cells[date], cells[event]])).toEqual(
      items.map(({ time, event_id }: any) => [time, event_id]),
    );
    const { rows } = await world.admin.query(
      'SELECT action, resource_id FROM audit_event WHERE request_id = $1',
      [answer.headers.get('x-request-id')],
    );
    expect(rows).toEqual([{ action: 'audit:report-disclosures', resource_id: id }]);
  });

  it('goes six years back, and no further', async () => {
    const { id, from, to } = await report({ type: 'study', study_uid: UID });
    const years = (Date.parse(to) - Date.parse(from)) / YEAR;
    expect(Math.round(years * 100) / 100).toBe(6);
    const asked = { type: 'study', id };
    expect((await auditor.disclosures({ ...asked, from: '2019-01-01T00:00:00Z' })).status).toBe(400);
    expect((await report({ ...asked, to: from })).items).toEqual([]);
  });
});

it('of a patient lists what others had of their files, and not what they fetched themselves', async () => {
  const clinic = await Clinic.open(world, tenant);
  const { patient, caseId } = await clinic.admit();
  const { patient: neighbour, caseId: another } = await clinic.admit();
  const file = await patient.deliver('a note', { caseId });
  const theirs = await neighbour.deliver('another note', { caseId: another });
  await patient.download(file);
  await clinic.staff.get(`/api/v1/admin/files/${file}/download`);
  await clinic.staff.get(`/api/v1/admin/files/${theirs}/download`);
  await patient.remove(file);
  const { items } = await report({ type: 'patient', id: patient.id });
  expect(items).toEqual([
    expect.objectContaining({
      kind: 'download',
      operation: 'case-files:download',
      what: { resource: { type: 'PatientFile', id: file }, patient: patient.id },
    }),
  ]);
  for (const asked of [
    { type: 'case', id: caseId },
    { type: 'file', id: file },
  ])
    expect((await report(asked)).items).toEqual(items);

  const foreign = new Auditor(world.baseUrl, (await world.newTenant()).apiKey);
  expect((await foreign.disclosures({ type: 'patient', id: patient.id })).status).toBe(404);
});
