import 'reflect-metadata';
import { ConfigError } from './platform/config/config.schema.js';

/** `scandock <command>`. Each command loads only what it needs. */
const COMMANDS: Record<string, { summary: string; run: () => Promise<void> }> = {
  start: {
    summary: 'everything on this machine: embedded Postgres, queue and S3, API, worker, demo (npm start)',
    run: async () => (await import('./commands/start.command.js')).start(),
  },
  api: { summary: 'the API process', run: async () => (await import('./commands/api.command.js')).api() },
  worker: {
    summary: 'the worker process',
    run: async () => (await import('./commands/worker.command.js')).worker(),
  },
  migrate: {
    summary: 'create roles, apply migrations, refresh built-in roles (DATABASE_ADMIN_URL)',
    run: async () => (await import('./commands/migrate.command.js')).migrate(),
  },
  'create-organization': {
    summary: '<name>: a tenant and a client that owns it; its secret is told once (DATABASE_URL)',
    run: async () => (await import('./commands/create-organization.command.js')).createOrganization(),
  },
  'require-metadata': {
    summary: '<organization id> [attribute ...]: what every order must have to be complete (DATABASE_URL)',
    run: async () => (await import('./commands/require-metadata.command.js')).requireMetadata(),
  },
  embedded: {
    summary: 'the embedded Postgres and S3, as a child of start',
    run: async () => (await import('./commands/embedded.command.js')).embedded(),
  },
  openapi: {
    summary: 'print openapi.json',
    run: async () => (await import('./commands/openapi.command.js')).openapi(),
  },
};

const name = process.argv[2] ?? '';
const command = COMMANDS[name];
if (!command) {
  const list = Object.entries(COMMANDS).map(([key, { summary }]) => `  ${key.padEnd(20)} ${summary}`);
  process.stderr.write(`Usage: scandock <command>\n\n${list.join('\n')}\n`);
  process.exit(name === '' || name === 'help' || name === '--help' ? 0 : 2);
}
try {
  await command.run();
} catch (error) {
  process.stderr.write(
    `scandock ${name}: ${error instanceof ConfigError ? error.message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exit(1);
}
