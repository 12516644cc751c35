import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client as PgClient } from 'pg';
import { freePort } from '../../src/platform/embedded/local-state.js';
import { basic, eventually } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { findDisagreements, statesOf } from '../support/ledger-checks.js';
import { OwnProcess } from '../support/processes.js';
import { type OwnStorage, startOwnStorage } from '../support/own-storage.js';
import { PatientUploader, pause, type Reply } from '../support/uploader.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

let storage: OwnStorage;
let world: World;
let tenant: Tenant;
let api: OwnProcess;
let worker: OwnProcess;
let baseUrl: string;
let server: PgClient;
let database: string;

beforeAll(async () => {
  storage = await startOwnStorage();
  world = await createWorld({
    S3_ENDPOINT: storage.endpoint,
    RECONCILE_INTERVAL_MS: '300',
    RATE_LIMIT_PER_MINUTE: '1000000',
  });
  tenant = await world.newTenant();
  // Processes of their own: what an outage must not end is the process.
  const port = await freePort(0);
  baseUrl = `http://127.0.0.1:${port}`;
  api = await OwnProcess.start('api', { ...world.environment, PORT: String(port), PUBLIC_URL: baseUrl });
  worker = await OwnProcess.start('worker', world.workerEnvironment);
  database = new URL(world.config.DATABASE_URL).pathname.slice(1);
  server = new PgClient({ connectionString: process.env.TEST_ADMIN_URL });
  await server.connect();
}, 60_000);
afterAll(async () => {
  await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
  await server.end();
  await Promise.all([api.stop(), worker.stop()]);
  await world.close();
  await storage.close();
}, 60_000);

const OURS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = $1 AND usename IN ('scandock_app', 'scandock_worker')`;

const cutConnections = () => server.query(OURS, [database]);

async function databaseAway(milliseconds: number): Promise<void> {
  await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
  await cutConnections();
  await pause(milliseconds);
  await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
}

async function storageAway(milliseconds: number): Promise<void> {
  await storage.stop();
  await pause(milliseconds);
  await storage.start();
}

/** Uploaders and readers go on while `trouble` happens; returns what they were answered. */
async function under(trouble: () => Promise<void>): Promise<Reply[]> {
  let over = false;
  const uploaders = Array.from({ length: 4 }, () => new PatientUploader(baseUrl, tenant.apiKey));
  const exams: string[] = [];
  const uploading = uploaders.map(async (uploader) => {
    while (!over) {
      const files = { 'a.dcm': ctInstance(), 'b.dcm': ctInstance() };
      exams.push(await uploader.upload(files, randomUUID()));
      await uploader.call('GET', `/api/v1/exams/${exams.at(-1)}`);
    }
  });
  const probe = new PatientUploader(baseUrl, 'none');
  const probing = (async () => {
    while (!over) {
      const credentials = { authorization: basic(tenant.clientId, tenant.clientSecret) };
      await probe.call('POST', '/oauth2/token?grant_type=client_credentials', undefined, credentials);
      await probe.call('GET', `/share/${'x'.repeat(43)}`);
      await pause(50);
    }
  })();
  await trouble();
  await pause(300);
  over = true;
  await Promise.all([...uploading, probing]);
  for (const id of exams) {
    const seen = await eventually(
      async () => (await uploaders[0]!.call('GET', `/api/v1/exams/${id}`)).body,
      ({ ingestion_status }) => ingestion_status === 'registered',
    );
    expect(seen.status).toBe('ready');
  }
  return [...uploaders, probe].flatMap(({ replies }) => replies);
}

/** Refusals are 503, say when to come back, and speak their surface's language. */
function expectClearRefusals(replies: Reply[]): void {
  const refused = replies.filter(({ status }) => status >= 500);
  expect(refused.filter(({ status, retryAfter }) => status !== 503 || !Number(retryAfter))).toEqual([]);
  for (const { path, type, body } of refused) {
    if (path.includes('/api/v1/')) expect(body.error).toMatchObject({ code: 'unavailable' });
    if (path.includes('/oauth2/')) expect(body.error).toBe('temporarily_unavailable');
    if (path.includes('/share/')) expect(type).toContain('text/html');
  }
}

const nothingLost = async () => {
  expect({ api: api.running, worker: worker.running, said: api.output + worker.output }).toEqual({
    api: true,
    worker: true,
    said: '',
  });
  expect(await statesOf(world.admin, tenant.organizationId)).toEqual({ registered: expect.any(Number) });
  expect(await findDisagreements({ admin: world.admin, s3: storage.s3 }, tenant.organizationId)).toEqual([]);
};

describe('under load', () => {
  it('outlives the end of every database connection, again and again', async () => {
    const replies = await under(async () => {
      for (let round = 0; round < 10; round++) {
        await pause(150);
        await cutConnections();
      }
    });
    expectClearRefusals(replies);
    await nothingLost();
  }, 60_000);

  it('refuses clearly while the database is away, and goes on when it is back', async () => {
    const replies = await under(async () => {
      await pause(300);
      await databaseAway(2_500);
    });
    expectClearRefusals(replies);
    expect(replies.filter(({ status }) => status === 503).length).toBeGreaterThan(3);
    await nothingLost();
  }, 60_000);

  it('refuses clearly what needs the bucket while it is away, and goes on when it is back', async () => {
    const replies = await under(async () => {
      await pause(300);
      await storageAway(2_500);
    });
    expectClearRefusals(replies);
    await nothingLost();
  }, 60_000);

  it('outlives both at once', async () => {
    const replies = await under(async () => {
      await pause(300);
      await Promise.all([databaseAway(2_000), storageAway(3_000)]);
    });
    expectClearRefusals(replies);
    await nothingLost();
  }, 60_000);
});
