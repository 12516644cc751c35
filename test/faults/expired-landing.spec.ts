import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { StudiesService } from '../../src/modules/studies/studies.service.js';
import { deleteOfExam } from '../../src/modules/uploads/upload.ledger.js';
import { stagingKey } from '../../src/modules/uploads/uploads.keys.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance } from '../support/dicom-files.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder, statesOf } from '../support/ledger-checks.js';
import { insertExam, insertOrganization, stage } from '../support/ledger-rows.js';
import { lockWaiters, PATIENT } from '../support/lock-waiters.js';
import { type Stack, startStack } from '../support/stack.js';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

let stack: Stack;
let world: Outside;
let clock: MovableClock;
let worker: Incarnation;
let organizationId: string;

beforeAll(async () => {
  stack = await startStack({}, PATIENT);
  const config = stack.workerConfig;
  world = { config, database: new DatabaseService(config), storage: new StorageService(config) };
}, 60_000);
afterAll(async () => {
  await world.database.onApplicationShutdown();
  world.storage.onApplicationShutdown();
  await stack.close();
}, 60_000);
beforeEach(async () => {
  clock = new MovableClock();
  worker = new Incarnation(world, clock);
  organizationId = await insertOrganization(stack.admin);
});

const states = () => statesOf(stack.admin, organizationId);
const issue = (files: Record<string, Uint8Array>) =>
  insertExam(stack.admin, world.database, organizationId, files, clock.now());
const put = (uploadId: string, bytes: Uint8Array) => stage(stack.s3, organizationId, uploadId, bytes);
const objects = () => keysUnder(stack.s3, `objects/${organizationId}/`);
const staged = () => keysUnder(stack.s3, `staging/${organizationId}/`);
const wrong = (options?: { swept: boolean }) => findDisagreements(stack, organizationId, options);

/** An exam whose only file is registered. */
async function registered(bytes: Uint8Array): Promise<string> {
  const { examId, uploads } = await issue({ file: bytes });
  await put(uploads.file!, bytes);
  await worker.live(1);
  return examId;
}

const remove = (examId: string) =>
  world.database.withOrganization(organizationId, async (tx) => {
    const gone = await deleteOfExam(tx, organizationId, examId, 'exam deleted', clock.now());
    const ids = gone.flatMap(({ storedObjectId }) => storedObjectId ?? []);
    await new StudiesService().withdrawUnreferenced(tx, organizationId, ids);
  });

const after = async (milliseconds: number) => {
  clock.travel(milliseconds);
  await worker.live(1);
};

describe('a URL that expires', () => {
  it('is called expired a minute after it is', async () => {
    await issue({ file: ctInstance() });
    await after(955 * SECOND);
    expect(await states()).toEqual({ issued: 1 });
    await after(10 * SECOND);
    expect(await states()).toEqual({ expired: 1 });
  });

  it('still lets an object land that comes within a day: the PUT began in time', async () => {
    const bytes = ctInstance();
    const { uploads } = await issue({ file: bytes });
    await after(HOUR);
    expect(await states()).toEqual({ expired: 1 });
    clock.travel(22 * HOUR);
    await put(uploads.file!, bytes);
    await worker.live(1);
    expect(await states()).toEqual({ registered: 1 });
    expect(await wrong()).toEqual([]);
  });

  it('lets nothing land after that; what comes is removed', async () => {
    const bytes = ctInstance();
    const { uploads } = await issue({ file: bytes });
    await after(HOUR);
    clock.travel(24 * HOUR);
    await put(uploads.file!, bytes);
    await worker.live(1);
    expect(await states()).toEqual({ expired: 1 });
    expect(await wrong({ swept: true })).toEqual([]);
  });
});

