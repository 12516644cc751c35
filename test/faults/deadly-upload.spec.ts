import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { stagingKey } from '../../src/modules/uploads/uploads.keys.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance } from '../support/dicom-files.js';
import { type Fault, Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { insertExam, insertOrganization, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';

/** Claim, count, copy, read: the worker ends with the bytes in its hands. */
const READING = 4;

let stack: Stack;
let world: Outside;
const clock = new MovableClock();
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

beforeEach(async () => {
  organizationId = await insertOrganization(stack.admin);
  const file = ctInstance();
  const { uploads } = await insertExam(stack.admin, world.database, organizationId, { file }, clock.now());
  uploadId = uploads.file!;
  await stage(stack.s3, organizationId, uploadId, file);
  await new Incarnation(world, clock).reconciler.run(); // it lands
});

/** One job in one life of a worker, as the processor runs it. */
async function life(fault?: Fault): Promise<Incarnation> {
  const worker = new Incarnation(world, clock, fault);
  Object.assign(worker.verifier, { logger: { warn: () => undefined } });
  const payload = { organizationId, uploadId };
  await worker.verifier
    .verify(payload)
    .catch((error: unknown) => worker.verifier.giveUp(payload, error).catch(() => undefined));
  return worker;
}

async function row(): Promise<object> {
  const { rows } = await stack.admin.query(
    `SELECT state::text, copy_attempts AS attempts, failures, parked_reason AS parked, rejection_rule AS rule
     FROM upload WHERE id = $1`,
    [uploadId],
  );
  return rows[0] as object;
}

const skipTo = (attempts: number) =>
  stack.admin.query('UPDATE upload SET copy_attempts = $2 WHERE id = $1', [uploadId, attempts]);

it('an upload of which workers die is parked after twenty tries, and tried anew when a person says so', async () => {
  for (let death = 1; death <= 20; death++) {
    const worker = await life({ step: death > 15 ? READING : READING - 1, kind: 'died' });
    expect(worker.struck).toBe('read');
  }
  expect(await row()).toMatchObject({ state: 'landed', attempts: 20, failures: 5, parked: null });
  const last = await life();
  expect(last.steps).toBe(2); // it claimed and counted, and left the bytes alone
  expect(await row()).toMatchObject({ state: 'landed', attempts: 21, parked: 'WorkerDied' });
  const idle = new Incarnation(world, clock);
  clock.travel(3600_000);
  await idle.reconciler.run();
  expect(idle.queued.size).toBe(0);

  await stack.admin.query(
    'UPDATE upload SET parked_at = NULL, parked_reason = NULL, failures = 0 WHERE id = $1',
    [uploadId],
  );
  await life();
  expect(await row()).toMatchObject({ state: 'registered' });
}, 60_000);

it('an outage, however many tries it lasts, parks nothing', async () => {
  await skipTo(14);
  for (let failure = 1; failure <= 12; failure++) await life({ step: READING, kind: 'refused' });
  expect(await row()).toMatchObject({ state: 'landed', attempts: 26, failures: 0, parked: null });
  await life();
  expect(await row()).toMatchObject({ state: 'registered' });
}, 60_000);

it('an object that vanished is rejected after many tries as after few', async () => {
  await skipTo(100);
  await world.storage.delete([stagingKey(organizationId, uploadId)]);
  for (let failure = 1; failure <= 5; failure++) await life();
  expect(await row()).toMatchObject({ state: 'rejected', rule: 'object.missing', parked: null });
}, 60_000);
