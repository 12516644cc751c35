// One real PostgreSQL for the whole run, with a migrated template database that each test file copies.
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startPostgres } from '../../dist/platform/embedded/postgres.js';
import { prepareDatabase } from '../../dist/commands/migrate.command.js';
import { QUEUES } from '../../dist/platform/queue/queues.js';

const TEMPLATE = 'scandock_template';

export default async function setUp() {
  const folder = mkdtempSync(path.join(tmpdir(), 'scandock-test-'));
  const server = await startPostgres({
    dir: path.join(folder, 'postgres'),
    port: await freePort(),
    password: 'test',
    // Durability is the server's business, not what these tests prove; the crash tests kill our processes, not this one.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  await prepareDatabase({
    adminUrl: server.adminUrl(TEMPLATE),
    passwords: { app: 'app-test-password', worker: 'worker-test-password' },
    queues: QUEUES,
  });
  process.env.TEST_ADMIN_URL = server.adminUrl('postgres'); // inherited by the workers
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  globalThis.testServer = { server, folder };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
