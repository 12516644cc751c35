import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, eventually } from '../support/client.js';
import { ctInstance, ctSeries } from '../support/dicom-files.js';
import { uploadExam } from '../support/exam.js';
import { findDisagreements, statesOf } from '../support/ledger-checks.js';
import { OwnProcess } from '../support/processes.js';
import { pause } from '../support/uploader.js';
import { createWorld, type World } from '../support/world.js';

const FILES = 60;

let world: World;
const workers: OwnProcess[] = [];

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300', WORKER_CONCURRENCY: '3' });
}, 60_000);
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  await world.close();
}, 60_000);

const startWorker = async () => {
  const worker = await OwnProcess.start('worker', world.workerEnvironment);
  workers.push(worker);
  return worker;
};

/** A series of which two files are the same and one is cut short. */
function files(): Record<string, Uint8Array> {
  const series = ctSeries(FILES - 2).map((bytes, index) => [`ct_${index}.dcm`, bytes] as const);
  return {
    ...Object.fromEntries(series),
    'twin.dcm': series[0]![1],
    'cut.dcm': ctInstance().subarray(0, -100),
  };
}

async function confirmed(): Promise<{ organizationId: string; settled: () => Promise<void> }> {
  const { organizationId, apiKey } = await world.newTenant();
  const client = new Client(world.baseUrl, apiKey);
  const exam = await uploadExam(client, files(), 8);
  expect((await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).status).toBe(200);
  const settled = async () => {
    await eventually(
      () => statesOf(world.admin, organizationId),
      ({ landed = 0, issued = 0 }) => landed + issued === 0,
      60_000,
    );
    expect(await statesOf(world.admin, organizationId)).toEqual({ registered: FILES - 1, rejected: 1 });
    expect(await findDisagreements(world, organizationId)).toEqual([]);
    const { rows } = await world.admin.query(
      'SELECT count(*)::int FROM stored_object WHERE organization_id = $1',
      [organizationId],
    );
    expect(rows[0].count).toBe(FILES - 2);
  };
  return { organizationId, settled };
}

describe('workers as processes', () => {
  it('lose nothing and do nothing twice when one is killed again and again', async () => {
    const { organizationId, settled } = await confirmed();
    let done = 0;
    for (let round = 0; round < 3; round++) {
      const worker = await startWorker();
      const target = done + 1 + Math.random() * 6; // it has begun, and is not yet through
      for (let landed = FILES; done < target && landed > 0;)
        ({ registered: done = 0, landed = 0 } = await statesOf(world.admin, organizationId));
      await pause(Math.random() * 20);
      await worker.kill();
    }
    expect((await statesOf(world.admin, organizationId)).landed).toBeGreaterThan(0);
    const [first, second] = await Promise.all([startWorker(), startWorker()]);
    await pause(50);
    await first!.kill(); // the other goes on with what both had begun
    await settled();
    await second!.stop();
  }, 90_000);

  it('are as one when two run at once', async () => {
    const { settled } = await confirmed();
    const both = await Promise.all([startWorker(), startWorker()]);
    await settled();
    await Promise.all(both.map((worker) => worker.stop()));
  }, 90_000);

  it('finish what is under way when they are asked to stop', async () => {
    const { organizationId } = await confirmed();
    const worker = await startWorker();
    await pause(100);
    const begun = Date.now();
    await worker.stop();
    expect(Date.now() - begun).toBeLessThan(30_000);
    const { rows } = await world.admin.query(`SELECT count(*)::int FROM bullmq.job WHERE state = 'active'`);
    expect(rows[0].count).toBe(0); // handed back: nobody waits for a lock to end
    expect(await findDisagreements(world, organizationId)).toEqual([]);
  }, 60_000);
});
