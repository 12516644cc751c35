import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeZip } from '../../../src/formats/zip/zip.fixture.js';
import { newUid } from '../../../src/demo/phantom.js';
import { deleteOfExam } from '../../../src/modules/uploads/upload.ledger.js';
import { StudiesService } from '../../../src/modules/studies/studies.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { findDisagreements } from '../../support/ledger-checks.js';
import { insertExam, stage } from '../../support/ledger-rows.js';
import { type Facts, MINUTE, type Scene, SECOND, StudyMaker, Theatre } from './scene.js';

let theatre: Theatre;
let scene: Scene;
let study: StudyMaker;

beforeAll(async () => {
  theatre = await Theatre.open();
});
afterAll(() => theatre.close());
beforeEach(async () => {
  scene = await theatre.scene();
  study = new StudyMaker();
});

const wrong = () => findDisagreements(theatre.stack, scene.organizationId);
const count = async (table: 'study' | 'series' | 'instance' | 'submission') => {
  const rows = await scene.query(`SELECT 1 FROM ${table} WHERE organization_id = $1`);
  return rows.length;
};

/** Refused, its bytes kept for whoever looks into it, and nothing else refers to them. */
async function expectQuarantined(upload: string): Promise<void> {
  const { state, rule, key, studyId } = await scene.upload(upload);
  expect({ state, rule, studyId }).toEqual({ state: 'rejected', rule: 'dicom.conflict', studyId: null });
  expect(await theatre.outside.storage.head(key!)).toBeDefined();
  const referring = await scene.query(
    `SELECT u.id FROM upload u JOIN stored_object o ON o.id = u.stored_object_id WHERE u.organization_id = $1 AND o.key = $2
     UNION ALL SELECT i.id FROM instance i JOIN stored_object o ON o.id = i.stored_object_id WHERE i.organization_id = $1 AND o.key = $2`,
    [key],
  );
  expect(referring).toEqual([{ id: upload }]);
}

