import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, eventually } from '../support/client.js';
import { ctSeries } from '../support/dicom-files.js';
import { uploadExam } from '../support/exam.js';
import { createWorld, type World } from '../support/world.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let world: World;
let worker: ChildProcess;
beforeAll(async () => {
  world = await createWorld();
  worker = fork(MAIN, ['worker'], {
    env: { ...process.env, ...world.workerEnvironment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise((resolve) => worker.once('message', resolve));
});
afterAll(async () => {
  worker.kill('SIGTERM');
  await new Promise((resolve) => worker.once('exit', resolve));
  await world.close();
});

it('registers 300 slices of 512 KB, uploaded with 20 parallel PUTs, without a step by hand', async () => {
  const client = new Client(world.baseUrl, (await world.newTenant()).apiKey);
  const files = Object.fromEntries(
    ctSeries(300, 512 * 1024).map((bytes, index) => [`ct_${index}.dcm`, bytes]),
  );
  const exam = await uploadExam(client, files, 20);
  expect((await client.post(`/api/v1/exams/${exam.exam_id}/confirm`)).status).toBe(200);
  const done = await eventually(
    async () => (await client.get(`/api/v1/exams/${exam.exam_id}`)).body,
    ({ ingestion_status }) => !['pending', 'processing'].includes(ingestion_status),
    90_000,
  );
  expect(done.ingestion_status).toBe('registered');
  expect(done.study_uids).toHaveLength(1);
  const { rows } = await world.admin.query(
    'SELECT count(*)::int AS instances, count(DISTINCT series_id)::int AS series FROM instance',
  );
  expect(rows).toEqual([{ instances: 300, series: 1 }]);
}, 120_000);
