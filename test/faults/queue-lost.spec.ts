import { getQueueToken } from '@nestjs/bullmq';
import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Queue } from 'bullmq';
import { Clock } from '../../src/platform/clock/clock.js';
import { Client, eventually } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { type CreatedExam, uploadExam } from '../support/exam.js';
import { findDisagreements } from '../support/ledger-checks.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

let world: World;
let tenant: Tenant;
let client: Client;
let worker: INestApplicationContext;

beforeAll(async () => {
  world = await createWorld(); // the reconciler's interval as it is shipped
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
}, 60_000);
afterAll(() => world.close(), 60_000);

const confirm = (exam: CreatedExam) => client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
const file = async (exam: CreatedExam) =>
  (await client.get(`/api/v1/exams/${exam.exam_id}`)).body.files[0] as { state: string };
const becomes = (exam: CreatedExam, state: string, limitMs?: number) =>
  eventually(
    () => file(exam),
    (seen) => seen.state === state,
    limitMs,
  );
const jobs = async () => (await world.admin.query('SELECT count(*)::int FROM bullmq.job')).rows[0].count;

/** The worker's clock runs ahead: what stands still is queued again at once instead of after 15 s. */
const hasten = () => {
  worker.get(Clock).now = () => new Date(Date.now() + 20_000);
};

describe('when the queue forgets', () => {
  it('every job, and there is no worker yet: the reconciler alone brings all to its end', async () => {
    const exams = [];
    for (let index = 0; index < 5; index++) exams.push(await uploadExam(client, { 'a.dcm': ctInstance() }));
    for (const exam of exams) expect((await confirm(exam)).status).toBe(200);
    expect(await jobs()).toBe(5);
    await world.api.app.get<Queue>(getQueueToken('uploads'), { strict: false }).drain();
    expect(await jobs()).toBe(0);
    worker = await world.startWorker();
    hasten();
    for (const exam of exams) await becomes(exam, 'registered');
    expect(await findDisagreements(world, tenant.organizationId)).toEqual([]);
  }, 60_000);

  it('and nobody confirms: a landing is noticed within seconds', async () => {
    const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
    const begun = Date.now();
    await eventually(
      () => file(exam),
      ({ state }) => state !== 'issued',
      20_000,
    );
    expect(Date.now() - begun).toBeLessThan(10_000); // the reconciler looks every 2 s, and a machine may be busy
    await becomes(exam, 'registered');
  }, 60_000);
});

describe('when the queue is away', () => {
  it('a confirm answers as ever, and the work is done when it is back', async () => {
    const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
    await world.admin.query('REVOKE USAGE ON SCHEMA bullmq FROM scandock_app');
    try {
      const begun = Date.now();
      expect((await confirm(exam)).status).toBe(200);
      expect(Date.now() - begun).toBeLessThan(2_000);
    } finally {
      await world.admin.query('GRANT USAGE ON SCHEMA bullmq TO scandock_app');
    }
    await becomes(exam, 'registered');
    expect(await findDisagreements(world, tenant.organizationId)).toEqual([]);
  }, 60_000);

  it('a confirm waits a second for a queue that hangs, not for ever', async () => {
    const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
    const lock = await world.admin.connect();
    try {
      await lock.query('BEGIN; LOCK TABLE bullmq.job IN ACCESS EXCLUSIVE MODE');
      const begun = Date.now();
      expect((await confirm(exam)).status).toBe(200);
      expect(Date.now() - begun).toBeLessThan(3_000);
    } finally {
      await lock.query('ROLLBACK');
      lock.release();
    }
    await becomes(exam, 'registered');
  }, 60_000);
});
