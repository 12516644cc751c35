import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { insertIssued } from '../../src/modules/uploads/upload.issue.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance } from '../support/dicom-files.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements } from '../support/ledger-checks.js';
import { insertOrganization, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { live, MINUTE, sweepAgain } from './every-step.js';

const MIB = 1024 * 1024;

let stack: Stack;
let world: Outside;
let clock: MovableClock;
let organizationId: string;
let uploadId: string;

beforeAll(async () => {
  stack = await startStack();
  const config = stack.workerConfig;
  world = { config, database: new DatabaseService(config), storage: new StorageService(config) };
}, 60_000);
afterAll(async () => {
  await world.database.onApplicationShutdown();
  world.storage.onApplicationShutdown();
  await stack.close();
}, 60_000);

const StudyInstanceUID = newUid();
const NAME = `${'n'.repeat(999)}😀.dcm`;
const instance = (name: string) => ({ name, data: ctInstance({ StudyInstanceUID }) });
const filler = (name: string) => ({ name, method: 0, data: Buffer.alloc(7 * MIB, name) });
/** Blocks of 4 MiB, each a request of its own, and names that end within a character where they are cut. */
const archive = writeZip([
  instance('a'),
  filler(`${'s'.repeat(199)}😀.txt`),
  instance('b'),
  filler('first.txt'),
  instance('c'),
  filler('second.txt'),
  instance(NAME),
]);

beforeEach(async () => {
  clock = new MovableClock();
  organizationId = await insertOrganization(stack.admin);
  uploadId = newId();
  const issuedAt = clock.now();
  const validity = { issuedAt, urlExpiresAt: new Date(issuedAt.getTime() + 15 * MINUTE) };
  const principal = { kind: 'client' as const, id: newId() };
  await world.database.withOrganizationSql(organizationId, (tx) =>
    insertIssued(tx, organizationId, validity, [{ id: uploadId, surface: 'ingestion', principal }]),
  );
  await stage(stack.s3, organizationId, uploadId, archive);
  await new Incarnation(world, clock).reconciler.run(); // it lands
});

/** A worker for whom each ranged read takes so long, while something else happens. */
function slowWorker(
  minutes: number,
  meanwhile: () => Promise<unknown>,
): { worker: Incarnation; reads: () => number } {
  let reads = 0;
  const readRange: StorageService['readRange'] = async (...range) => {
    reads++;
    clock.travel(minutes * MINUTE);
    await meanwhile();
    return world.storage.readRange(...range);
  };
  const storage = Object.create(world.storage, { readRange: { value: readRange } }) as StorageService;
  return { worker: new Incarnation({ ...world, storage }, clock), reads: () => reads };
}

async function row(): Promise<object> {
  const { rows } = await stack.admin.query(
    `SELECT state::text, copy_attempts AS attempts, failures, parked_reason AS parked, contents FROM upload WHERE id = $1`,
    [uploadId],
  );
  return rows[0] as object;
}

it('an archive may be read for hours while copies are swept, and its names are cut between characters', async () => {
  // Three reads may be under way at once: together they take less than the hour after which a copy counts as a dead worker's.
  const { worker, reads } = slowWorker(19, () => new Incarnation(world, clock).purge.run());
  await worker.verifier.verify({ organizationId, uploadId });
  expect(reads()).toBeGreaterThanOrEqual(6);
  expect(await row()).toMatchObject({
    state: 'registered',
    attempts: 1,
    contents: { skipped: ['s'.repeat(199), 'first.txt', 'second.txt'] },
  });
  const { rows } = await stack.admin.query(
    'SELECT declared_name AS name, state::text FROM upload WHERE parent_id = $1 ORDER BY 1',
    [uploadId],
  );
  const state = 'registered';
  expect(rows).toEqual([
    { name: 'a', state },
    { name: 'b', state },
    { name: 'c', state },
    { name: 'n'.repeat(999), state },
  ]);
  expect(await findDisagreements(stack, organizationId)).toEqual([]);
}, 60_000);

it('a copy that is renewed while a sweep goes on is not given up', async () => {
  const renew = () => stack.admin.query('UPDATE object_copy SET created_at = $1', [clock.now()]);
  const outside = {
    $executeRaw: world.database.outside.$executeRaw.bind(world.database.outside),
    $queryRaw: async (strings: TemplateStringsArray, ...values: unknown[]) => {
      const rows = await world.database.outside.$queryRaw(strings, ...values);
      if (strings.join().includes('reconcile_copies')) await renew();
      return rows;
    },
  };
  const database = Object.create(world.database, { outside: { value: outside } }) as DatabaseService;
  const { worker, reads } = slowWorker(61, async () => {
    if (reads() === 1) await new Incarnation({ ...world, database }, clock).purge.run();
  });
  await worker.verifier.verify({ organizationId, uploadId });
  expect(await row()).toMatchObject({ state: 'registered', attempts: 1 });
}, 60_000);

it('a try whose copy was given up while it was read ends soon; the next one settles it', async () => {
  const { worker, reads } = slowWorker(6, async () => {
    if (reads() === 2)
      // what the sweep does first
      await stack.admin.query('UPDATE object_copy SET abandoned_at = now() WHERE upload_id = $1', [uploadId]);
  });
  await expect(worker.verifier.verify({ organizationId, uploadId })).rejects.toMatchObject({
    cause: { message: 'the copy was given up while it was read' },
  });
  expect(reads()).toBeLessThan(4);
  await new Incarnation(world, clock).live(1);
  expect(await row()).toMatchObject({ state: 'registered', failures: 0 });
  const successor = new Incarnation(world, clock);
  await live(successor, clock);
  await sweepAgain(successor, clock);
  expect(await findDisagreements(stack, organizationId, { swept: true })).toEqual([]);
}, 60_000);
