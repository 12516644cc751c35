import { getQueueToken } from '@nestjs/bullmq';
import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Queue } from 'bullmq';
import { FileUploadsService } from '../../src/modules/cases/file-uploads.service.js';
import { StagingWriter } from '../../src/modules/uploads/staging.writer.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { type Answer, eventually } from '../support/client.js';
import { Clinic, type Patient } from '../support/clinic.js';
import { findDisagreements, keysUnder } from '../support/ledger-checks.js';
import { type Asked, type Lie, LyingStorage } from '../support/lying-storage.js';
import { type OwnStorage, startOwnStorage } from '../support/own-storage.js';
import { createWorld, type World } from '../support/world.js';

const DAY = 24 * 3600 * 1000;
/** Instead of half a minute each, in milliseconds. */
const PUT_LIMIT = 1_000;
const WAIT_LIMIT = 4_000;
/** Nearly as long, where the answer must be a 200 on a busy machine, too. */
const AMPLE = 25_000;

const COPIED =
  '<CopyObjectResult><ETag>"0"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyObjectResult>';
const BROKEN = '<Error><Code>InternalError</Code></Error>';
const says = (status: number, body = BROKEN): Lie => ({ kind: 'pretend', status, body });

let storage: OwnStorage;
let liar: LyingStorage;
let world: World;
let worker: INestApplicationContext;
let clinic: Clinic;
let patient: Patient;
let caseId: string;

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
  travel(0);
  limit(PUT_LIMIT, WAIT_LIMIT);
  clinic = await Clinic.open(world);
  ({ patient, caseId } = await clinic.admit());
});

/** How long the API tries to put the bytes, and waits for the worker, in milliseconds. */
function limit(put: number, wait: number): void {
  const of = <T extends object>(type: new (...parts: never[]) => T): T =>
    world.api.app.get(type, { strict: false });
  Object.assign(of(StagingWriter), { limitMs: put });
  Object.assign(of(FileUploadsService), { waitMs: wait });
}

/** Moves the worker's clock. */
const travel = (milliseconds: number) => {
  worker.get(Clock).now = () => new Date(Date.now() + milliseconds);
};

const isPut = ({ method, path, headers }: Asked) =>
  method === 'PUT' && path.includes('/staging/') && !('x-amz-copy-source' in headers);
const isHead = ({ method }: Asked) => method === 'HEAD';
const isCopy = ({ method, headers }: Asked) => method === 'PUT' && 'x-amz-copy-source' in headers;
const isRead = ({ method, path }: Asked) => method === 'GET' && path.includes('/objects/');

/** Lies to the first so many requests of a kind, then tells the truth. */
const lieTo = (which: (asked: Asked) => boolean, times: number, lie: Lie): void => {
  liar.rule = (asked) => (which(asked) && liar.lies < times ? lie : undefined);
};

interface Row {
  id: string;
  shown: boolean;
  reason: string | null;
  state: string;
}
async function rows(): Promise<Row[]> {
  const found = await world.admin.query<Row>(
    `SELECT f.id, f.visible_at IS NOT NULL AS shown, f.deleted_reason AS reason, u.state::text FROM patient_file f
     JOIN upload u ON u.id = f.upload_id WHERE f.organization_id = $1 ORDER BY f.created_at`,
    [clinic.tenant.organizationId],
  );
  return found.rows;
}
const becomes = (state: string) =>
  eventually(rows, (found) => found.every((row) => row.state === state) && found.length > 0);
const theOnly = async (): Promise<Row> => {
  const found = await rows();
  expect(found).toHaveLength(1);
  return found[0]!;
};

const listed = async (): Promise<string[]> =>
  (await patient.list()).body.data.files.map(({ id }: { id: string }) => id);
