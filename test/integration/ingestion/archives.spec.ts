import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { diffusion, writeNifti } from '../../../src/formats/nifti/nifti.fixture.js';
import { elementsFrom, writeDicom } from '../../../src/formats/dicom/write.js';
import { writeZip, type ZipFixtureEntry } from '../../../src/formats/zip/zip.fixture.js';
import { eventually, tokenFor } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { Hospital } from '../../support/hospital.js';
import { keysUnder } from '../../support/ledger-checks.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let hospital: Hospital;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  worker = await world.startWorker();
  tenant = await world.newTenant();
  hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
});
afterAll(() => world.close());

const zip = (entries: Record<string, Uint8Array | string>): Buffer =>
  writeZip(Object.entries(entries).map(([name, data]) => ({ name, data })));

/** The uploads an archive's entries became, in the order of the archive. */
const entriesOf = async (uploadId: string): Promise<{ id: string; name: string; order_id: string }[]> =>
  (
    await world.admin.query(
      'SELECT id, declared_name AS name, order_id, state, duplicate FROM upload WHERE parent_id = $1 ORDER BY id',
      [uploadId],
    )
  ).rows;

const eventsAbout = async (id: string): Promise<{ type: string; data: any }[]> =>
  (await hospital.events()).filter(({ data }) => JSON.stringify(data).includes(id));

/** Rows of what exists only once something is registered. */
const indexed = async (): Promise<object> =>
  (
    await world.admin.query(
      `SELECT (SELECT count(*)::int FROM study) AS studies, (SELECT count(*)::int FROM instance) AS instances,
              (SELECT count(*)::int FROM volume) AS volumes, (SELECT count(*)::int FROM stored_object) AS objects,
              (SELECT count(*)::int FROM upload WHERE parent_id IS NOT NULL) AS entries`,
    )
  ).rows[0];

describe('a ZIP with a DICOM study', () => {
  const StudyInstanceUID = newUid();
  const images = Array.from({ length: 3 }, () => ctInstance({ StudyInstanceUID }));
  const directory = writeDicom({
    elements: elementsFrom({ SOPClassUID: '1.2.840.10008.1.3.10', SOPInstanceUID: newUid() }),
  });
  const disc = {
    'DICOM/': '',
    'DICOM/PAT1/IM0': images[0]!,
    'DICOM/PAT1/IM1': images[1]!,
    DICOMDIR: directory,
    'DICOM/INDEX': directory,
    'README.txt': 'Open VIEWER.EXE',
    'VIEWER/viewer.zip': zip({ 'viewer.exe': 'MZ' }),
    'VIEWER.EXE': 'MZ',
    '.DS_Store': 'x',
    '__MACOSX/DICOM/._IM0': 'x',
    'IM2.dcm': images[2]!,
    'dwi.bval': '0 1000',
  };
  const skipped = [
    'DICOMDIR',
    'DICOM/INDEX',
    'README.txt',
    'VIEWER/viewer.zip',
    'VIEWER.EXE',
    '.DS_Store',
    '__MACOSX/DICOM/._IM0',
    'dwi.bval',
  ];
  let first: any;

  it('becomes instances of one order; what is no image is skipped, and listed', async () => {
    const orderId = await hospital.newOrder();
    first = await hospital.deliver(zip(disc), `?order_id=${orderId}&filename=disc.zip`);
    expect(first).toMatchObject({
      state: 'registered',
      name: 'disc.zip',
      order_id: orderId,
      result: { kind: 'zip', study_uid: StudyInstanceUID, instances: 3, skipped },
    });
    expect(await hospital.status(orderId)).toMatchObject({
      state: 'processing',
      study_uids: [StudyInstanceUID],
      counts: { registered: 1, rejected: 0 },
    });
    const { body: study } = await hospital.get(`/studies/${StudyInstanceUID}`);
    expect(study.series.map(({ instances }: any) => instances)).toEqual([1, 1, 1]);
    expect(study.orders).toEqual([orderId]);
  });

  it('gives each image back as it came, as an upload of its own', async () => {
    const entries = await entriesOf(first.id);
    expect(entries.map(({ name }) => name)).toEqual(['DICOM/PAT1/IM0', 'DICOM/PAT1/IM1', 'IM2.dcm']);
    for (const [index, { id, name }] of entries.entries()) {
      expect((await hospital.get(`/uploads/${id}`)).body).toMatchObject({
        state: 'registered',
        name,
        order_id: first.order_id,
        archive_upload_id: first.id,
        result: { kind: 'dicom', study_uid: StudyInstanceUID },
      });
      expect((await hospital.download(id)).equals(images[index]!)).toBe(true);
    }
    expect((await hospital.download(first.id)).equals(zip(disc))).toBe(true);
  });

  it('says so when it is sent again, and changes nothing', async () => {
    const before = await hospital.get(`/studies/${StudyInstanceUID}`);
    const again = await hospital.deliver(zip(disc));
    expect(again).toMatchObject({
      state: 'registered',
      order_id: first.order_id,
      result: { kind: 'zip', instances: 3, duplicate_of: first.id },
    });
    const originals = await entriesOf(first.id);
    for (const [index, { id }] of (await entriesOf(again.id)).entries())
      expect((await hospital.get(`/uploads/${id}`)).body.result.duplicate_of).toBe(originals[index]!.id);
    expect((await hospital.get(`/studies/${StudyInstanceUID}`)).body).toEqual(before.body);
  });

  it('keeps an image that it holds twice once', async () => {
    const image = ctInstance();
    const upload = await hospital.deliver(zip({ 'a.dcm': image, 'copy of a.dcm': image }));
    expect(await entriesOf(upload.id)).toMatchObject([
      { state: 'registered', duplicate: false },
      { state: 'registered', duplicate: true },
    ]);
    const { body: study } = await hospital.get(`/studies/${upload.result.study_uid}`);
    expect(study.series).toMatchObject([{ instances: 1 }]);
  });

  it('finds its order by the study, else makes one', async () => {
    const uid = newUid();
    const alone = await hospital.deliver(zip({ 'a.dcm': ctInstance({ StudyInstanceUID: uid }) }));
    expect(alone).toMatchObject({
      state: 'registered',
      result: { study_uid: uid, instances: 1, skipped: [] },
    });
    const later = await hospital.deliver(zip({ 'b.dcm': ctInstance({ StudyInstanceUID: uid }) }));
    expect(later.order_id).toBe(alone.order_id);
    expect((await hospital.get(`/orders/${alone.order_id}`)).body).toMatchObject({
      origin: 'assembled',
      study_uids: [uid],
      counts: { registered: 2 },
    });
  });

  it('may bring metadata.json: over the tags, under the API', async () => {
    const orderId = await hospital.newOrder({ PatientName: 'Api^Name' });
    const sidecar = { PatientName: 'Sidecar^Name', '00100040': 'F', Modality: 'MR', StudyDescription: null };
    const { state } = await hospital.deliver(
      zip({ 'a.dcm': ctInstance(), 'metadata.json': JSON.stringify(sidecar) }),
      `?order_id=${orderId}`,
    );
    expect(state).toBe('registered');
    const { attributes } = (await hospital.get(`/orders/${orderId}`)).body;
    expect(attributes).toMatchObject({
      PatientName: { value: 'Api^Name', origin: 'api', tag_value: 'Test^Patient' },
      PatientSex: { value: 'F', origin: 'sidecar' },
      Modality: { value: 'MR', origin: 'sidecar', tag_value: 'CT' },
      PatientID: { value: 'P-1', origin: 'tag' },
    });
    expect(attributes).not.toHaveProperty('StudyDescription');
  });
});

