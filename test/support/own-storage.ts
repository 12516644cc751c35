import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startS3Server } from '../../src/platform/embedded/s3/s3-server.js';

const CREDENTIALS = { accessKeyId: 'TESTKEY', secretAccessKey: 'testsecret' };

/** A bucket of its own that can go away and come back under the same address. */
export interface OwnStorage {
  port: number;
  endpoint: string;
  s3: S3Client;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startOwnStorage(): Promise<OwnStorage> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'scandock-s3-'));
  const options = { dataDir, credentials: [CREDENTIALS], fsync: false };
  let server: Awaited<ReturnType<typeof startS3Server>> | undefined = await startS3Server({
    ...options,
    port: 0,
  });
  const { port } = server;
  const endpoint = `http://127.0.0.1:${port}`;
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: CREDENTIALS });
  await s3.send(new CreateBucketCommand({ Bucket: 'scandock' }));
  const stop = async () => {
    const running = server;
    server = undefined;
    await running?.close();
  };
  return {
    port,
    endpoint,
    s3,
    stop,
    start: async () => {
      server = await startS3Server({ ...options, port });
    },
    close: async () => {
      s3.destroy();
      await stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
