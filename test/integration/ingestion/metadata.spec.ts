import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { diffusion } from '../../../src/formats/nifti/nifti.fixture.js';
import { writeZip } from '../../../src/formats/zip/zip.fixture.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { basic, eventually, put, tokenFor } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { createExam } from '../../support/exam.js';
import { Hospital } from '../../support/hospital.js';
import { rawCall } from '../../support/raw-call.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let hospital: Hospital;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  await world.startWorker();
  tenant = await world.newTenant();
  hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
});
afterAll(() => world.close());

const withSidecar = (sidecar: object, image: Uint8Array): Buffer =>
  writeZip([
    { name: 'IM0', data: image },
    { name: 'metadata.json', data: JSON.stringify(sidecar) },
  ]);
const niftiSet = (sidecar?: object): Buffer =>
  writeZip([
    { name: 'dwi.nii', data: diffusion.nii },
    { name: 'dwi.bval', data: diffusion.bval },
    { name: 'dwi.bvec', data: diffusion.bvec },
    ...(sidecar ? [{ name: 'metadata.json', data: JSON.stringify(sidecar) }] : []),
  ]);

describe('a new order', () => {
  const attributesOf = async (orderId: string) => (await hospital.get(`/orders/${orderId}`)).body.attributes;

  it('takes metadata as the body of a POST, under `metadata` in it, or as the body of a GET', async () => {
    const metadata = { PatientName: 'Doe^Jane', '00100030': '19700131', PatientWeight: 71.5 };
    const expected = {
      PatientName: { value: 'Doe^Jane', origin: 'api' },
      PatientBirthDate: { value: '19700131', origin: 'api' },
      PatientWeight: { value: '71.5', origin: 'api' }, // a decimal string
    };
    const byGet = await rawCall(new URL('/new-order', world.baseUrl), {
      method: 'GET',
      authorization: basic(tenant.clientId, tenant.clientSecret),
      body: metadata,
    });
    expect([byGet.status, Object.keys(byGet.body)]).toEqual([200, ['order_id']]);
    for (const orderId of [
      await hospital.newOrder(metadata),
      await hospital.newOrder({ metadata }),
      byGet.body.order_id,
    ])
      expect(await attributesOf(orderId)).toEqual(expected);
  });

  it('takes what identifies nobody in the query of a GET', async () => {
    const metadata = encodeURIComponent(JSON.stringify({ Modality: 'MR', PatientSex: 'F' }));
    const { status, body } = await hospital.get(`/new-order?metadata=${metadata}`);
    expect(status).toBe(200);
    expect(await attributesOf(body.order_id)).toEqual({
      Modality: { value: 'MR', origin: 'api' },
      PatientSex: { value: 'F', origin: 'api' },
    });
  });
});

