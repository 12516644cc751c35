import { createHash } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { stagingKey } from '../../src/modules/uploads/uploads.keys.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { Client, eventually, put } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { type CreatedExam, createExam } from '../support/exam.js';
import { findDisagreements } from '../support/ledger-checks.js';
import { type Asked, type Lie, LyingStorage } from '../support/lying-storage.js';
import { type OwnStorage, startOwnStorage } from '../support/own-storage.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

const COPIED =
  '<CopyObjectResult><ETag>"0"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyObjectResult>';
const BROKEN = '<Error><Code>InternalError</Code></Error>';

let storage: OwnStorage;
let liar: LyingStorage;
let world: World;
let tenant: Tenant;
let client: Client;
let worker: INestApplicationContext;

beforeAll(async () => {
  storage = await startOwnStorage();
  liar = await LyingStorage.before(storage.port);
  world = await createWorld({ S3_ENDPOINT: liar.endpoint, RECONCILE_INTERVAL_MS: '300' });
  worker = await world.startWorker();
}, 60_000);
afterAll(async () => {
  await world.close();
  await liar.close();
  await storage.close();
}, 60_000);
beforeEach(async () => {
  liar.rule = () => undefined;
  liar.lies = 0;
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  worker.get(Clock).now = () => new Date();
});

const isCopy = ({ method, headers }: Asked) => method === 'PUT' && 'x-amz-copy-source' in headers;
const isRead = ({ method, path }: Asked) => method === 'GET' && path.includes('/objects/');
const isListing = ({ method, query }: Asked) => method === 'GET' && query.has('list-type');

/** Lies to the first so many requests of a kind, then tells the truth. */
const lieTo = (which: (asked: Asked) => boolean, times: number, lie: Lie): void => {
  liar.rule = (asked) => (which(asked) && liar.lies < times ? lie : undefined);
};

interface Outcome {
  state: string;
  upload_id: string;
  rejection?: { rule: string };
}
const file = async ({ exam_id }: CreatedExam): Promise<Outcome> =>
  (await client.get(`/api/v1/exams/${exam_id}`)).body.files[0];
const settled = (exam: CreatedExam) =>
  eventually(
    () => file(exam),
    ({ state }) => state === 'registered' || state === 'rejected',
  );
const upload = async (bytes: Uint8Array): Promise<CreatedExam> => {
  const exam = await createExam(client, { 'a.dcm': bytes });
  expect(await put(exam.upload_urls[0]!.url, bytes)).toBe(200);
  return exam;
};
const confirm = ({ exam_id }: CreatedExam) => client.post(`/api/v1/exams/${exam_id}/confirm`);
const nothingWrong = async () =>
  expect(await findDisagreements({ admin: world.admin, s3: storage.s3 }, tenant.organizationId)).toEqual([]);
const failuresOf = async (exam: CreatedExam) => {
  const { upload_id } = await file(exam);
  const { rows } = await world.admin.query('SELECT failures, parked_at FROM upload WHERE id = $1', [
    upload_id,
  ]);
  return rows[0] as { failures: number; parked_at: Date | null };
};
/** The worker's clock runs ahead: what stands still is queued again at once. */
const hasten = () => {
  worker.get(Clock).now = () => new Date(Date.now() + 20_000);
};

describe('a bucket that lies while an upload is verified', () => {
  it.each<[string, (asked: Asked) => boolean, number, Lie]>([
    ['half a body and then a cut, twice', isRead, 2, { kind: 'halve' }],
    ['500 after the copy, until the client gives up', isCopy, 3, { kind: 'fail' }],
    ['200 without having copied', isCopy, 1, { kind: 'pretend', status: 200, body: COPIED }],
    ['500 instead of the bytes', isRead, 3, { kind: 'pretend', status: 500, body: BROKEN }],
    [
      '500 within a 200, as S3 answers a copy that failed',
      isCopy,
      3,
      { kind: 'pretend', status: 200, body: BROKEN },
    ],
    ['slow in everything', () => true, 20, { kind: 'delay', milliseconds: 300 }],
    ['a listing that fails', isListing, 6, { kind: 'fail' }],
  ])(
    '%s',
    async (_, which, times, lie) => {
      const bytes = ctInstance();
      const exam = await upload(bytes);
      lieTo(which, times, lie);
      expect((await confirm(exam)).status).toBe(200);
      const outcome = await settled(exam);
      expect(outcome.state).toBe('registered');
      await eventually(
        () => Promise.resolve(liar.lies),
        (lies) => lies >= times || lie.kind === 'delay',
      );
      expect(await failuresOf(exam)).toEqual({ failures: expect.any(Number), parked_at: null });
      await nothingWrong();
    },
    40_000,
  );

  it('a listing that tells another size: the bytes decide, and the exam gets its file', async () => {
    const bytes = ctInstance();
    const exam = await createExam(client, { 'a.dcm': bytes });
    lieTo(isListing, Infinity, {
      kind: 'rewrite',
      body: (text) => text.replace(/<Size>\d+<\/Size>/g, '<Size>1</Size>'),
    });
    expect(await put(exam.upload_urls[0]!.url, bytes)).toBe(200);
    await eventually(
      () => file(exam),
      ({ state }) => state === 'registered',
    );
    liar.rule = () => undefined;
    expect((await confirm(exam)).status).toBe(200);
    await nothingWrong();
  }, 40_000);
});

describe('an object that changes between landing and verification', () => {
  /** Landed by a confirm, with every copy refused until the bucket was changed. */
  async function landedThen(
    bytes: Uint8Array,
    change: (key: string) => Promise<unknown>,
  ): Promise<CreatedExam> {
    const exam = await upload(bytes);
    liar.rule = (asked) => (isCopy(asked) ? { kind: 'pretend', status: 503, body: BROKEN } : undefined);
    expect((await confirm(exam)).status).toBe(200);
    await change(stagingKey(tenant.organizationId, (await file(exam)).upload_id));
    liar.rule = () => undefined;
    return exam;
  }

  it('is rejected as missing when it is gone, not looked for without end', async () => {
    const exam = await landedThen(ctInstance(), (Key) =>
      storage.s3.send(new DeleteObjectCommand({ Bucket: 'scandock', Key })),
    );
    await eventually(
      () => failuresOf(exam),
      ({ failures }) => failures >= 3,
    );
    expect((await file(exam)).state).toBe('landed'); // a bucket may show an object late
    hasten();
    expect((await settled(exam)).rejection?.rule).toBe('object.missing');
    await nothingWrong();
  }, 60_000);

  it('is what was copied when other bytes of the same size took its place', async () => {
    const other = ctInstance({ PatientName: 'Other^One' });
    const bytes = new Uint8Array(other.length);
    const exam = await landedThen(bytes, (Key) =>
      storage.s3.send(new PutObjectCommand({ Bucket: 'scandock', Key, Body: other })),
    );
    hasten();
    expect((await settled(exam)).state).toBe('registered');
    const { rows } = await world.admin.query(
      `SELECT encode(sha256, 'hex') AS digest FROM stored_object WHERE organization_id = $1`,
      [tenant.organizationId],
    );
    expect(rows).toEqual([{ digest: createHash('sha256').update(other).digest('hex') }]);
    await nothingWrong();
  }, 60_000);

  it('is rejected when it has another size', async () => {
    const exam = await landedThen(ctInstance(), (Key) =>
      storage.s3.send(new PutObjectCommand({ Bucket: 'scandock', Key, Body: ctInstance({}, 1024) })),
    );
    hasten();
    expect((await settled(exam)).rejection?.rule).toBe('size.mismatch');
    await nothingWrong();
  }, 60_000);
});
