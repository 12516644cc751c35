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
    summary:
      '<name> [--owner <email>]: a tenant, owned by that user or by a client; its secret is told once (DATABASE_URL)',
    run: async () => (await import('./commands/create-organization.command.js')).createOrganization(),
  },
  'create-platform-owner': {
    summary: '--name <name>: a client that manages organizations; its secret is told once (DATABASE_URL)',
    run: async () => (await import('./commands/create-platform-owner.command.js')).createPlatformOwner(),
  },
  rights: {
    summary:
      '--organization <id> (--user|--client|--api-key|--group <id>) [--json]: what they may do (DATABASE_URL)',
    run: async () => (await import('./commands/rights.command.js')).rights(),
  },
  'create-portal-key': {
    summary: '--organization <id> [--name <name>]: the key of a patients’ app (DATABASE_URL)',
    run: async () => (await import('./commands/create-portal-key.command.js')).createPortalKey(),
  },
  'require-metadata': {
    summary: '<organization id> [attribute ...]: what every order must have to be complete (DATABASE_URL)',
    run: async () => (await import('./commands/require-metadata.command.js')).requireMetadata(),
  },
  'rotate-signing-key': {
    summary:
      '[--now]: a new key for access tokens; --now ends all tokens (DATABASE_URL, SCANDOCK_MASTER_KEY)',
    run: async () => (await import('./commands/rotate-signing-key.command.js')).rotateSigningKey(),
  },
  'rotate-seal-key': {
    summary: 'a new key for the seals of the audit ledger (DATABASE_URL of the worker, SCANDOCK_MASTER_KEY)',
    run: async () => (await import('./commands/rotate-seal-key.command.js')).rotateSealKey(),
  },
  audit: {
    summary:
      'verify <events file> --keys <jwks.json> [--manifest <file>] [--json]: check an export (nothing else); ' +
      'retire <YYYY-MM> [--request-exports | --drop] [--keys <jwks.json>]: take a month out of the ledger, or drop it ' +
      '(DATABASE_ADMIN_URL, DATABASE_URL of the worker, the bucket; SCANDOCK_MASTER_KEY unless --keys is given)',
    run: async () => (await import('./commands/audit.command.js')).audit(),
  },
  embedded: {
    summary: 'the embedded Postgres and S3, as a child of start',
    run: async () => (await import('./commands/embedded.command.js')).embedded(),
  },
  permissions: {
    summary: 'print docs/permissions.md: which built-in role may do what',
    run: async () => (await import('./commands/permissions.command.js')).permissions(),
  },
  openapi: {
    summary: 'print openapi.json',
    run: async () => (await import('./commands/openapi.command.js')).openapi(),
  },
};

const name = process.argv[2] ?? '';
const command = COMMANDS[name];
if (!command) {
  const list = Object.entries(COMMANDS).map(([key, { summary }]) => `  ${key.padEnd(22)} ${summary}`);
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
