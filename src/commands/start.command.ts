import path from 'node:path';
import { CreateBucketCommand, PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { demoStory } from '../demo/story.js';
import { prepareDemo } from '../demo/demo.js';
import { ConfigError, configSchema, parseConfig } from '../platform/config/config.schema.js';
import { QUEUES } from '../platform/queue/queues.js';
import { Children } from './children.js';
import type { EmbeddedParts } from './embedded.command.js';
import { freePort, LocalState, type LocalSecrets } from '../platform/embedded/local-state.js';
import { prepareDatabase, roleUrl } from './migrate.command.js';

const DATABASE_NAME = 'scandock';

/** `scandock start`: everything, on this machine. Parts that the environment names are used instead of embedded ones. */
export async function start(): Promise<void> {
  const begun = Date.now();
  const state = new LocalState(path.resolve(process.env.SCANDOCK_DATA_DIR || '.scandock'));
  const release = state.claim();
  const children = new Children(state.path('logs'), (name, logFile) => {
    process.stderr.write(`\nThe ${name} process ended unexpectedly; its log is ${logFile}\n`);
    void stop(1);
  });
  let stopped = false;
  const stop = async (code: number) => {
    if (stopped) return;
    stopped = true;
    await children.stop();
    release();
    process.exit(code);
  };
  process.on('SIGINT', () => void stop(0));
  process.on('SIGTERM', () => void stop(0));

  try {
    await bringUp(state, children, begun);
  } catch (error) {
    if (stopped) return; // interrupted while starting
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).message}\n`);
    await stop(1);
  }
}

async function bringUp(state: LocalState, children: Children, begun: number): Promise<void> {
  const secrets = state.secrets();
  const settings = await settle(secrets);
  if (Object.keys(settings.parts).length > 0) {
    say('Starting the embedded parts …');
    await children.start('embedded', process.env, { ...settings.parts, dataDir: state.dir });
  }
  await prepareDatabase({
    adminUrl: await administrator(settings.adminUrl),
    passwords: { app: secrets.appPassword, worker: secrets.workerPassword },
    queues: process.env.REDIS_URL ? [] : QUEUES,
  });
  if (settings.parts.s3) await createBucket(settings.environment);

  say('Starting worker and API …');
  await Promise.all([
    children.start('worker', {
      ...settings.environment,
      ...(process.env.METRICS_PORT && { METRICS_PORT: String(Number(process.env.METRICS_PORT) + 1) }),
      DATABASE_URL: roleUrl(settings.adminUrl, 'scandock_worker', secrets.workerPassword),
    }),
    children.start('api', settings.environment),
  ]);
  const demo = process.env.SCANDOCK_DEMO === 'false' ? undefined : await prepareDemo(state, settings, say);
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  process.stdout.write(
    `\nScandock is ready after ${seconds} s: ${settings.baseUrl}  (API reference: ${settings.baseUrl}/docs)\n`,
  );
  process.stdout.write(demo ? demoStory(demo, state) : '');
  process.stdout.write('\nCtrl-C stops everything; the data stays.\n');
}

interface Settings {
  baseUrl: string;
  adminUrl: string;
  workerUrl: string;
  /** The page that shows what the embedded mailbox took. */
  mailboxUrl?: string;
  parts: Omit<EmbeddedParts, 'dataDir'>;
  environment: NodeJS.ProcessEnv;
}

/** Decides which parts are embedded and where everything listens, and checks the whole before anything is started. */
async function settle(secrets: LocalSecrets): Promise<Settings> {
  const given = process.env;
  const { success, data: port } = configSchema.shape.PORT.safeParse(given.PORT || undefined);
  if (!success) throw new ConfigError(['PORT: must be a port, 1 to 65535']);
  if ((await freePort(port)) !== port) throw new ConfigError([`PORT: ${port} is taken; choose another`]);
  const parts: Settings['parts'] = {};
  let adminUrl = given.DATABASE_ADMIN_URL || given.DATABASE_URL;
  if (!adminUrl) {
    parts.postgres = { port: await freePort(port + 2), password: secrets.postgresPassword };
    adminUrl = `postgresql://scandock_admin:${secrets.postgresPassword}@127.0.0.1:${parts.postgres.port}/${DATABASE_NAME}`;
  }
  const s3: NodeJS.ProcessEnv = {};
  if (!given.S3_ENDPOINT) {
    parts.s3 = {
      port: await freePort(port + 1),
      accessKeyId: secrets.s3AccessKeyId,
      secretAccessKey: secrets.s3SecretAccessKey,
    };
    s3.S3_ENDPOINT = `http://127.0.0.1:${parts.s3.port}`;
    s3.S3_ACCESS_KEY_ID = parts.s3.accessKeyId;
    s3.S3_SECRET_ACCESS_KEY = parts.s3.secretAccessKey;
    s3.S3_REQUIRE_ENCRYPTION = given.S3_REQUIRE_ENCRYPTION || 'false'; // ours encrypts nothing: the disk has to
  }
  const mail: NodeJS.ProcessEnv = {};
  if (!given.SMTP_URL && given.NODE_ENV !== 'production') {
    parts.mailbox = { smtpPort: await freePort(port + 3), httpPort: await freePort(port + 4) };
    mail.SMTP_URL = `smtp://127.0.0.1:${parts.mailbox.smtpPort}`;
    mail.MAIL_FROM = given.MAIL_FROM || 'Scandock <no-reply@scandock.local>';
  }
  const baseUrl = `http://127.0.0.1:${port}`;
  const environment: NodeJS.ProcessEnv = {
    SCANDOCK_MASTER_KEY: secrets.masterKey,
    PUBLIC_URL: baseUrl,
    LOG_LEVEL: 'info',
    AUDIT_SEAL_INTERVAL_MS: '5000', // so that a trial does not wait a minute for what it wants to see
    ...given,
    ...s3,
    ...mail,
    PORT: String(port),
    DATABASE_URL: roleUrl(adminUrl, 'scandock_app', secrets.appPassword),
  };
  parseConfig(environment);
  return {
    baseUrl,
    adminUrl,
    workerUrl: roleUrl(adminUrl, 'scandock_worker', secrets.workerPassword),
    ...(parts.mailbox && { mailboxUrl: `http://127.0.0.1:${parts.mailbox.httpPort}` }),
    parts,
    environment,
  };
}

/** `start` makes the roles itself, so the role it is given must be allowed to. */
async function administrator(url: string): Promise<string> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new Client({ connectionString: maintenance.toString(), connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ may: boolean }>(
      'SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user',
    );
    if (rows[0]?.may) return url;
    throw new ConfigError([
      'DATABASE_ADMIN_URL: `start` makes the application roles, so it needs a role that may create roles. ' +
        'Without one, run `scandock migrate` as an administrator, then `scandock api` and `scandock worker`.',
    ]);
  } finally {
    await client.end();
  }
}

async function createBucket(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = parseConfig(environment);
  const client = new S3Client({
    endpoint: config.S3_ENDPOINT,
    region: config.S3_REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: config.S3_BUCKET })).catch((error: Error) => {
      if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
    });
    const browsers = {
      AllowedOrigins: ['*'],
      AllowedMethods: ['PUT', 'GET'],
      AllowedHeaders: ['*'],
      ExposeHeaders: ['ETag'],
    };
    await client.send(
      new PutBucketCorsCommand({ Bucket: config.S3_BUCKET, CORSConfiguration: { CORSRules: [browsers] } }),
    );
  } finally {
    client.destroy();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
