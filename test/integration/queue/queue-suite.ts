import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { verifyUpload } from '../../../src/modules/uploads/uploads.jobs.js';
import { Enqueuer } from '../../../src/platform/queue/enqueuer.js';
import { Client, eventually } from '../../support/client.js';
import { ctInstance, ctSeries } from '../../support/dicom-files.js';
import { uploadExam } from '../../support/exam.js';
import { createWorld, type World } from '../../support/world.js';

/** What the product needs of its queue, whichever server it runs on. The reconciler sleeps: only the queue works here. */
export function queueSuite(name: string, overrides: () => Promise<Record<string, string>>): void {
  describe(`queue on ${name}`, () => {
    let world: World;
    let client: Client;
    let queue: Queue;

    beforeAll(async () => {
      world = await createWorld({ RECONCILE_INTERVAL_MS: '3600000', ...(await overrides()) });
      client = new Client(world.baseUrl, (await world.newTenant()).apiKey);
      queue = world.api.app.get<Queue>(getQueueToken('uploads'), { strict: false });
      await queue.waitUntilReady();
    });
    afterAll(() => world.close());

    const settled = (id: string) =>
      eventually(
        async () => (await client.get(`/api/v1/exams/${id}`)).body,
        ({ ingestion_status }) => ingestion_status === 'registered',
      );

    it('holds one job an upload while nobody works, however often it is queued', async () => {
      const enqueuer = world.api.app.get(Enqueuer, { strict: false });
      const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
      await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
      const [job] = await queue.getWaiting();
      for (let again = 0; again < 3; again++)
        await enqueuer.enqueue(verifyUpload, [verifyUpload.payload.parse(job!.data)]);
      expect(await queue.getWaitingCount()).toBe(1);
      expect(Object.keys(job!.data).sort()).toEqual(['organizationId', 'requestId', 'traceId', 'uploadId']); // ids only
      await world.startWorker();
      await settled(exam.exam_id);
    });

    it('brings every upload of an exam to its end, and leaves nothing in the queue', async () => {
      const exam = await uploadExam(
        client,
        Object.fromEntries(ctSeries(40).map((bytes, index) => [`${index}.dcm`, bytes])),
      );
      await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
      await settled(exam.exam_id);
      const counts = await eventually(
        () => queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed'),
        ({ active }) => active === 0,
      );
      expect(counts).toEqual({ waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 });
    });

    it('carries the request and the trace into the audit events of the work', async () => {
      const exam = await uploadExam(client, { 'a.dcm': ctInstance() });
      const traceId = 'c0ffee00c0ffee00c0ffee00c0ffee00';
      const headers = {
        'x-request-id': 'request-of-the-test',
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      };
      await client.post(`/api/v1/exams/${exam.exam_id}/confirm`, undefined, headers);
      const { files } = await settled(exam.exam_id);
      const { rows } = await world.admin.query(
        `SELECT action, request_id, trace_id FROM audit_event WHERE resource_id = $1 ORDER BY id`,
        [files[0].upload_id],
      );
      expect(rows).toEqual(
        ['uploads:verify', 'uploads:register'].map((action) => ({
          action,
          request_id: 'request-of-the-test',
          trace_id: traceId,
        })),
      );
    });
  });
}
