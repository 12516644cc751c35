import { randomUUID } from 'node:crypto';
import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { WriteExportPayload } from '../../src/modules/audit/exports.jobs.js';
import { ExportFile } from '../../src/modules/audit/worker/export.file.js';
import { ExportService } from '../../src/modules/audit/worker/export.service.js';
import { SealerService } from '../../src/modules/audit/worker/sealer.service.js';
import { MultipartUpload } from '../../src/platform/storage/multipart-upload.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { eventually } from '../support/client.js';
import { findFaults, sealKeys } from '../support/exported.js';
import { type Asked, type Lie, LyingStorage } from '../support/lying-storage.js';
import { type OwnStorage, startOwnStorage } from '../support/own-storage.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { faultsAt } from './every-step.js';

jest.setTimeout(300_000);

/** Smallest parts a bucket takes, and as many events as fill several of them. */
const PART = 5 * 1024 * 1024;
const EVENTS = 900;

type Job = WriteExportPayload;

let storage: OwnStorage;
let liar: LyingStorage;
let world: World;
let worker: INestApplicationContext;
let service: ExportService;
let tenant: Tenant;
let sealed: number;

beforeAll(async () => {
  storage = await startOwnStorage();
  liar = await LyingStorage.before(storage.port);
  world = await createWorld({
    S3_ENDPOINT: liar.endpoint,
    AUDIT_SEAL_INTERVAL_MS: '86400000',
    RECONCILE_INTERVAL_MS: '86400000', // nobody goes on but the test
  });
  worker = await world.startWorker();
  service = worker.get(ExportService, { strict: false });
  worker.get(ExportFile, { strict: false }).partBytes = PART;
  tenant = await world.newTenant();
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
     SELECT gen_random_uuid(), now() - n * interval '1 second', $1, 'system', 'x', 'success', '{}',
            jsonb_build_object('n', n, 'text', repeat(md5(n::text), 750))
     FROM generate_series(1, ${EVENTS}) n`,
    [tenant.organizationId],
  );
  await worker.get(SealerService, { strict: false }).seal();
  const { rows } = await world.admin.query<{ sealed: number }>(
    'SELECT sum(size)::int AS sealed FROM audit_tree WHERE organization_id = $1',
    [tenant.organizationId],
  );
  sealed = rows[0]!.sealed;
  expect(sealed).toBeGreaterThanOrEqual(EVENTS);
}, 180_000);
afterAll(async () => {
  await world.close();
  await liar.close();
  await storage.close();
});
beforeEach(() => {
  [liar.rule, liar.lies] = [() => undefined, 0];
});

const LIES: Lie[] = [
  { kind: 'hush' },
  { kind: 'pretend', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' },
];

const ofExports = ({ path }: Asked): boolean => path.includes('/exports/');

async function newExport(): Promise<Job> {
  const [{ organizationId }, exportId] = [tenant, randomUUID()];
  await world.admin.query(
    `INSERT INTO audit_export (organization_id, id, format, filters, state, requested_by_kind, requested_by_id, created_at, progressed_at)
     VALUES ($1, $2, 'ndjson', '{}', 'queued', 'client', $1, now(), now())`,
    [organizationId, exportId],
  );
  return { organizationId, exportId };
}

const rowOf = async ({ exportId }: Job) =>
  (await world.admin.query('SELECT * FROM audit_export WHERE id = $1', [exportId])).rows[0];

async function expectWhole(job: Job): Promise<void> {
  expect(await rowOf(job)).toMatchObject({ state: 'done', failure: null });
  const read = async (end: string) => {
    const { bytes } = (await worker
      .get(StorageService)
      .read(`exports/${job.organizationId}/audit/${job.exportId}.${end}`))!;
    const pieces: Uint8Array[] = [];
    for await (const piece of bytes) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const [file, manifest] = [await read('ndjson'), await read('manifest.ndjson')];
  const found = findFaults(file, manifest.toString(), await sealKeys(world));
  expect(found.faults).toEqual([]);
  expect(found.manifest.statement.rows).toBe(sealed);
  expect(found.manifest.statement.parts.length).toBeGreaterThan(3);
  const { rows } = await world.admin.query<{ count: number }>(
    `SELECT count(*)::int FROM audit_event WHERE action = 'audit:export-finished' AND resource_id = $1 AND outcome = 'success'`,
    [job.exportId],
  );
  expect(rows[0]!.count).toBe(1);
  expect(await partsLeft(job)).toBe(0);
}

/** Of uploads that were neither completed nor aborted. One whose id was lost on its way to us may be left, without a part. */
async function partsLeft({ organizationId, exportId }: Job): Promise<number> {
  const request = { Bucket: 'scandock', Prefix: `exports/${organizationId}/audit/${exportId}` };
  const { Uploads } = await storage.s3.send(new ListMultipartUploadsCommand(request));
  const parts = await Promise.all(
    (Uploads ?? []).map(({ Key, UploadId }) =>
      storage.s3.send(new ListPartsCommand({ Bucket: 'scandock', Key, UploadId })),
    ),
  );
  return parts.reduce((sum, { Parts }) => sum + (Parts ?? []).length, 0);
}

it('ends with each event once, whichever request to the bucket failed, or was never answered, and the worker died of it', async () => {
  for (let step = 1, struck = true; struck; step++) {
    struck = false;
    for (const lie of faultsAt(step, LIES)) {
      const job = await newExport();
      let [asked, hit] = [0, false];
      liar.rule = (request) => {
        // Every repetition of the client's own as well, until the attempt is over.
        if (!ofExports(request) || (!hit && ++asked < step)) return undefined;
        hit = true;
        return lie;
      };
      await service.write(job).catch(() => undefined);
      liar.rule = () => undefined;
      for (let attempt = 0; attempt < 3 && (await rowOf(job)).state !== 'done'; attempt++)
        await service.write(job).catch((error: unknown) => service.giveUp(job, error));
      await expectWhole(job);
      struck ||= hit;
    }
    if (!struck) expect(step).toBeGreaterThan(10);
  }
});

it('goes on behind the parts that are there', async () => {
  const job = await newExport();
  liar.rule = ({ query }) =>
    query.get('partNumber') === '3' ? { kind: 'pretend', status: 403, body: '<Error/>' } : undefined;
  await expect(service.write(job)).rejects.toThrow();
  expect(await rowOf(job)).toMatchObject({ state: 'running', failure: null });
  const sent: string[] = [];
  liar.rule = ({ method, query, path }) => {
    if (method === 'PUT' && path.endsWith('.ndjson') && !path.includes('manifest'))
      sent.push(query.get('partNumber')!);
    return undefined;
  };
  await service.write(job);
  expect(sent).toEqual(['3', '4', '5'].slice(0, sent.length));
  expect(sent.length).toBeGreaterThan(1);
  await expectWhole(job);
});

it('is left alone by an attempt that another one has taken over', async () => {
  const job = await newExport();
  liar.rule = ({ query }) =>
    query.get('partNumber') === '2' && liar.lies === 0 ? { kind: 'delay', milliseconds: 5_000 } : undefined;
  const slow = service.write(job);
  await eventually(
    () => Promise.resolve(liar.lies),
    (lies) => lies > 0,
  );
  await service.write(job).catch(() => service.write(job));
  await slow.catch(() => undefined);
  if ((await rowOf(job)).state !== 'done') await service.write(job);
  await expectWhole(job);
  expect(liar.lies).toBe(1);
});

it('fails by a code when nothing helps, and leaves no part', async () => {
  const job = await newExport();
  liar.rule = ({ query }) =>
    query.get('partNumber') === '2'
      ? { kind: 'pretend', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
      : undefined;
  for (let attempt = 0; attempt < 30 && (await rowOf(job)).state !== 'failed'; attempt++)
    await service.write(job).catch((error: unknown) => service.giveUp(job, error));
  expect(await rowOf(job)).toMatchObject({ state: 'failed', failure: 'AccessDenied', attempts: 21 });
  expect(await partsLeft(job)).toBe(0);
});

it('fails at once when it is larger than a bucket takes in parts, and leaves none', async () => {
  jest.replaceProperty(MultipartUpload, 'MOST_PARTS', 2);
  const job = await newExport();
  await service.write(job);
  jest.restoreAllMocks();
  expect(await rowOf(job)).toMatchObject({ state: 'failed', failure: 'too_large', attempts: 1 });
  expect(await partsLeft(job)).toBe(0);
});
