import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, parseConfig } from '../config/config.schema.js';
import { StorageService } from './storage.service.js';

const XML = '<?xml version="1.0" encoding="UTF-8"?>';
const ruleOf = (algorithm: string) =>
  `${XML}<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>` +
  `<ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>` +
  '</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>';
const errorOf = (code: string) => `${XML}<Error><Code>${code}</Code><Message>told</Message></Error>`;

/**
 * Answers to GetBucketEncryption as servers give them. No server that is at hand for tests encrypts, so the wire format
 * is written out (S3 API reference; the answer of Ceph RGW 16.2, which takes the question for a listing, as it was seen).
 */
const ANSWERS: Record<string, [number, string]> = {
  aes: [200, ruleOf('AES256')],
  kms: [200, ruleOf('aws:kms')],
  none: [404, errorOf('ServerSideEncryptionConfigurationNotFoundError')],
  listing: [200, `${XML}<ListBucketResult><Name>listing</Name><MaxKeys>1000</MaxKeys></ListBucketResult>`],
  denied: [403, errorOf('AccessDenied')],
  unknown: [501, errorOf('NotImplemented')],
  missing: [404, errorOf('NoSuchBucket')],
  away: [503, errorOf('ServiceUnavailable')],
};

let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const [status, body] = ANSWERS[/^\/(\w+)\/?\?encryption/.exec(request.url!)?.[1] ?? 'unknown']!;
    response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

function storageOf(bucket: string, required = true): StorageService {
  return new StorageService(
    parseConfig({
      SCANDOCK_MASTER_KEY: 'ab'.repeat(32),
      DATABASE_URL: 'postgresql://a/b',
      S3_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: 'id',
      S3_SECRET_ACCESS_KEY: 'secret',
      S3_REQUIRE_ENCRYPTION: String(required),
    }),
  );
}

const outcome = (storage: StorageService) =>
  storage.assertEncrypted().then(
    () => 'starts',
    (error: unknown) => (error instanceof ConfigError ? error.problems[0] : 'tries again'),
  );

describe('a bucket that has to encrypt', () => {
  it.each([
    ['aes', 'AES256'],
    ['kms', 'aws:kms'],
    ['none', undefined],
    ['listing', undefined],
  ])('%s: its default is %s', async (bucket, algorithm) => {
    expect(await storageOf(bucket).encryption()).toBe(algorithm);
  });

  it.each([
    ['aes', /^starts$/],
    ['kms', /^starts$/],
    ['none', /^S3_REQUIRE_ENCRYPTION: the bucket none has no default encryption/],
    ['listing', /^S3_REQUIRE_ENCRYPTION: the bucket listing has no default encryption/],
    [
      'denied',
      /^S3_REQUIRE_ENCRYPTION: the bucket denied does not tell .*AccessDenied.*GetEncryptionConfiguration/,
    ],
    [
      'unknown',
      /^S3_REQUIRE_ENCRYPTION: the bucket unknown does not tell whether it encrypts \(NotImplemented\)/,
    ],
    [
      'missing',
      /^S3_REQUIRE_ENCRYPTION: the bucket missing does not tell whether it encrypts \(NoSuchBucket\)/,
    ],
    ['away', /^tries again$/],
  ])('%s: the process %s', async (bucket, expected) => {
    expect(await outcome(storageOf(bucket))).toMatch(expected);
  });

  it('is not asked where it does not have to', async () => {
    for (const bucket of Object.keys(ANSWERS)) expect(await outcome(storageOf(bucket, false))).toBe('starts');
  });
});
