import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CreateBucketCommand, GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { startS3Server } from '../../../src/platform/embedded/s3/s3-server.js';
import { clientOf, DEFAULT_TYPE, presignGet, presignPut, send } from './s3-target.js';

const Bucket = 'netrc';
const credentials = { accessKeyId: 'contractkey', secretAccessKey: 'contractsecret' };
const python = '/usr/bin/python3';
const run = promisify(execFile);
const pythonRequests = await run(python, ['-c', 'import requests']).then(
  () => true,
  () => false,
);
if (!pythonRequests) process.stdout.write('netrc: skipped with Python, requests is not installed\n');

let folder: string;
let server: Awaited<ReturnType<typeof startS3Server>>;
let client: S3Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3-netrc-'));
  server = await startS3Server({ dataDir: join(folder, 'data'), port: 0, credentials: [credentials] });
  client = clientOf({ endpoint: `http://127.0.0.1:${server.port}`, region: 'us-east-1', credentials });
  await client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  client.destroy();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
const put = async (Key: string, headers: Record<string, string>, tamper = (url: string) => url) => {
  const body = randomBytes(100);
  const url = tamper(await presignPut(client, { Bucket, Key, ContentLength: body.length }));
  const { status, code } = await send(url, {
    method: 'PUT',
    headers: { 'content-type': DEFAULT_TYPE, ...headers },
    body,
  });
  return code === undefined ? String(status) : `${status} ${code}`;
};

describe('embedded S3: an Authorization header beside a presigned query', () => {
  it.each(['sdc_id:secret', 'anybody:anything', `${credentials.accessKeyId}:wrong`])(
    'is left out of account when it is HTTP Basic, whoever it is (%s)',
    async (pair) => {
      expect(await put('basic', { authorization: basic(pair) })).toBe('200');
      const url = await presignGet(client, { Bucket, Key: 'basic' });
      expect((await send(url, { headers: { authorization: basic(pair) } })).status).toBe(200);
    },
  );

  it('makes no bad query good', async () => {
    const { accessKeyId, secretAccessKey } = credentials;
    const authorization = basic(`${accessKeyId}:${secretAccessKey}`);
    const wrong = (url: string) => url.replace(/Signature=.{8}/, 'Signature=00000000');
    expect(await put('bad', { authorization }, wrong)).toBe('403 SignatureDoesNotMatch');
    expect(await put('bad', { authorization }, (url) => url.split('?')[0]!)).toBe('403 AccessDenied');
  });

  it.each([
    'AWS4-HMAC-SHA256 Credential=contractkey/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00',
    'AWS contractkey:c2lnbmF0dXJl',
    'Bearer token',
    'Basic',
  ])('is refused when it is another: %s', async (authorization) => {
    expect(await put('two', { authorization })).toBe('400 InvalidArgument');
  });
});

(pythonRequests ? describe : describe.skip)('embedded S3: Python’s requests with a .netrc', () => {
  it('uploads to a presigned URL, although it sends the host’s credential along', async () => {
    const netrc = join(folder, 'netrc');
    await writeFile(netrc, 'machine 127.0.0.1 login sdc_id password secret\n', { mode: 0o600 });
    const script = `import requests, sys
answer = requests.put(url=sys.argv[1], data=b'bytes', headers={'Content-Type': 'application/dicom'})
print(answer.status_code, answer.request.headers.get('Authorization', 'none')[:6])`;
    const url = await presignPut(client, {
      Bucket,
      Key: 'python',
      ContentLength: 5,
      ContentType: 'application/dicom',
    });
    const { stdout } = await run(python, ['-c', script, url], { env: { ...process.env, NETRC: netrc } });
    expect(stdout.trim()).toBe('200 Basic');
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'python' }));
    expect(await got.Body?.transformToString()).toBe('bytes');
  });
});