describe('an object nobody knows', () => {
  it('is left alone for a day and then removed, whatever its key', async () => {
    const keys = [
      stagingKey(organizationId, newId()),
      stagingKey(newId(), newId()),
      `staging/${organizationId}/no-upload`,
    ];
    for (const Key of keys)
      await stack.s3.send(new PutObjectCommand({ Bucket: 'scandock', Key, Body: new Uint8Array(3) }));
    const present = async () =>
      (await keysUnder(stack.s3, 'staging/')).filter((key) => keys.includes(key)).length;
    await after(23 * HOUR);
    expect(await present()).toBe(3);
    await after(2 * HOUR);
    expect(await present()).toBe(0);
  });

  it('does not land under the id of another tenant’s upload', async () => {
    const bytes = ctInstance();
    const { uploads } = await issue({ file: bytes });
    const Key = stagingKey(newId(), uploads.file!);
    await stack.s3.send(new PutObjectCommand({ Bucket: 'scandock', Key, Body: bytes }));
    await worker.live(1);
    expect(await states()).toEqual({ issued: 1 });
  });
});

describe('what is deleted', () => {
  it('is purged after its recovery time, its bytes a day later', async () => {
    const examId = await registered(ctInstance());
    await remove(examId);
    await after(23 * HOUR);
    expect([await states(), (await objects()).length]).toEqual([{ deleted: 1 }, 1]);
    await after(2 * HOUR);
    expect([await states(), (await objects()).length]).toEqual([{ purged: 1 }, 1]);
    await after(23 * HOUR);
    expect((await objects()).length).toBe(1);
    await after(2 * HOUR);
    expect(await wrong({ swept: true })).toEqual([]);
    expect(await objects()).toEqual([]);
  });

  it('keeps bytes another deletion may still be undone for', async () => {
    const bytes = ctInstance();
    const [first, second] = [await registered(bytes), await registered(bytes)];
    await remove(first);
    clock.travel(23 * HOUR);
    await remove(second);
    await after(2 * HOUR);
    expect(await states()).toEqual({ purged: 1, deleted: 1 });
    const { rows } = await stack.admin.query(
      'SELECT purging_at FROM stored_object WHERE organization_id = $1',
      [organizationId],
    );
    expect(rows).toEqual([{ purging_at: null }]);
    await after(23 * HOUR);
    await after(25 * HOUR);
    expect([await states(), await objects()]).toEqual([{ purged: 2 }, []]);
  });

  it('and is sent again while its object is being purged gets a copy of its own', async () => {
    const bytes = ctInstance();
    await remove(await registered(bytes));
    await after(25 * HOUR);
    expect(await states()).toEqual({ purged: 1 });
    await registered(bytes);
    expect([await states(), (await objects()).length]).toEqual([{ purged: 1, registered: 1 }, 2]);
    await after(25 * HOUR);
    expect((await objects()).length).toBe(1);
    expect(await wrong({ swept: false })).toEqual([]);
  });

  it('and is marked just while equal content is being registered costs that one nothing but another try', async () => {
    const bytes = ctInstance();
    const examId = await registered(bytes);
    await remove(examId);
    const { uploads } = await issue({ file: bytes });
    await put(uploads.file!, bytes);
    await worker.reconciler.run();
    const purge = await stack.admin.connect();
    await purge.query('BEGIN');
    await purge.query('SELECT 1 FROM stored_object WHERE organization_id = $1 FOR UPDATE', [organizationId]);
    const working = worker.drain();
    await lockWaiters(stack.admin, 1);
    await purge.query(
      `UPDATE upload SET state = 'purged', stored_object_id = NULL WHERE state = 'deleted' AND organization_id = $1`,
      [organizationId],
    );
    await purge.query('UPDATE stored_object SET purging_at = now() WHERE organization_id = $1', [
      organizationId,
    ]);
    await purge.query('COMMIT');
    purge.release();
    await working;
    const { rows } = await stack.admin.query('SELECT state::text, failures FROM upload WHERE id = $1', [
      uploads.file,
    ]);
    expect(rows).toEqual([{ state: 'registered', failures: 0 }]);
    expect(await wrong()).toEqual([]);
  });
});