const notThere = { status: 404, success: false, error: 'File not found', code: 'VALIDATION_ERROR' };
async function expectHidden(id: string): Promise<void> {
  expect(await listed()).toEqual([]);
  for (const answer of [
    await patient.metadata(id),
    await patient.download(id),
    await patient.rename(id, 'b.txt'),
    await patient.remove(id),
  ])
    expect(answer.body).toEqual(notThere);
  const asStaff = await clinic.staff.get(`/api/v1/admin/cases/${caseId}/attachments`);
  expect([asStaff.status, asStaff.text.includes(id)]).toEqual([200, false]);
}
async function expectShown(id: string, bytes: Buffer): Promise<void> {
  expect(await listed()).toEqual([id]);
  expect((await patient.fetch(id)).bytes.equals(bytes)).toBe(true);
}
const expectRefused = ({ status, text }: Answer): void => {
  expect(status).toBe(500);
  expect(text).toBe('{"status":500,"success":false,"error":"Failed to upload file","code":"INTERNAL_ERROR"}');
};

const events = async (action: string) =>
  (
    await world.admin.query(
      `SELECT actor_kind, resource_id FROM audit_event WHERE organization_id = $1 AND action = $2 AND outcome = 'success'`,
      [clinic.tenant.organizationId, action],
    )
  ).rows as { actor_kind: string; resource_id: string }[];

/** Discarded by the worker, and of its bytes nothing is left when the sweeps have been over it. */
async function expectGone(id: string): Promise<void> {
  await becomes('deleted');
  expect(await theOnly()).toEqual({ id, shown: false, reason: 'upload failed', state: 'deleted' });
  expect(await events('files:discard')).toEqual([{ actor_kind: 'system', resource_id: id }]);
  expect(await events('files:upload')).toEqual([]);
  await expectHidden(id);
  await sweptClean();
}
/** As days go by: its URL is over, its copies are given up and swept twice, its recovery time ends, what was marked goes. */
async function sweptClean(): Promise<void> {
  const { organizationId } = clinic.tenant;
  let days = 0;
  const swept = async () => {
    travel(++days * DAY);
    const wrong = await findDisagreements({ admin: world.admin, s3: storage.s3 }, organizationId, {
      swept: true,
    });
    return [
      (await theOnly()).state,
      ...wrong,
      ...(await keysUnder(storage.s3, `objects/${organizationId}/`)),
    ];
  };
  await eventually(swept, (found) => found.join() === 'purged');
}

/** Refused as the seed has it and gone, or there with its bytes. */
async function expectWhole(answer: Answer, bytes: Buffer): Promise<void> {
  const { id } = await theOnly();
  liar.rule = () => undefined;
  if (answer.status === 200) {
    expect(answer.body.data.id).toBe(id);
    await expectShown(id, bytes);
    expect((await theOnly()).state).toBe('registered');
    expect(await events('files:upload')).toHaveLength(1);
    const witnesses = { admin: world.admin, s3: storage.s3 };
    return expect(await findDisagreements(witnesses, clinic.tenant.organizationId)).toEqual([]);
  }
  expectRefused(answer);
  await expectGone(id);
}

const small = Buffer.from('Blood pressure 120/80\n');
const large = Buffer.alloc(3 * 1024 * 1024, 'Blood pressure 120/80\n');

describe('a bucket that does not take the bytes', () => {
  it.each<[string, (asked: Asked) => boolean, number, Lie, Buffer]>([
    ['403', isPut, 1, says(403, '<Error><Code>AccessDenied</Code></Error>'), small],
    ['403 to a large file, before it has it', isPut, 1, says(403), large],
    ['503', isPut, 1, says(503, '<Error><Code>SlowDown</Code></Error>'), large],
    ['500, and has them', isPut, 1, { kind: 'fail' }, large],
    ['a cut in the middle of them', isPut, 1, { kind: 'break' }, large],
    ['a cut, and has them', isPut, 1, { kind: 'hush' }, large],
    ['nothing until it is too late', isPut, 1, { kind: 'delay', milliseconds: 2 * PUT_LIMIT }, small],
    [
      'nothing until it is too late, and has them',
      isPut,
      1,
      { kind: 'linger', milliseconds: 2 * PUT_LIMIT },
      large,
    ],
    ['them, and then 500 to every question', isHead, Infinity, { kind: 'fail' }, small],
    ['them, and then says nothing any more', isHead, Infinity, { kind: 'hush' }, small],
  ])(
    'says %s: 500, and nothing is left',
    async (_, which, times, lie, bytes) => {
      lieTo(which, times, lie);
      const answer = await patient.upload(bytes, { caseId });
      expectRefused(answer);
      expect(liar.lies).toBeGreaterThan(0);
      await expectWhole(answer, bytes);
    },
    40_000,
  );

  it('a general document is gone the same way', async () => {
    lieTo(isPut, 1, { kind: 'fail' });
    expectRefused(await patient.upload(small));
    const { id } = await theOnly();
    await expectGone(id);
  }, 40_000);
});

