import { randomBytes } from 'node:crypto';
import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { QUEUES } from '../../dist/platform/queue/queues.js';
import { KEEP_MEMORY } from '../../dist/commands/children.js';
import { prepareDatabase, roleUrl } from '../../dist/commands/migrate.command.js';
import { asOperator } from '../../dist/operator.js';
import { SCOPES } from '../../dist/platform/authorization/scopes.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/**
 * The product as `npm start` runs it: embedded parts with fsync, API and worker as processes of their own.
 * @param kept folder of the data, which stays there. Absent: one of its own, which is removed.
 */
export async function startProduct(kept) {
  const folder = kept ?? mkdtempSync(path.join(tmpdir(), 'scandock-bench-'));
  const [port, s3Port, postgresPort] = [await freePort(), await freePort(), await freePort()];
  const children = [];
  const start = (name, environment, { message, execArgv } = {}) =>
    new Promise((resolve, reject) => {
      const child = fork(main, [name], {
        env: { ...KEEP_MEMORY, ...process.env, ...environment },
        execArgv,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      children.unshift(child);
      child.once('message', () => resolve(child));
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
      if (message) child.send(message);
    });
  const s3 = { accessKeyId: 'BENCH', secretAccessKey: 'bench' };
  const parts = {
    dataDir: folder,
    postgres: { port: postgresPort, password: 'bench' },
    s3: { port: s3Port, ...s3 },
  };
  await start('embedded', {}, { message: parts });
  const adminUrl = `postgresql://scandock_admin:bench@127.0.0.1:${postgresPort}/scandock`;
  await prepareDatabase({
    adminUrl,
    passwords: { app: 'bench-app', worker: 'bench-worker' },
    queues: QUEUES,
  });
  const environment = {
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    LOG_LEVEL: 'warn',
    RATE_LIMIT_PER_MINUTE: '10000000',
    SCANDOCK_MASTER_KEY: masterKeyIn(folder),
    DATABASE_URL: roleUrl(adminUrl, 'scandock_app', 'bench-app'),
    S3_ENDPOINT: `http://127.0.0.1:${s3Port}`,
    S3_ACCESS_KEY_ID: s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    STORAGE_EVENTS_SECRET: randomBytes(32).toString('hex'),
  };
  const client = new S3Client({
    endpoint: environment.S3_ENDPOINT,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: s3,
  });
  await client.send(new CreateBucketCommand({ Bucket: 'scandock' })).catch((error) => {
    if (!kept) throw error;
  });
  const workerUrl = roleUrl(adminUrl, 'scandock_worker', 'bench-worker');
  await start('api', environment);
  /** The API key of an organization of its own: nothing it uploads is there already. */
  const newTenant = () =>
    asOperator(workerUrl, async (organizations) => {
      const organizationId = await organizations.createOrganization('Bench');
      return organizations.createApiKey({ organizationId, name: 'bench', role: 'owner', scopes: SCOPES });
    });
  return {
    baseUrl: environment.PUBLIC_URL,
    environment,
    adminUrl,
    workerUrl,
    apiKey: await newTenant(),
    newTenant,
    /** @param execArgv of Node, for profiles */
    startWorker: (execArgv, overrides = {}) =>
      start('worker', { ...environment, DATABASE_URL: workerUrl, ...overrides }, { execArgv }),
    close: async () => {
      for (const child of children)
        await new Promise((resolve) => {
          child.removeAllListeners('exit').once('exit', resolve);
          child.kill('SIGTERM');
        });
      if (!kept) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What is in a folder that is kept was sealed under the key it was made with. */
function masterKeyIn(folder) {
  const file = path.join(folder, 'master-key');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

/** Calls a function over and over for about `seconds`; returns calls per second. */
export async function perSecond(call, seconds = 2) {
  for (let warm = 0; warm < 200; warm++) await call();
  const begun = performance.now();
  let calls = 0;
  while (performance.now() - begun < seconds * 1000)
    for (let batch = 0; batch < 50; batch++, calls++) await call();
  return calls / ((performance.now() - begun) / 1000);
}

/** Runs `jobs` with at most `parallel` at a time; returns the seconds it took. */
export async function timed(jobs, parallel) {
  const begun = performance.now();
  const waiting = [...jobs];
  const lane = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return (performance.now() - begun) / 1000;
}

export const rate = (value) => `${Math.round(value).toLocaleString('en')}/s`;
export const times = (value) => `${value.toFixed(value < 10 ? 2 : 1)} x`;

export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
