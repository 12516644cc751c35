import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { writeZip } from '../../../src/formats/zip/zip.fixture.js';
import { eventually, tokenFor } from '../../support/client.js';
import { ctInstance, ctSeries } from '../../support/dicom-files.js';
import { Hospital, sha256Of } from '../../support/hospital.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(120_000);

/** The script of seed 002, as the document has it: not a byte of it is ours. */
const SCRIPT = fileURLToPath(new URL('../../support/seed/upload_dicom.py', import.meta.url));
const PYTHON = '/usr/bin/python3';
const hasRequests = spawnSync(PYTHON, ['-c', 'import requests']).status === 0;
if (!hasRequests)
  process.stdout.write('script: skipped, Python has no requests here (Debian: python3-requests)\n');

interface Exit {
  code: number;
  stdout: string;
  stderr: string;
}

let world: World;
let folder: string;
let tenant: Tenant;
let hospital: Hospital;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'scandock-script-'));
  world = await createWorld(); // no faster than it is shipped: what lands is to be noticed all the same
  await world.startWorker();
  tenant = await world.newTenant('uploader');
  hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the script as its document says, with the system's Python and nothing of our environment but the path. */
function run(endpoint: string, target: string, environment: Record<string, string> = {}): Promise<Exit> {
  const env = { PATH: process.env.PATH!, HOME: folder, PYTHONIOENCODING: 'utf-8', ...environment };
  return new Promise((resolve) => {
    execFile(
      PYTHON,
      [SCRIPT, '--api-endpoint', endpoint, '--path', target],
      { env },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

function endpoint(secret = tenant.clientSecret): string {
  const url = new URL(world.baseUrl);
  [url.username, url.password] = [tenant.clientId, secret];
  return url.href;
}

function write(name: string, bytes: Uint8Array): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return file;
}

const uploads = async (): Promise<any[]> =>
  (
    await world.admin.query(
      `SELECT u.id, u.state, u.order_id, u.study_id, u.parent_id FROM upload u WHERE u.organization_id = $1 ORDER BY u.id`,
      [tenant.organizationId],
    )
  ).rows;

/** All of it came to its end, by nobody's hand. Returns what was uploaded. */
const allRegistered = (count: number): Promise<any[]> =>
  eventually(
    uploads,
    (rows) => rows.length === count && rows.every(({ state }) => state === 'registered'),
    30_000,
  );

it('is the one of the document', () => {
  expect(sha256Of(readFileSync(SCRIPT))).toBe(
    '9589fb1f536a70742578aee8c5ffe569a98e263562d9a6ad393ab5e320d69e62',
  );
});

(hasRequests ? describe : describe.skip)('the script of the document, as it is', () => {
  it('uploads a folder with the credential in the URL; within seconds it is a study of one order', async () => {
    const series = ctSeries(3);
    series.forEach((bytes, index) => write(`study/series 1/IM${index}`, bytes));
    const { code, stdout, stderr } = await run(endpoint(), path.join(folder, 'study'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Found 3 file(s) to upload.');
    expect(stdout).toContain('All done!');
    expect(stdout.match(new RegExp(`S3 key will be: staging/${tenant.organizationId}/`, 'g'))).toHaveLength(
      3,
    );

    const rows = await allRegistered(3);
    expect(new Set(rows.map(({ order_id }) => order_id)).size).toBe(1);
    expect(await hospital.status(rows[0].order_id)).toMatchObject({
      state: 'processing',
      counts: { registered: 3, rejected: 0 },
    });
    const { rows: studies } = await world.admin.query(
      `SELECT count(*)::int AS instances, count(DISTINCT s.study_id)::int AS studies
       FROM instance i JOIN series s ON s.organization_id = i.organization_id AND s.id = i.series_id`,
    );
    expect(studies).toEqual([{ instances: 3, studies: 1 }]);
  });

  it('uploads a ZIP', async () => {
    const before = (await uploads()).length;
    const entries = ctSeries(4).map((data, index) => ({ name: `CT/${index}.dcm`, data }));
    const file = write('study.zip', writeZip(entries));
    expect(await run(endpoint(), file)).toMatchObject({ code: 0, stderr: '' });
    const rows = (await allRegistered(before + 5)).slice(before);
    expect(rows.filter(({ parent_id }) => parent_id !== null)).toHaveLength(4);
    expect(new Set(rows.map(({ order_id }) => order_id)).size).toBe(1);
  });

  it('uploads with a .netrc instead, which sends Basic to the presigned URL too', async () => {
    const before = (await uploads()).length;
    writeFileSync(
      path.join(folder, '.netrc'),
      `machine 127.0.0.1 login ${tenant.clientId} password ${tenant.clientSecret}\n`,
      { mode: 0o600 },
    );
    const file = write('one.dcm', ctInstance());
    expect(await run(world.baseUrl, file)).toMatchObject({ code: 0, stderr: '' });
    rmSync(path.join(folder, '.netrc'));
    await allRegistered(before + 1);
  });

  it('says 401 and ends with 1 when the secret is wrong, or there is none', async () => {
    const before = await uploads();
    const file = write('unwelcome.dcm', ctInstance());
    for (const target of [endpoint('wrong'), world.baseUrl]) {
      const { code, stderr } = await run(target, file);
      expect(code).toBe(1);
      expect(stderr).toContain(`HTTP error for '${file}': 401`);
    }
    expect(await uploads()).toEqual(before);
  });

  it('runs twenty times at once on one study, and makes one order', async () => {
    const before = (await uploads()).length;
    const StudyInstanceUID = newUid();
    const files = Array.from({ length: 20 }, (_, index) =>
      write(`parallel/${index}.dcm`, ctInstance({ StudyInstanceUID })),
    );
    const exits = await Promise.all(files.map((file) => run(endpoint(), file)));
    expect(exits.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      files.map(() => ({ code: 0, stderr: '' })),
    );
    const rows = (await allRegistered(before + 20)).slice(before);
    expect(new Set(rows.map(({ order_id }) => order_id)).size).toBe(1);
    const { body } = await hospital.get(`/orderId?study_uid=${StudyInstanceUID}`);
    expect(body.order_ids).toEqual([rows[0].order_id]);
  });
});