describe('the same SOPInstanceUID', () => {
  it.each<[string, () => Facts]>([
    ['patient', () => ({ PatientID: 'P-2' })],
    ['issuer of the patient’s id', () => ({ IssuerOfPatientID: 'Elsewhere' })],
    ['study', () => ({ StudyInstanceUID: newUid() })],
    ['series', () => ({ SeriesInstanceUID: newUid() })],
    ['SOP class', () => ({ SOPClassUID: '1.2.840.10008.5.1.4.1.1.4' })],
  ])('of another %s is quarantined, whoever sends it, and what is there stays', async (_, facts) => {
    const first = await scene.send(study.bytes('a'), 0);
    const before = [await count('study'), await count('series'), await scene.submissions(study)];
    const other = await scene.send(study.bytes('a', facts()), 10 * SECOND, { mayReplace: true });
    await expectQuarantined(other);
    const again = await scene.send(study.bytes('a', facts()), 10 * MINUTE);
    await expectQuarantined(again);
    expect(await scene.shown(study, 1)).toEqual({ a: first });
    expect([await count('study'), await count('series'), await scene.submissions(study)]).toEqual(before);
    expect((await scene.events('upload.rejected')).map(({ rule }) => rule)).toEqual([
      'dicom.conflict',
      'dicom.conflict',
    ]);
    expect(await wrong()).toEqual([]);
  });

  it('with other bytes of another uploader is quarantined', async () => {
    const first = await scene.send(study.bytes('a'), 0);
    const other = await scene.send(study.bytes('a'), SECOND, { principal: newId() });
    await expectQuarantined(other);
    expect(await scene.shown(study, 1)).toEqual({ a: first });
    expect(await wrong()).toEqual([]);
  });

  it('of another uploader who may replace, replaces', async () => {
    const first = await scene.send(study.bytes('a'), 0);
    const other = await scene.send(study.bytes('a'), SECOND, { principal: newId(), mayReplace: true });
    expect(await scene.shown(study, 1)).toEqual({ a: other });
    expect((await scene.upload(first)).state).toBe('registered');
  });

  it('with the same bytes is another uploader’s duplicate, and gives no right over them', async () => {
    const bytes = study.bytes('a');
    const principal = newId();
    const first = await scene.send(bytes, 0);
    const duplicate = await scene.send(bytes, SECOND, { principal });
    expect(await scene.upload(duplicate)).toMatchObject({ state: 'registered', duplicate: true });
    await expectQuarantined(await scene.send(study.bytes('a'), 2 * SECOND, { principal }));
    expect(await scene.shown(study, 1)).toEqual({ a: first });
    const own = await scene.send(study.bytes('a'), 3 * SECOND);
    expect(await scene.shown(study, 1)).toEqual({ a: own }); // nor does it take anybody's away
  });

  it('in the same transaction: who sent the same bytes may not replace them there either', async () => {
    const bytes = study.bytes('a');
    const principal = newId();
    const uploads = [
      await scene.land(bytes, 0),
      await scene.land(bytes, SECOND, { principal }),
      await scene.land(study.bytes('a'), 2 * SECOND, { principal }),
      await scene.land(study.bytes('a'), 3 * SECOND, { principal: newId() }),
    ];
    await scene.verifyTogether(...uploads);
    expect(Object.keys(await scene.shown(study, 1))).toEqual(['a']);
    await expectQuarantined(uploads[2]!);
    await expectQuarantined(uploads[3]!);
    expect(await wrong()).toEqual([]);
  });

  it('is not all: no other instance either may come into a study that somebody else began', async () => {
    const first = await scene.send(study.bytes('a'), 0);
    await expectQuarantined(await scene.send(study.bytes('b'), SECOND, { principal: newId() }));
    await expectQuarantined(
      await scene.send(study.bytes('c'), 20 * MINUTE, { principal: newId(), exam: true }),
    );
    const welcome = await scene.send(study.bytes('d'), 2 * SECOND, { principal: newId(), mayReplace: true });
    expect(await scene.shown(study, 1)).toEqual({ a: first, d: welcome });
    expect(await wrong()).toEqual([]);
  });

  it('for two studies in one transaction is one of them, and no trace of the other', async () => {
    const other = new StudyMaker();
    const SOPInstanceUID = study.sop('a');
    const second = await scene.land(other.bytes('b', { SOPInstanceUID }), SECOND);
    const first = await scene.land(study.bytes('a'), 0);
    await scene.verifyTogether(second, first);
    await expectQuarantined(second);
    expect(await scene.shown(study, 1)).toEqual({ a: first });
    expect(await scene.submissions(other)).toEqual([]);
    expect(await wrong()).toEqual([]);
  });

  it('for two studies by two workers at once is one of them, and no trace of the other', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = [new StudyMaker(), new StudyMaker()];
      const SOPInstanceUID = one.sop('a');
      const uploads = [
        await scene.land(one.bytes('a'), 0),
        await scene.land(other.bytes('b', { SOPInstanceUID }), 0),
      ];
      await Promise.all(
        uploads.map(async (uploadId) => {
          const worker = scene.anotherWorker();
          worker.queued.set(uploadId, { organizationId: scene.organizationId, uploadId });
          await worker.drain();
        }),
      );
      const states = await Promise.all(uploads.map(async (id) => (await scene.upload(id)).state));
      expect(states.sort()).toEqual(['registered', 'rejected']);
      expect(
        [await scene.submissions(one), await scene.submissions(other)].filter(({ length }) => length > 0),
      ).toHaveLength(1);
    }
    expect(await wrong()).toEqual([]);
  });

  it('in another organization is nobody’s business', async () => {
    await scene.send(study.bytes('a'), 0);
    const elsewhere = await theatre.scene();
    const bytes = study.bytes('a', { PatientID: 'P-2' });
    expect((await elsewhere.upload(await elsewhere.send(bytes, 0))).state).toBe('registered');
  });
});

describe('an archive', () => {
  it('is refused when each of its instances is, and what its sidecar says with it', async () => {
    const orderId = await scene.newOrder();
    await scene.send(study.bytes('a'), 0);
    const zip = writeZip([
      { name: 'a.dcm', data: study.bytes('a', { PatientID: 'P-2' }) },
      { name: 'metadata.json', data: '{"PatientName":"Other^Patient"}' },
    ]);
    const archive = await scene.send(zip, SECOND, { orderId });
    expect(await scene.upload(archive)).toMatchObject({ state: 'rejected', rule: 'dicom.conflict' });
    expect(await scene.query('SELECT 1 FROM order_overlay WHERE organization_id = $1')).toEqual([]);
    expect(await scene.events('order.failed')).toEqual([{ order_id: orderId }]);
    expect(await wrong()).toEqual([]);
  });

  it('is kept when some are, and those are named', async () => {
    const first = await scene.send(study.bytes('a'), 0);
    const zip = writeZip([
      { name: 'a.dcm', data: study.bytes('a', { PatientID: 'P-2' }) },
      { name: 'b.dcm', data: study.bytes('b', { PatientID: 'P-2' }) },
    ]);
    const archive = await scene.send(zip, SECOND);
    expect((await scene.upload(archive)).state).toBe('registered');
    const children = await scene.query<{ name: string; state: string }>(
      `SELECT declared_name AS name, state::text FROM upload WHERE organization_id = $1 AND parent_id = $2 ORDER BY 1`,
      [archive],
    );
    expect(children).toEqual([
      { name: 'a.dcm', state: 'rejected' },
      { name: 'b.dcm', state: 'registered' },
    ]);
    expect(await scene.shown(study, 1)).toEqual({ a: first, b: expect.any(String) });
    expect(await wrong()).toEqual([]);
  });
});