describe('a ZIP with a NIfTI set', () => {
  const set = {
    'sub/dwi.nii': diffusion.nii,
    'sub/dwi.bval': diffusion.bval,
    'sub/dwi.bvec': diffusion.bvec,
  };

  it('becomes a volume of its order, and says that it is ready', async () => {
    const orderId = await hospital.newOrder();
    const upload = await hospital.deliver(zip({ ...set, 'notes.txt': 'x' }), `?order_id=${orderId}`);
    expect(upload).toMatchObject({
      state: 'registered',
      order_id: orderId,
      result: { kind: 'zip', instances: 3, skipped: ['notes.txt'] },
    });
    const order = (await hospital.get(`/orders/${orderId}`)).body;
    expect(order).toMatchObject({
      state: 'complete',
      study_uids: [],
      volumes: [{ dimensions: [2, 2, 2], volumes: 4 }],
    });
    const [{ volume_id, upload_id }] = order.volumes;
    const entries = await entriesOf(upload.id);
    expect(entries.map(({ name }) => name).sort()).toEqual(Object.keys(set).sort());
    expect(entries.find(({ id }) => id === upload_id)!.name).toBe('sub/dwi.nii');
    for (const { id, name } of entries)
      expect((await hospital.download(id)).equals(set[name as keyof typeof set])).toBe(true);
    expect((await entriesOf(upload.id)).every(({ order_id }) => order_id === orderId)).toBe(true);
    await eventually(
      () => eventsAbout(orderId),
      (events) => events.length > 0,
    );
    expect(await eventsAbout(orderId)).toMatchObject([
      { type: 'volume.ready', data: { volume_id, order_id: orderId } },
    ]);
  });

  it('makes an order when it comes without one', async () => {
    const nii = writeNifti({ dimensions: [3, 3, 3, 4] });
    const upload = await hospital.deliver(zip({ ...set, 'sub/dwi.nii': nii }));
    expect(upload).toMatchObject({ state: 'registered', order_id: expect.any(String) });
    expect((await hospital.get(`/orders/${upload.order_id}`)).body).toMatchObject({
      origin: 'assembled',
      volumes: [{ dimensions: [3, 3, 3], volumes: 4 }],
    });
  });
});

