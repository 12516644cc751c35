import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Pool } from 'pg';
import { type ConfigValues, parseConfig } from '../../src/platform/config/config.schema.js';
import { freePort } from '../../src/platform/embedded/local-state.js';
import { startS3Server } from '../../src/platform/embedded/s3/s3-server.js';

/** What a test file has for itself: a database, a bucket, and the environment that names them. */
export interface Stack {
  /** Environment of the API; {@link workerEnvironment} of the worker. */
  environment: Record<string, string>;
  workerEnvironment: Record<string, string>;
  config: ConfigValues;
  workerConfig: ConfigValues;
  /** A superuser's pool: sees and may do what no process of ours may. */
  admin: Pool;
  /** Direct access to the bucket. */
  s3: S3Client;
  close(): Promise<void>;
}

/**
 * @param overrides variables of the environment
 * @param connections what connections of ours have otherwise than as shipped, as node-postgres names it
 */
export async function startStack(
  overrides: Record<string, string> = {},
  connections: Record<string, string> = {},
): Promise<Stack> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const server = new Pool({ connectionString: process.env.TEST_ADMIN_URL!, max: 1 });
  await server.query(`CREATE DATABASE ${name} TEMPLATE scandock_template`);
  const url = (user?: string, password?: string): string => {
    const target = new URL(process.env.TEST_ADMIN_URL!);
    target.pathname = `/${name}`;
    if (user) {
      [target.username, target.password] = [user, password!];
      for (const [name, value] of Object.entries(connections)) target.searchParams.set(name, value);
    }
    return target.toString();
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'scandock-s3-'));
  const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: 'testsecret' };
  const storage = await startS3Server({ dataDir: folder, port: 0, credentials: [credentials], fsync: false });
  const endpoint = `http://127.0.0.1:${storage.port}`;
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await s3.send(new CreateBucketCommand({ Bucket: 'scandock' }));

  const port = await freePort(0);
  const environment = {
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    LOG_LEVEL: 'silent',
    SCANDOCK_MASTER_KEY: randomBytes(32).toString('hex'),
    DATABASE_URL: url('scandock_app', 'app-test-password'),
    DATABASE_POOL_SIZE: '8',
    S3_ENDPOINT: endpoint,
    S3_ACCESS_KEY_ID: credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    ...overrides,
  };
  const workerEnvironment = { ...environment, DATABASE_URL: url('scandock_worker', 'worker-test-password') };
  const admin = new Pool({ connectionString: url(), max: 4 });
  admin.on('error', () => undefined); // a connection that was just ending is cut by DROP DATABASE
  return {
    environment,
    workerEnvironment,
    config: parseConfig(environment),
    workerConfig: parseConfig(workerEnvironment),
    admin,
    s3,
    close: async () => {
      s3.destroy();
      await admin.end();
      await storage.close();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
