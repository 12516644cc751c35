import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../src/platform/embedded/local-state.js';
import { Client, eventually } from '../support/client.js';
import { ctSeries } from '../support/dicom-files.js';
import { examBody, uploadExam } from '../support/exam.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let world: World;
let tenant: Tenant;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '3600000' }); // no second chance: only the queue hands work over
  tenant = await world.newTenant();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await world.close();
});

async function run(name: string, environment: Record<string, string>): Promise<ChildProcess> {
  const child = fork(MAIN, [name], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.add(child);
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  return child;
}

async function terminate(child: ChildProcess): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  return ended.finally(() => children.delete(child));
}

describe('SIGTERM', () => {
  it('lets the API answer what it has begun', async () => {
    const port = String(await freePort(0));
    const api = await run('api', { ...world.environment, PORT: port });
    const client = new Client(`http://127.0.0.1:${port}`, tenant.apiKey);
    const files = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`${index}.dcm`, 1]));
    const answer = client.post('/api/v1/exams', examBody(files));
    await eventually(
      async () =>
        (await world.admin.query('SELECT count(*)::int AS exams FROM exam')).rows[0].exams as number,
      (exams) => exams > 0,
    );
    expect(await terminate(api)).toBe(0); // committed, but not answered yet
    expect((await answer).status).toBe(201);
  }, 60_000);

  it('lets a worker finish its jobs and leaves the rest to the next one', async () => {
    const client = new Client(world.baseUrl, tenant.apiKey);
    const exam = await uploadExam(
      client,
      Object.fromEntries(ctSeries(120).map((bytes, index) => [`${index}.dcm`, bytes])),
      8,
    );
    const worker = await run('worker', world.workerEnvironment);
    await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
    const states = async () => {
      const { rows } = await world.admin.query(
        `SELECT u.state, count(*)::int FROM upload u JOIN slot s ON s.id = u.slot_id WHERE s.exam_id = $1 GROUP BY 1`,
        [exam.exam_id],
      );
      return Object.fromEntries(rows.map(({ state, count }) => [state, count])) as Record<string, number>;
    };
    await eventually(states, ({ registered = 0 }) => registered > 0);
    expect(await terminate(worker)).toBe(0);
    const { rows } = await world.admin.query(`SELECT state, count(*)::int FROM bullmq.job GROUP BY 1`);
    expect(rows.filter(({ state }) => state === 'active')).toEqual([]); // nothing was left in its hands
    const next = await run('worker', world.workerEnvironment);
    await eventually(states, ({ registered = 0 }) => registered === 120, 60_000);
    await terminate(next);
  }, 120_000);
});
