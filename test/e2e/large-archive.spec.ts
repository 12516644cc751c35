import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { elementsFrom, writeDicom } from '../../src/formats/dicom/write.js';
import { Hospital } from '../support/hospital.js';
import { putFile, writeLargeZip } from '../support/large-zip.js';
import { OwnProcess } from '../support/processes.js';
import { createWorld, type World } from '../support/world.js';

/** 5000 is what is promised: 1 GB (CONTRIBUTING.md). */
const INSTANCES = Number(process.env.SCANDOCK_ARCHIVE_INSTANCES ?? 1000);
const INSTANCE_BYTES = 200 * 1024;
const MAX_GROWTH = 100 * 1024 * 1024;
const LIMIT_MS = 600_000;

let world: World;
let worker: OwnProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'scandock-archive-'));
  world = await createWorld();
  worker = await OwnProcess.start('worker', world.workerEnvironment);
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A study one instance at a time. The pixels are the same ones; the UIDs make each a content of its own. */
function* slices(): Generator<{ name: string; data: Uint8Array }> {
  const common = { StudyInstanceUID: newUid(), SeriesInstanceUID: newUid() };
  const PixelData = randomBytes(INSTANCE_BYTES);
  for (let index = 0; index < INSTANCES; index++)
    yield {
      name: `CT/IM${index}.dcm`,
      data: writeDicom({
        elements: elementsFrom({
          SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
          SOPInstanceUID: newUid(),
          ...common,
          Modality: 'CT',
          PatientID: 'P-1',
          InstanceNumber: index + 1,
          Rows: 320,
          Columns: 320,
          BitsAllocated: 16,
          SamplesPerPixel: 1,
          PhotometricInterpretation: 'MONOCHROME2',
          PixelData,
        }),
      }),
    };
}

/** Resident memory of the worker, in bytes (proc(5)). */
const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8'))![1]) * 1024;

it(
  `registers a ZIP of ${INSTANCES} instances, and its worker needs hardly more memory than without`,
  async () => {
    const hospital = new Hospital(world.baseUrl, (await world.newTenant()).apiKey);
    const file = path.join(folder, 'study.zip');
    const bytes = await writeLargeZip(file, slices());
    const orderId = await hospital.newOrder();

    const idle = residentBytes();
    let peak = idle;
    const sampler = setInterval(() => (peak = Math.max(peak, residentBytes())), 100);
    const { url, uploadId } = await hospital.issue(`?order_id=${orderId}`);
    expect(await putFile(url, file)).toBe(200);
    const begun = Date.now();
    const upload = await hospital.settled(uploadId, LIMIT_MS);
    clearInterval(sampler);
    const figures = {
      megabytes: Math.round(bytes / 1e6),
      seconds: Math.round((Date.now() - begun) / 100) / 10,
      idle: Math.round(idle / 1e6),
      growth: Math.round((peak - idle) / 1e6),
    };
    process.stdout.write(`large archive, MB and seconds: ${JSON.stringify(figures)}\n`);

    expect(upload).toMatchObject({ state: 'registered', result: { kind: 'zip', instances: INSTANCES } });
    expect(peak - idle).toBeLessThan(MAX_GROWTH);
    const { rows } = await world.admin.query(
      `SELECT (SELECT count(*)::int FROM study) AS studies, (SELECT count(*)::int FROM series) AS series,
              (SELECT count(*)::int FROM instance) AS instances,
              (SELECT count(*)::int FROM upload WHERE parent_id = $1 AND state = 'registered') AS entries`,
      [uploadId],
    );
    expect(rows).toEqual([{ studies: 1, series: 1, instances: INSTANCES, entries: INSTANCES }]);
    expect((await hospital.status(orderId)).counts).toMatchObject({ registered: 1, rejected: 0 });
  },
  LIMIT_MS + 60_000,
);
