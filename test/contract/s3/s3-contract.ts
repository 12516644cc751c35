import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CreateBucketCommand, DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { describeListing } from './listing-contract.js';
import { describeMultipart } from './multipart-contract.js';
import { describeObjects } from './object-contract.js';
import {
  DEFAULT_TYPE,
  type S3Connection,
  type S3Target,
  clientOf,
  presignGet,
  presignPut,
  uniqueName,
  type Session,
} from './s3-target.js';
import { describeSignatures } from './signature-contract.js';
import { describeStorage } from './storage-contract.js';

const MIB = 1024 * 1024;
const LARGE_MIB = 1024;
const MAX_GROWTH_MB = 150;

/** What the product needs of any S3 server. Runs the same against all of them, but for what `capabilities` excuses. */
export function describeS3Contract(target: S3Target): void {
  describe(`S3 contract: ${target.name}`, () => {
    let session: Session;

    beforeAll(async () => {
      session = await open(await target.start());
    }, 120_000);
    afterAll(async () => {
      session?.client.destroy();
      await target.stop();
    }, 60_000);

    describeSignatures(target.capabilities, () => session);
    describeObjects(target.capabilities, () => session);
    describeListing(() => session);
    describeMultipart(target.capabilities, () => session);
    describeStorage(() => session);

    it('streams 1 GB in and out, in flat memory where that can be measured', async () => {
      const measured = await target.startMeasured?.();
      try {
        const large = measured ? await open(measured.connection) : session;
        const { growth } = await watch(measured?.residentMb, async () => {
          await putLarge(large);
          await getLarge(large);
        });
        if (measured) expect(growth).toBeLessThan(MAX_GROWTH_MB);
        await large.client.send(new DeleteObjectCommand({ Bucket: large.bucket, Key: 'large' }));
        if (measured) large.client.destroy();
      } finally {
        await measured?.stop();
      }
    }, 120_000);
  });
}

async function open(connection: S3Connection): Promise<Session> {
  const client = clientOf(connection);
  const bucket = uniqueName('contract');
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return { client, connection, bucket };
}

/** Largest growth of resident memory while something runs, in MB. */
async function watch(
  residentMb: (() => number) | undefined,
  action: () => Promise<void>,
): Promise<{ growth: number }> {
  const before = residentMb?.() ?? 0;
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, residentMb?.() ?? 0)), 50);
  try {
    await action();
  } finally {
    clearInterval(timer);
  }
  return { growth: peak - before };
}

async function putLarge({ client, bucket: Bucket }: Session): Promise<void> {
  const url = await presignPut(client, { Bucket, Key: 'large', ContentLength: LARGE_MIB * MIB });
  const chunk = Buffer.alloc(MIB, 'scandock');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'content-type': DEFAULT_TYPE, 'content-length': LARGE_MIB * MIB };
    const request = http.request(url, { method: 'PUT', headers, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    let sent = 0;
    const more = (): void => {
      while (sent < LARGE_MIB) {
        sent++;
        if (!request.write(chunk)) return void request.once('drain', more);
      }
      request.end();
    };
    more();
  });
  expect(status).toBe(200);
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'large' }));
  expect(head.ContentLength).toBe(LARGE_MIB * MIB);
}

async function getLarge({ client, bucket: Bucket }: Session): Promise<void> {
  const url = await presignGet(client, { Bucket, Key: 'large' });
  const received = await new Promise<number>((resolve, reject) => {
    http
      .get(url, { agent: false }, (response) => {
        let size = 0;
        response.on('data', (chunk: Buffer) => (size += chunk.length));
        response.on('end', () => resolve(size));
        response.on('error', reject);
      })
      .on('error', reject);
  });
  expect(received).toBe(LARGE_MIB * MIB);
}