describe('the attributes of an order', () => {
  it('are the API’s over the sidecar’s over the tag’s; null takes one away, and the next shows', async () => {
    const studyUid = newUid();
    const orderId = await hospital.newOrder({ PatientName: 'Api^Name', PatientID: 'API' });
    const image = ctInstance({ StudyInstanceUID: studyUid, PatientName: 'Tag^Name', PatientID: 'TAG' });
    await hospital.deliver(withSidecar({ PatientName: 'Sidecar^Name' }, image), `?order_id=${orderId}`);

    const shown = async () => {
      const { attributes } = (await hospital.get(`/orders/${orderId}`)).body;
      const { body: study } = await hospital.get(`/studies/${studyUid}`);
      expect(study.attributes).toEqual(attributes);
      return { name: attributes.PatientName, conflicts: study.conflicts };
    };
    const conflict = (value: string) => ({
      attribute: 'PatientName',
      kind: 'overlay',
      value,
      tag_value: 'Tag^Name',
    });
    const idConflict = { attribute: 'PatientID', kind: 'overlay', value: 'API', tag_value: 'TAG' };
    expect(await shown()).toEqual({
      name: { value: 'Api^Name', origin: 'api', tag_value: 'Tag^Name' },
      conflicts: [idConflict, conflict('Api^Name')],
    });

    const patched = await hospital.patch(`order_id=${orderId}`, { PatientName: null, PatientID: 'TAG' });
    expect(patched.status).toBe(200);
    expect(patched.body.attributes.PatientName).toEqual({
      value: 'Sidecar^Name',
      origin: 'sidecar',
      tag_value: 'Tag^Name',
    });
    expect(await shown()).toEqual({
      name: { value: 'Sidecar^Name', origin: 'sidecar', tag_value: 'Tag^Name' },
      conflicts: [conflict('Sidecar^Name')],
    });

    await hospital.deliver(
      withSidecar({ PatientName: 'Tag^Name' }, ctInstance({ StudyInstanceUID: studyUid })),
    );
    expect((await shown()).conflicts).not.toContainEqual(expect.objectContaining({ kind: 'overlay' }));
  });

  it('are changed by keyword or tag alike, one by one, and keep what a patch does not name', async () => {
    const orderId = await hospital.newOrder({
      PatientName: 'A^B',
      StudyDescription: 'Head',
      PatientSex: 'O',
    });
    const patch = (body: unknown) =>
      hospital.call('PATCH', `/add-metadata?order_id=${orderId}`, body, {
        'content-type': 'application/merge-patch+json',
      });
    const first = await patch({ '00100010': 'C^D', '00081030': null, '0008103e': 'Axial' });
    expect(first.body).toEqual({
      order_id: orderId,
      state: 'open',
      attributes: {
        PatientName: { value: 'C^D', origin: 'api' },
        PatientSex: { value: 'O', origin: 'api' },
        SeriesDescription: { value: 'Axial', origin: 'api' },
      },
      missing_metadata: [],
    });
    const second = await patch({
      PatientName: null,
      '00100040': null,
      SeriesDescription: null,
      Modality: null,
    });
    expect(second.body.attributes).toEqual({});
    expect((await patch({})).status).toBe(200);
  });

  it('lose nothing when many are given at once', async () => {
    const orderId = await hospital.newOrder();
    const values = {
      Modality: 'CT',
      PatientSex: 'F',
      PatientID: 'X',
      StudyID: '7',
      PatientAge: '050Y',
      KVP: '120',
    };
    await Promise.all(
      Object.entries(values).map(async ([keyword, value]) => {
        expect((await hospital.patch(`order_id=${orderId}`, { [keyword]: value })).status).toBe(200);
      }),
    );
    const { attributes } = (await hospital.get(`/orders/${orderId}`)).body;
    expect(
      Object.fromEntries(Object.entries<any>(attributes).map(([name, { value }]) => [name, value])),
    ).toEqual(values);
  });

  it('have a bound that many small patches do not get over', async () => {
    const orderId = await hospital.newOrder({ OtherPatientIDs: Array(600).fill('x'.repeat(60)) });
    const more = { AdmittingDiagnosesDescription: Array(600).fill('y'.repeat(60)) };
    const refused = await hospital.patch(`order_id=${orderId}`, more);
    expect([refused.status, refused.body.code]).toEqual([400, 'metadata_too_large']);
    expect((await hospital.patch(`order_id=${orderId}`, { ...more, OtherPatientIDs: null })).status).toBe(
      200,
    );
  });

  it('are found by the study: its newest order’s, which a closed one refuses', async () => {
    const studyUid = newUid();
    const [older, newer] = [await hospital.newOrder(), await hospital.newOrder()];
    for (const orderId of [newer, older])
      // the age of the order counts, not when its images came
      await hospital.deliver(ctInstance({ StudyInstanceUID: studyUid }), `?order_id=${orderId}`);
    expect((await hospital.get(`/orderId?study_uid=${studyUid}`)).body.order_ids).toEqual([newer, older]);

    const patched = await hospital.patch(`study_uid=${studyUid}`, { Modality: 'MR' });
    expect(patched.body).toMatchObject({ order_id: newer, state: 'processing' });
    expect((await hospital.get(`/orders/${older}`)).body.attributes.Modality).toEqual({
      value: 'CT',
      origin: 'tag',
    });
    expect((await hospital.get(`/studies/${studyUid}`)).body.attributes.Modality.value).toBe('MR');

    await hospital.post(`/orders/${newer}/close`);
    await eventually(
      () => hospital.status(newer),
      ({ state }) => state === 'closed',
    );
    const refused = await hospital.patch(`study_uid=${studyUid}`, { Modality: 'PT' });
    expect([refused.status, refused.body.code]).toEqual([409, 'order_closed']);
    expect((await hospital.patch(`order_id=${older}`, { Modality: 'PT' })).status).toBe(200);
  });
});