/** A door a stalled worker stands before. */
function door() {
  let open!: () => void;
  let arrive!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  return { open, arrived, pass: () => (arrive(), opened) };
}

describe('a worker that stalls until its copy is given up', () => {
  /** The stalled worker, its storage or database changed so that it stops at a door. */
  const stalled = (change: Partial<Outside>) => new Incarnation({ ...world, ...change }, clock);
  const changed = <T extends object>(original: T, methods: Partial<T>): T =>
    Object.assign(Object.create(original) as T, methods);

  async function overtaken(change: (pass: () => Promise<void>) => Partial<Outside>): Promise<void> {
    const bytes = ctInstance();
    const { uploads } = await issue({ file: bytes });
    await put(uploads.file!, bytes);
    await worker.reconciler.run();
    worker.queued.clear();
    const stop = door();
    const slow = stalled(change(stop.pass));
    const payload = { organizationId, uploadId: uploads.file! };
    const outcome = slow.verifier.verify(payload).catch((error: Error) => error);
    await stop.arrived;
    clock.travel(62 * 60 * SECOND);
    await worker.purge.run();
    stop.open();
    await outcome;
    await worker.live(1); // another worker takes the upload up
    expect(await states()).toEqual({ registered: 1 });
    expect(await wrong()).toEqual([]);
    for (let hours = 0; hours < 3; hours++) await after(62 * 60 * SECOND);
    expect(await wrong({ swept: true })).toEqual([]);
    expect((await objects()).length).toBe(1);
    expect(await staged()).toEqual([]);
  }

  it('before it copied: what it copies later does not stay', () =>
    overtaken((pass) => ({
      storage: changed(world.storage, {
        copy: async (from, to) => {
          await pass();
          return world.storage.copy(from, to);
        },
      }),
    })));

  it('before it read the copy: it finds none', () =>
    overtaken((pass) => ({
      storage: changed(world.storage, {
        read: async (key) => {
          await pass();
          return world.storage.read(key);
        },
      }),
    })));

  it('before it told the ledger: it cannot win any more', () => {
    let transactions = 0;
    return overtaken((pass) => ({
      database: changed(world.database, {
        withOrganizationSql: async (id, work) => {
          if (++transactions === 2) await pass();
          return world.database.withOrganizationSql(id, work);
        },
      }),
    }));
  });

  it('while it tells the ledger: never a row whose bytes are gone', async () => {
    const bytes = ctInstance();
    const { uploads } = await issue({ file: bytes });
    await put(uploads.file!, bytes);
    await worker.reconciler.run();
    const stop = door();
    const slow = stalled({
      storage: changed(world.storage, {
        read: async (key) => {
          const found = await world.storage.read(key);
          await stop.pass();
          return found;
        },
      }),
    });
    const working = slow.verifier.verify({ organizationId, uploadId: uploads.file! }).catch(() => undefined);
    await stop.arrived;
    // The sweeper has given the copy up and not yet committed when the verdict arrives.
    const sweep = await stack.admin.connect();
    await sweep.query('BEGIN');
    await sweep.query('UPDATE object_copy SET abandoned_at = now() WHERE organization_id = $1', [
      organizationId,
    ]);
    stop.open();
    await lockWaiters(stack.admin, 1);
    const copies = 'SELECT key FROM object_copy WHERE organization_id = $1';
    const { rows } = await stack.admin.query<{ key: string }>(copies, [organizationId]);
    await sweep.query('COMMIT');
    sweep.release();
    await world.storage.delete(rows.map(({ key }) => key));
    await working;
    await after(20 * SECOND);
    expect(await states()).toEqual({ registered: 1 });
    expect(await wrong()).toEqual([]);
    const { rows: kept } = await stack.admin.query<{ key: string }>(
      'SELECT key FROM stored_object WHERE organization_id = $1',
      [organizationId],
    );
    await stack.s3.send(new HeadObjectCommand({ Bucket: 'scandock', Key: kept[0]!.key }));
  });
});