describe('a bucket that lies about what it has', () => {
  it.each<[string, (asked: Asked) => boolean, number, Lie, number]>([
    ['"not there" once', isHead, 1, says(404, ''), 200],
    ['"not there" for as long as one asks', isHead, Infinity, says(404, ''), 200],
    ['500 to the question, twice', isHead, 2, { kind: 'fail' }, 200],
    ['500 after the copy, until the client gives up', isCopy, 3, { kind: 'fail' }, 200],
    ['200 without having copied', isCopy, 1, says(200, COPIED), 200],
    ['500 to every copy', isCopy, Infinity, says(500), 500],
    ['half of the bytes, twice', isRead, 2, { kind: 'halve' }, 200],
    ['500 instead of the bytes', isRead, Infinity, says(500), 500],
    ['other bytes', isRead, Infinity, { kind: 'rewrite', body: (text) => text.replace('1', '2') }, 500],
    ['everything slowly', () => true, Infinity, { kind: 'delay', milliseconds: 200 }, 200],
  ])(
    '%s',
    async (_, which, times, lie, status) => {
      if (status === 200) limit(AMPLE, AMPLE);
      lieTo(which, times, lie);
      const answer = await patient.upload(small, { caseId });
      expect(liar.lies).toBeGreaterThan(0);
      expect(answer.status).toBe(status);
      await expectWhole(answer, small);
    },
    60_000,
  );
});

describe('a 500 after the bucket had the bytes', () => {
  const discards = () => world.api.app.get<Queue>(getQueueToken('files'), { strict: false });

  /** The answer was 500, the worker discards nothing yet, and the reconciler has found the bytes and verified them. */
  async function refusedButVerified(headers: Record<string, string> = {}): Promise<string> {
    lieTo(isPut, 1, { kind: 'fail' });
    expectRefused(await patient.upload(small, { caseId, headers }));
    await becomes('registered');
    return (await theOnly()).id;
  }
  beforeEach(() => discards().pause());
  afterEach(() => discards().resume());

  it('shows nothing, though the bytes are verified before the row is given up', async () => {
    const id = await refusedButVerified();
    await expectHidden(id);
    expect((await theOnly()).shown).toBe(false);
    await discards().resume();
    await expectGone(id);
  }, 40_000);

  it('is finished by the reconciler when the job is lost', async () => {
    const id = await refusedButVerified();
    await discards().drain();
    await expectHidden(id);
    travel(3 * 60_000);
    await expectGone(id);
  }, 40_000);

  it('is mended by a repetition that comes before the worker does, and stays mended', async () => {
    const headers = { 'idempotency-key': 'one' };
    const id = await refusedButVerified(headers);
    limit(AMPLE, AMPLE);
    const again = await patient.upload(small, { caseId, headers });
    expect([again.status, again.body.data?.id]).toEqual([200, id]);
    await discards().resume();
    await eventually(
      () => discards().getJobCounts(),
      (counts) => Object.values(counts).every((count) => count === 0),
    );
    await expectWhole(again, small);
  }, 40_000);

  it('leaves a repetition that comes later with a row of its own', async () => {
    const headers = { 'idempotency-key': 'one' };
    await refusedButVerified(headers);
    await discards().resume();
    await becomes('deleted');
    limit(AMPLE, AMPLE);
    const again = await patient.upload(small, { caseId, headers });
    expect(again.status).toBe(200);
    expect(await rows()).toEqual([
      expect.objectContaining({ shown: false, reason: 'upload failed' }),
      { id: again.body.data.id, shown: true, reason: null, state: 'registered' },
    ]);
    await expectShown(again.body.data.id, small);
  }, 40_000);
});