describe('metadata that an organization requires', () => {
  let clinic: Hospital;
  beforeAll(async () => {
    const { organizationId, ...credentials } = await world.newTenant();
    clinic = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, credentials));
    await world.admin.query(
      `UPDATE organization SET required_metadata = '{AccessionNumber,PatientSex,PatientID}' WHERE id = $1`,
      [organizationId],
    );
  });

  it('is asked for from the first; an order without it ends incomplete, and is completed by PATCH', async () => {
    const orderId = await clinic.newOrder({ PatientSex: 'F' });
    expect(await clinic.status(orderId)).toMatchObject({
      state: 'open',
      missing_metadata: ['AccessionNumber', 'PatientID'],
    });
    await clinic.deliver(niftiSet(), `?order_id=${orderId}`);
    expect((await clinic.status(orderId)).state).toBe('incomplete');
    expect((await clinic.get('/orders')).body.items[0]).toMatchObject({
      order_id: orderId,
      state: 'incomplete',
      missing_metadata: ['AccessionNumber', 'PatientID'],
    });

    const first = await clinic.patch(`order_id=${orderId}`, { PatientID: 'P-7' });
    expect(first.body).toMatchObject({ state: 'incomplete', missing_metadata: ['AccessionNumber'] });
    const second = await clinic.patch(`order_id=${orderId}`, { '00080050': 'A-1' });
    expect(second.body).toMatchObject({ state: 'complete', missing_metadata: [] });
    const third = await clinic.patch(`order_id=${orderId}`, { '00080050': null });
    expect(third.body).toMatchObject({ state: 'incomplete', missing_metadata: ['AccessionNumber'] });
  });

  it('may come as tags, of which an empty one is none, and with a sidecar', async () => {
    const [studyUid, orderId] = [newUid(), await clinic.newOrder()];
    const missing = async () => (await clinic.status(orderId)).missing_metadata;
    const image = () => ctInstance({ StudyInstanceUID: studyUid, PatientID: '' });
    await clinic.deliver(image(), `?order_id=${orderId}`);
    expect(await missing()).toEqual(['AccessionNumber', 'PatientSex', 'PatientID']);
    // What the first instance of the study does not say, a later one may.
    const later = await clinic.newOrder();
    await clinic.deliver(ctInstance({ PatientID: '' }), `?order_id=${later}`);
    const [laterUid] = (await clinic.status(later)).study_uids;
    const said = { StudyInstanceUID: laterUid, PatientID: '', PatientSex: 'F', AccessionNumber: 'A-9' };
    await clinic.deliver(ctInstance(said as object), `?order_id=${later}`);
    expect((await clinic.status(later)).missing_metadata).toEqual(['PatientID']);
    await clinic.deliver(withSidecar({ PatientSex: 'M' }, image()), `?order_id=${orderId}`);
    expect(await missing()).toEqual(['AccessionNumber', 'PatientID']);
    await clinic.deliver(niftiSet({ AccessionNumber: 'A-2' }), `?order_id=${orderId}`);
    expect(await missing()).toEqual(['PatientID']);
    await clinic.deliver(ctInstance({ PatientID: 'P-8' }), `?order_id=${orderId}`); // of another study
    expect(await clinic.status(orderId)).toMatchObject({ state: 'processing', missing_metadata: [] });
  });

  it('is still taken by a closed order that lacks it, and by no other', async () => {
    const orderId = await clinic.newOrder({ AccessionNumber: 'A-3' });
    await clinic.deliver(ctInstance(), `?order_id=${orderId}`);
    await clinic.post(`/orders/${orderId}/close`);
    await eventually(
      () => clinic.status(orderId),
      ({ state }) => state === 'incomplete',
    );
    const patched = await clinic.patch(`order_id=${orderId}`, { PatientSex: 'O' });
    expect(patched.body).toMatchObject({ state: 'closed', missing_metadata: [] });
    const refused = await clinic.patch(`order_id=${orderId}`, { PatientSex: null });
    expect([refused.status, refused.body.code]).toEqual([409, 'order_closed']);
  });
});