describe('an instance that says otherwise than its study', () => {
  it('is kept and marked', async () => {
    await scene.send(study.bytes('a'), 0);
    await scene.send(study.bytes('b', { PatientName: 'Other^Patient', PatientID: 'P-2' }), SECOND);
    expect(
      await scene.query(
        `SELECT sop_instance_uid AS sop, disagreements FROM instance WHERE organization_id = $1 ORDER BY landed_at`,
      ),
    ).toEqual([
      { sop: study.sop('a'), disagreements: null },
      { sop: study.sop('b'), disagreements: { PatientName: 'Other^Patient', PatientID: 'P-2' } },
    ]);
  });

  it('by what landed first, in whatever order it is verified together', async () => {
    const [a, b] = [
      await scene.land(study.bytes('a', { PatientName: 'First' }), 0),
      await scene.land(study.bytes('b', { PatientName: 'Second' }), SECOND),
    ];
    await scene.verifyTogether(b, a);
    const [row] = await scene.query(
      'SELECT patient_name AS name FROM study WHERE organization_id = $1 AND study_instance_uid = $2',
      [study.uid],
    );
    expect(row).toEqual({ name: 'First' });
  });
});

describe('the deletion of an exam', () => {
  async function exam(bytes: Uint8Array, time: number): Promise<{ examId: string; upload: string }> {
    const { admin, s3 } = theatre.stack;
    const rows = await insertExam(
      admin,
      theatre.outside.database,
      scene.organizationId,
      { file: bytes },
      scene.clock.now(),
    );
    const upload = rows.uploads.file!;
    await stage(s3, scene.organizationId, upload, bytes);
    await scene.notice(upload, bytes.length, time);
    await scene.verify(upload);
    return { examId: rows.examId, upload };
  }
  const remove = (examId: string) =>
    theatre.outside.database.withOrganization(scene.organizationId, async (tx) => {
      const studies = new StudiesService();
      await studies.lockOfExam(tx, scene.organizationId, examId);
      const gone = await deleteOfExam(tx, scene.organizationId, examId, 'exam deleted', scene.clock.now());
      const objects = gone.flatMap(({ storedObjectId }) => storedObjectId ?? []);
      await studies.withdrawUnreferenced(tx, scene.organizationId, objects);
    });

  it.each([
    ['within a generation', 2 * MINUTE, 1],
    ['in a new one', 10 * MINUTE, 2],
  ])('that replaced an instance %s brings the former version back', async (_, time, generation) => {
    const former = await exam(study.bytes('a'), 0);
    const other = await exam(study.bytes('b'), 0);
    const replacing = await exam(study.bytes('a'), time);
    expect(await scene.shown(study, generation)).toEqual({ a: replacing.upload, b: other.upload });
    await remove(replacing.examId);
    expect(await scene.shown(study, generation)).toEqual({ a: former.upload, b: other.upload });
    expect(await wrong()).toEqual([]);
  });

  it('whose version was replaced changes nothing that is shown', async () => {
    const former = await exam(study.bytes('a'), 0);
    const replacing = await exam(study.bytes('a'), SECOND);
    await remove(former.examId);
    expect(await scene.shown(study, 1)).toEqual({ a: replacing.upload });
    await remove(replacing.examId);
    expect(await count('study')).toBe(0);
    expect(await count('submission')).toBe(0);
    expect(await wrong()).toEqual([]);
  });

  it('leaves what somebody else sent again', async () => {
    const bytes = study.bytes('a');
    const first = await exam(bytes, 0);
    const again = await exam(bytes, SECOND);
    await remove(again.examId);
    expect(await scene.shown(study, 1)).toEqual({ a: first.upload });
    expect(await wrong()).toEqual([]);
  });
});