describe('a ZIP that breaks a rule', () => {
  const study = newUid();
  const image = ctInstance({ StudyInstanceUID: study });
  const good: ZipFixtureEntry = { name: 'good.dcm', data: image };
  const with_ = (...entries: ZipFixtureEntry[]) => writeZip([good, ...entries]);
  const anonymous = writeDicom({
    elements: elementsFrom({ SOPClassUID: '1.2.840.10008.5.1.4.1.1.2', SOPInstanceUID: newUid() }),
  });
  const { nii, bval, bvec } = diffusion;

  it.each<[rule: string, where: string | undefined, bytes: Uint8Array]>([
    ['zip.encrypted', 'entry 2', with_({ name: 'b.dcm', data: image, flags: 0x0801 })],
    ['zip.path', 'entry 2', with_({ name: '../b.dcm', data: image })],
    ['zip.link', 'entry 2', with_({ name: 'b.dcm', data: 'good.dcm', mode: 0o120777 })],
    ['zip.duplicate', 'entry 2', with_(good)],
    [
      'zip.lying-size',
      'entry 2',
      with_({ name: 'b', data: image, central: { size: 9 }, local: { size: 9 } }),
    ],
    ['zip.header-mismatch', 'entry 2', with_({ name: 'b.dcm', data: image, local: { name: 'c.dcm' } })],
    ['zip.corrupt', 'entry 2', with_({ name: 'b.dcm', data: image, raw: new Uint8Array(40).fill(255) })],
    ['zip.ratio', undefined, with_({ name: 'b', central: { size: 2 ** 31 }, local: { size: 2 ** 31 } })],
    ['zip.malformed', undefined, writeZip([good]).subarray(0, -30)],
    ['zip.mixed-studies', 'entry 2', with_({ name: 'b.dcm', data: ctInstance() })],
    ['zip.mixed-studies', 'entry 2', with_({ name: 'b.nii', data: nii })],
    ['zip.no-imaging', undefined, zip({ 'README.txt': 'nothing here' })],
    ['zip.nested', 'entry 1', zip({ 'study.zip': zip({ 'a.dcm': image }) })],
    ['dicom.truncated', 'entry 2, (7FE0,0010)', with_({ name: 'b.dcm', data: image.subarray(0, -100) })],
    ['dicom.missing-study-uid', 'entry 2, (0020,000D)', with_({ name: 'b.dcm', data: anonymous })],
    ['nifti.gradients', 'entry 1', zip({ 'a.nii': nii, 'a.bval': bval })],
    ['nifti.gradients', 'b-value 3', zip({ 'a.nii': nii, 'a.bval': '0 1000\n', 'a.bvec': bvec })],
    [
      'nifti.gradients',
      'vector 4',
      zip({ 'a.nii': nii, 'a.bval': bval, 'a.bvec': '0 1 0 0\n0 0 1 0\n0 0 0 2\n' }),
    ],
    [
      'nifti.header',
      'entry 1, sizeof_hdr',
      zip({ 'a.nii': new Uint8Array(400), 'a.bval': bval, 'a.bvec': bvec }),
    ],
    ['metadata.sidecar', 'attribute 1', with_({ name: 'metadata.json', data: '{"Doe^Jane":"x"}' })],
    ['metadata.sidecar', 'StudyDate', with_({ name: 'metadata.json', data: '{"StudyDate":"Doe"}' })],
  ])('is refused whole: %s at %s', async (rule, where, bytes) => {
    const before = await indexed();
    const orderId = await hospital.newOrder();
    const upload = await hospital.deliver(bytes, `?order_id=${orderId}&filename=study.zip`);
    expect(upload).toMatchObject({ state: 'rejected', rejection: { rule, message: expect.any(String) } });
    expect(upload.rejection.where).toBe(where);
    expect(upload).not.toHaveProperty('result');
    expect(upload.rejection.message).not.toMatch(/Doe|good|b\.dcm/); // names in an archive may be a patient's
    expect(await indexed()).toEqual(before);

    const rejected = {
      upload_id: upload.id,
      name: 'study.zip',
      rule,
      message: upload.rejection.message,
      ...(where && { where }),
    };
    expect(await hospital.status(orderId)).toMatchObject({
      state: 'failed',
      study_uids: [],
      counts: { rejected: 1, registered: 0 },
      rejected: [rejected],
    });
    expect(await hospital.failureReport(orderId)).toEqual({
      order_id: orderId,
      state: 'failed',
      failed_at: expect.any(String),
      failures: [{ ...rejected, size: bytes.length, rejected_at: expect.any(String) }],
      truncated: false,
    });
    const events = await eventually(
      () => eventsAbout(orderId),
      (found) => found.length >= 2,
    );
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['upload.rejected', { upload_id: upload.id, order_id: orderId, rule }],
      ['order.failed', { order_id: orderId }],
    ]);
  });

  it('may be followed by a good one: then the order has not failed', async () => {
    const orderId = await hospital.newOrder();
    await hospital.deliver(zip({ 'README.txt': 'x' }), `?order_id=${orderId}`);
    expect((await hospital.status(orderId)).state).toBe('failed');
    await hospital.deliver(zip({ 'a.dcm': ctInstance() }), `?order_id=${orderId}`);
    expect(await hospital.status(orderId)).toMatchObject({
      state: 'processing',
      counts: { registered: 1, rejected: 1 },
    });
    expect(await hospital.failureReport(orderId)).not.toHaveProperty('failed_at');
  });
});

