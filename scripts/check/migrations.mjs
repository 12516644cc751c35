// Applies every migration to a new database and compares what came of it with the Prisma schema.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrapDatabase } from '../../dist/platform/database/bootstrap.js';
import { startPostgres } from '../../dist/platform/embedded/postgres.js';
import { root } from '../ensure-installed.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'scandock-check-'));
let server;
// The server is in a process group of its own, so Ctrl-C in the terminal does not reach it.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => cleanUp().then(() => process.exit(130)));

try {
  server = await startPostgres({
    dir: path.join(folder, 'postgres'),
    port: await freePort(),
    password: 'check',
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  const adminUrl = server.adminUrl('scandock_check');
  const { applied } = await bootstrapDatabase({
    adminUrl,
    migrationsDir: path.join(root, 'prisma', 'migrations'),
    passwords: { app: 'check-app-password', worker: 'check-worker-password' },
    queues: [], // BullMQ's tables are not the schema's
  });
  if (applied.length === 0) throw new Error('No migration was applied.');
  const { code, output } = await diff(adminUrl);
  if (code === 2) console.error('The migrations do not give what the schema says. Missing:');
  if (code !== 0 || !/empty migration/i.test(output)) {
    console.error(output);
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await cleanUp();
}

/** Exit code 0: nothing to add, 2: something to add, 1: it failed. */
function diff(url) {
  const args = [
    'migrate',
    'diff',
    '--from-config-datasource',
    '--to-schema',
    'prisma',
    '--script',
    '--exit-code',
  ];
  const child = spawn(process.execPath, ['node_modules/prisma/build/index.js', ...args], {
    cwd: root,
    env: { ...process.env, DATABASE_ADMIN_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

async function cleanUp() {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
