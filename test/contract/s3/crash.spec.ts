import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { startS3Server } from '../../../src/platform/embedded/s3/s3-server.js';
import { eventually } from '../../support/client.js';
import { startEmbeddedProcess } from './embedded-process.js';
import { DEFAULT_TYPE, clientOf, presignPut, refusal } from './s3-target.js';

jest.setTimeout(60_000);

const Bucket = 'crash';
const credentials = { accessKeyId: 'contractkey', secretAccessKey: 'contractsecret' };

async function filesIn(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('embedded S3: clients that go away', () => {
  let dataDir: string;
  let server: Awaited<ReturnType<typeof startS3Server>>;
  let client: S3Client;
  const errors: unknown[] = [];
  const unfinished = () => readdir(join(dataDir, 'tmp'));

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 's3-crash-'));
    const onError = (error: unknown) => void errors.push(error);
    server = await startS3Server({ dataDir, port: 0, credentials: [credentials], onError });
    client = clientOf({ endpoint: `http://127.0.0.1:${server.port}`, region: 'us-east-1', credentials });
    await client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('a body that is cut off leaves nothing: not the object, not a file', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'old', Body: 'old' }));
    for (const Key of ['old', 'new']) {
      const url = new URL(await presignPut(client, { Bucket, Key, ContentLength: 10_000_000 }));
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n`);
      socket.write(`Content-Type: ${DEFAULT_TYPE}\r\nContent-Length: 10000000\r\n\r\n`);
      socket.write(randomBytes(3_000_000));
      await eventually(unfinished, (names) => names.length > 0);
      socket.destroy();
      await eventually(unfinished, (names) => names.length === 0);
    }
    const list = await client.send(new ListObjectsV2Command({ Bucket }));
    expect(list.Contents?.map((one) => [one.Key, one.Size])).toEqual([['old', 3]]);
    expect(errors).toEqual([]);
  });

  it('a refused PUT that waits for 100 Continue is not asked for its body', async () => {
    const url = await presignPut(client, { Bucket, Key: 'refused', ContentLength: 1_000_000_000 });
    const request = (target: string): Promise<{ status: number | undefined; asked: boolean }> =>
      new Promise((resolve, reject) => {
        const headers = {
          'content-type': DEFAULT_TYPE,
          'content-length': 1_000_000_000,
          expect: '100-continue',
        };
        const put = http.request(target, { method: 'PUT', headers, agent: false });
        put.flushHeaders();
        put.on('continue', () => {
          resolve({ status: undefined, asked: true });
          put.destroy();
        });
        put.on('response', (response) => {
          resolve({ status: response.statusCode, asked: false });
          put.destroy();
        });
        put.on('error', reject);
      });
    expect(await request(url.replace(/Signature=.{8}/, 'Signature=00000000'))).toEqual({
      status: 403,
      asked: false,
    });
    expect(await request(url)).toEqual({ status: undefined, asked: true });
    await eventually(unfinished, (names) => names.length === 0);
  });

  it('deletes leave no files and no directories behind', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'emptied' }));
    await client.send(new PutObjectCommand({ Bucket: 'emptied', Key: 'a/b/c', Body: 'x' }));
    await client.send(new CopyObjectCommand({ Bucket: 'emptied', Key: 'd/e', CopySource: 'emptied/a/b/c' }));
    await client.send(new CopyObjectCommand({ Bucket: 'emptied', Key: 'd/e', CopySource: 'emptied/a/b/c' }));
    expect(await refusal(client.send(new DeleteBucketCommand({ Bucket: 'emptied' })))).toBe(
      '409 BucketNotEmpty',
    );
    for (const Key of ['a/b/c', 'd/e'])
      await client.send(new DeleteObjectCommand({ Bucket: 'emptied', Key }));
    expect(await readdir(join(dataDir, 'buckets', 'emptied', 'objects'))).toEqual([]);
    expect(await filesIn(join(dataDir, 'pieces'))).toEqual([]);
    await client.send(new DeleteBucketCommand({ Bucket: 'emptied' }));
  });
});

describe('embedded S3: kill -9', () => {
  it('keeps every acknowledged object whole, and shows no half one', async () => {
    const server = await startEmbeddedProcess();
    let client = clientOf(server.connection);
    try {
      await client.send(new CreateBucketCommand({ Bucket }));
      const acknowledged = new Set<string>();
      const bodyOf = (key: string): Buffer => Buffer.alloc(200_000, key);
      let running = true;
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        for (let i = 0; running; i++) {
          const key = `${writer}/${i}`;
          try {
            await client.send(new PutObjectCommand({ Bucket, Key: key, Body: bodyOf(key) }));
            acknowledged.add(key);
            await client.send(
              new CopyObjectCommand({ Bucket, Key: `copy/${key}`, CopySource: `${Bucket}/${key}` }),
            );
            acknowledged.add(`copy/${key}`);
          } catch {
            running = false;
          }
        }
      });
      await eventually(
        () => Promise.resolve(acknowledged.size),
        (size) => size > 60,
      );
      await server.kill();
      await Promise.all(writers);
      client.destroy();
      await server.restart();
      client = clientOf(server.connection);
      const listed = await client.send(new ListObjectsV2Command({ Bucket }));
      const keys = new Set(listed.Contents?.map((one) => one.Key ?? ''));
      for (const key of acknowledged) expect(keys).toContain(key);
      for (const key of keys) {
        const got = await client.send(new GetObjectCommand({ Bucket, Key: key }));
        const bytes = Buffer.from(await got.Body!.transformToByteArray());
        expect(bytes.equals(bodyOf(key.replace('copy/', '')))).toBe(true);
      }
      expect(await readdir(join(server.dataDir, 'tmp'))).toEqual([]);
      const copies = [...keys].filter((key) => key.startsWith('copy/'));
      expect((await filesIn(join(server.dataDir, 'pieces'))).length).toBe(copies.length);
    } finally {
      client.destroy();
      await server.stop();
    }
  }, 60_000);
});