describe('what is recorded of metadata', () => {
  it('is how many attributes, and never a name or a value', async () => {
    const orderId = await hospital.newOrder({ PatientName: 'Canary^Name', PatientID: 'CANARY-ID' });
    const patch = { PatientName: null, PatientID: 'CANARY-ID-2', PatientComments: 'Canary text' };
    const { headers } = await hospital.patch(`order_id=${orderId}`, patch);
    await hospital.deliver(
      withSidecar({ PatientName: 'Canary^Sidecar' }, ctInstance()),
      `?order_id=${orderId}`,
    );
    await hospital.get(`/orders/${orderId}`);
    const { rows } = await world.admin.query(
      'SELECT action, resource_type, resource_id, detail FROM audit_event WHERE request_id = $1',
      [headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      {
        action: 'metadata:write',
        resource_type: 'Order',
        resource_id: orderId,
        detail: { set: 2, removed: 1 },
      },
    ]);
    for (const table of ['audit_event', 'outbox_event', 'upload', 'idempotency_key', 'stored_object']) {
      const found = await world.admin.query(`SELECT 1 FROM ${table} t WHERE t::text ILIKE '%canary%'`);
      expect({ table, rows: found.rowCount }).toEqual({ table, rows: 0 });
    }
  });
});

describe('the bytes of an object whose metadata says who the patient is', () => {
  let limited: Hospital;
  beforeAll(async () => {
    const scopes = SCOPES.filter((scope) => scope !== 'originals:read').join(' ');
    limited = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant, scopes));
  });
  const download = (uploadId: string) => limited.get(`/uploads/${uploadId}/download`);
  const expectScopeNeeded = async (uploadId: string) => {
    const { status, body, headers } = await download(uploadId);
    expect([status, body.code]).toEqual([403, 'insufficient_scope']);
    expect(headers.get('www-authenticate')).toContain('scope="originals:read"');
    expect((await hospital.download(uploadId)).length).toBeGreaterThan(0);
  };

  it('need originals:read as long as it says so', async () => {
    const { id, order_id } = await hospital.deliver(ctInstance());
    expect((await download(id)).status).toBe(200);
    await hospital.patch(`order_id=${order_id}`, { Modality: 'MR', StudyDescription: 'Head' });
    expect((await download(id)).status).toBe(200);
    await hospital.patch(`order_id=${order_id}`, { PatientSex: 'F' });
    await expectScopeNeeded(id);
    await hospital.patch(`order_id=${order_id}`, { PatientSex: null });
    expect((await download(id)).status).toBe(200);
  });

  it('need it when a sidecar says so: the archive and its entries', async () => {
    const archive = await hospital.deliver(withSidecar({ PatientName: 'Side^Car' }, ctInstance()));
    const { rows } = await world.admin.query('SELECT id FROM upload WHERE parent_id = $1', [archive.id]);
    await expectScopeNeeded(archive.id);
    await expectScopeNeeded(rows[0].id);
  });

  it('need it whichever of its study’s orders says so, and whichever way the object came', async () => {
    const studyUid = newUid();
    const first = await hospital.deliver(ctInstance({ StudyInstanceUID: studyUid }));
    const archive = await hospital.deliver(
      writeZip([{ name: 'a', data: ctInstance({ StudyInstanceUID: studyUid }) }]),
    );
    const image = ctInstance({ StudyInstanceUID: studyUid });
    const exam = await createExam(hospital, { 'a.dcm': image });
    await put(exam.upload_urls[0]!.url, image);
    await hospital.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    const { body } = await hospital.get(`/api/v1/exams/${exam.exam_id}`);
    const ids = [first.id, archive.id, body.files[0].upload_id];
    for (const id of ids) {
      await hospital.settled(id);
      expect((await download(id)).status).toBe(200);
    }
    const orderId = await hospital.newOrder({ PatientName: 'Another^Name' });
    await hospital.deliver(ctInstance({ StudyInstanceUID: studyUid }), `?order_id=${orderId}`);
    for (const id of ids) await expectScopeNeeded(id);
  });
});