describe('an entry that would replace another patient’s instance', () => {
  it('is refused alone, and named; the rest of its archive is registered', async () => {
    const uids = { StudyInstanceUID: newUid(), SeriesInstanceUID: newUid() };
    const SOPInstanceUID = newUid();
    const original = ctInstance({ ...uids, SOPInstanceUID });
    const present = await hospital.deliver(original);
    expect(present.state).toBe('registered');

    const orderId = await hospital.newOrder();
    const impostor = ctInstance({ ...uids, SOPInstanceUID, PatientID: 'P-2' });
    const upload = await hospital.deliver(
      zip({ 'a/impostor.dcm': impostor, 'a/other.dcm': ctInstance(uids) }),
      `?order_id=${orderId}`,
    );
    expect(upload).toMatchObject({ state: 'registered', result: { instances: 2 } });
    const [refused, taken] = await entriesOf(upload.id);
    expect([refused, taken]).toMatchObject([
      { name: 'a/impostor.dcm', state: 'rejected' },
      { name: 'a/other.dcm', state: 'registered' },
    ]);
    expect((await hospital.failureReport(orderId)).failures).toMatchObject([
      {
        upload_id: refused!.id,
        name: 'a/impostor.dcm',
        rule: 'dicom.conflict',
        archive_upload_id: upload.id,
      },
    ]);
    expect((await hospital.status(orderId)).rejected).toMatchObject([{ rule: 'dicom.conflict' }]);
    expect((await hospital.get(`/uploads/${refused!.id}/download`)).status).toBe(404);
    expect((await hospital.download(present.id)).equals(original)).toBe(true);
    const { body: study } = await hospital.get(`/studies/${uids.StudyInstanceUID}`);
    expect(study.series).toEqual([{ series_uid: uids.SeriesInstanceUID, modality: 'CT', instances: 2 }]);
    const events = await eventually(
      () => eventsAbout(refused!.id),
      (found) => found.length > 0,
    );
    expect(events.map(({ type }) => type)).toEqual(['upload.rejected']);
  });
});

/** Last, since the worker's clock is moved. */
describe('the bytes of an archive that nothing names', () => {
  it('are swept an hour later: a rejected one’s, a duplicate’s; a skipped entry leaves none', async () => {
    const uid = newUid();
    const entries = Array.from({ length: 3 }, (_, index) => ({
      name: `${index}.dcm`,
      data: ctInstance({ StudyInstanceUID: uid }),
    }));
    const bytes = writeZip([...entries, { name: 'last.dcm', data: ctInstance() }]);
    const { id, state } = await hospital.deliver(bytes);
    expect(state).toBe('rejected');
    const prefix = `objects/${tenant.organizationId}/`;
    expect(await keysUnder(world.s3, `${prefix}${id}/`)).toEqual(
      ['1', '1/1', '1/2', '1/3', '1/4'].map((key) => `${prefix}${id}/${key}`),
    );

    const copies = async (given = 'true'): Promise<number> =>
      (await world.admin.query(`SELECT count(*)::int FROM object_copy WHERE ${given}`)).rows[0].count;
    expect(await copies()).toBeGreaterThan(1);
    worker.get(Clock).now = () => new Date(Date.now() + 2 * 3600_000);
    await eventually(
      () => copies('abandoned_at IS NULL'),
      (count) => count === 0,
    );
    worker.get(Clock).now = () => new Date(Date.now() + 4 * 3600_000);
    await eventually(copies, (count) => count === 0);
    const { rows } = await world.admin.query('SELECT key FROM stored_object ORDER BY key COLLATE "C"');
    expect(await keysUnder(world.s3, prefix)).toEqual(rows.map(({ key }) => key));
  });
});
