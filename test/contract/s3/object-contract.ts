import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  DEFAULT_TYPE,
  type S3Capabilities,
  md5Hex,
  presignGet,
  presignPut,
  refusal,
  send,
  sha256Base64,
  type Session,
} from './s3-target.js';

const WEIRD_KEYS = [
  'a b/ü+%&=?#/x.dcm',
  '../../etc/passwd',
  'a/../b/./c',
  'slash//double/',
  'both',
  'both/inside',
  'UPPER',
  'upper',
  `long/${'x'.repeat(300)}/${'é'.repeat(150)}`,
  '日本語/\u{1F9E0}.dcm',
  'quote\'"<&>*()!~',
];

/** Objects: bytes, ranges, conditions, copies, deletes, odd keys. */
export function describeObjects(capabilities: S3Capabilities, session: () => Session): void {
  const body = randomBytes(4096);
  const bytes = async (Key: string): Promise<Buffer> => {
    const got = await session().client.send(new GetObjectCommand({ Bucket: session().bucket, Key }));
    return Buffer.from((await got.Body?.transformToByteArray()) ?? []);
  };

  describe('objects', () => {
    it('keep bytes, type and user metadata, and answer 404 when absent', async () => {
      const { client, bucket: Bucket } = session();
      const input = {
        Bucket,
        Key: 'kept',
        Body: body,
        ContentType: 'application/dicom',
        Metadata: { study: '1.2.3' },
      };
      await client.send(new PutObjectCommand(input));
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'kept' }));
      expect(head).toMatchObject({
        ContentLength: 4096,
        ContentType: 'application/dicom',
        Metadata: { study: '1.2.3' },
      });
      expect(head.ETag).toBe(`"${md5Hex(body)}"`);
      expect(Math.abs(Date.now() - (head.LastModified?.getTime() ?? 0))).toBeLessThan(10_000);
      expect(await bytes('kept')).toEqual(body);
      expect(await refusal(client.send(new GetObjectCommand({ Bucket, Key: 'absent' })))).toBe(
        '404 NoSuchKey',
      );
      expect(await refusal(client.send(new HeadObjectCommand({ Bucket, Key: 'absent' })))).toBe(
        '404 NotFound',
      );
      const nowhere = new GetObjectCommand({ Bucket: `${Bucket}-none`, Key: 'x' });
      expect(await refusal(client.send(nowhere))).toBe('404 NoSuchBucket');
    });

    it.each(WEIRD_KEYS)('takes the key %j', async (Key) => {
      const { client, bucket: Bucket } = session();
      const content = Buffer.from(`content of ${Key}`);
      await client.send(new PutObjectCommand({ Bucket, Key, Body: content }));
      expect(await bytes(Key)).toEqual(content);
      const list = await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
      expect(list.Contents?.map((one) => one.Key)).toContain(Key);
      const url = await presignGet(client, { Bucket, Key });
      expect((await send(url)).body).toEqual(content);
      await client.send(
        new CopyObjectCommand({
          Bucket,
          Key: `copy-of-${Key}`.slice(0, 900),
          CopySource: `${Bucket}/${encodeURIComponent(Key)}`,
        }),
      );
      expect(await bytes(`copy-of-${Key}`)).toEqual(content);
    });

    it('keeps all odd keys apart', async () => {
      for (const Key of WEIRD_KEYS) expect((await bytes(Key)).toString()).toBe(`content of ${Key}`);
    });

    it('serves ranges', async () => {
      const { client, bucket: Bucket } = session();
      await client.send(new PutObjectCommand({ Bucket, Key: 'range', Body: body }));
      const range = async (Range: string): Promise<[number | undefined, string | undefined, Buffer]> => {
        const got = await client.send(new GetObjectCommand({ Bucket, Key: 'range', Range }));
        return [
          got.$metadata.httpStatusCode,
          got.ContentRange,
          Buffer.from(await got.Body!.transformToByteArray()),
        ];
      };
      expect(await range('bytes=10-19')).toEqual([206, 'bytes 10-19/4096', body.subarray(10, 20)]);
      expect(await range('bytes=4090-')).toEqual([206, 'bytes 4090-4095/4096', body.subarray(4090)]);
      expect(await range('bytes=4090-9999')).toEqual([206, 'bytes 4090-4095/4096', body.subarray(4090)]);
      expect(await range('bytes=-5')).toEqual([206, 'bytes 4091-4095/4096', body.subarray(4091)]);
      expect(await refusal(range('bytes=9999-'))).toBe('416 InvalidRange');
    });

    it('honours conditions', async () => {
      const { client, bucket: Bucket } = session();
      const Key = 'conditional';
      const { ETag } = await client.send(new PutObjectCommand({ Bucket, Key, Body: body, IfNoneMatch: '*' }));
      expect(
        await refusal(client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', IfNoneMatch: '*' }))),
      ).toBe('412 PreconditionFailed');
      const url = await presignPut(client, { Bucket, Key, ContentLength: body.length, IfNoneMatch: '*' });
      const answer = await send(url, {
        method: 'PUT',
        headers: { 'content-type': DEFAULT_TYPE, 'if-none-match': '*' },
        body,
      });
      expect([answer.status, answer.code]).toEqual([412, 'PreconditionFailed']);
      const get = (conditions: object) =>
        refusal(client.send(new GetObjectCommand({ Bucket, Key, ...conditions })));
      expect(await get({ IfMatch: ETag })).toBe('accepted');
      expect(await get({ IfMatch: '"0000"' })).toMatch(/^412/);
      expect(await get({ IfNoneMatch: ETag })).toMatch(/^304/);
      expect(await get({ IfModifiedSince: new Date(Date.now() + 60_000) })).toMatch(/^304/);
      expect(await get({ IfModifiedSince: new Date(0) })).toBe('accepted');
    });

    it('overrides answer headers for signed requests', async () => {
      const { client, bucket: Bucket } = session();
      await client.send(new PutObjectCommand({ Bucket, Key: 'shown', Body: body, ContentType: 'text/html' }));
      const url = await presignGet(client, {
        Bucket,
        Key: 'shown',
        ResponseContentDisposition: 'attachment; filename="x.dcm"',
        ResponseContentType: 'application/octet-stream',
        ResponseCacheControl: 'no-store',
      });
      expect((await send(url)).headers).toMatchObject({
        'content-disposition': 'attachment; filename="x.dcm"',
        'content-type': 'application/octet-stream',
        'cache-control': 'no-store',
      });
      expect((await send(url.replace('attachment', 'inline'))).status).toBe(403);
    });

    it('verifies Content-MD5 and checksums', async () => {
      const { client, bucket: Bucket } = session();
      const put = (more: object) =>
        refusal(client.send(new PutObjectCommand({ Bucket, Key: 'sums', Body: body, ...more })));
      const other = randomBytes(16).toString('base64');
      expect(await put({ ContentMD5: other })).toBe('400 BadDigest');
      if (!capabilities.checksums) return;
      expect(await put({ ChecksumSHA256: sha256Base64(randomBytes(3)) })).toBe('400 BadDigest');
      expect(await put({ ChecksumCRC32: 'AAAAAA==' })).toBe('400 BadDigest');
      for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
        expect(await put({ ChecksumAlgorithm })).toBe('accepted');
        const head = await client.send(
          new HeadObjectCommand({ Bucket, Key: 'sums', ChecksumMode: 'ENABLED' }),
        );
        expect(head[`Checksum${ChecksumAlgorithm}`]).toBeTruthy();
      }
    });

    it('takes the SDK default: a stream with a checksum in the trailer', async () => {
      if (!capabilities.chunkedTrailer) return;
      const { connection, bucket: Bucket } = session();
      const client = new S3Client({ ...connection, forcePathStyle: true, maxAttempts: 1 });
      const Body = Readable.from([body.subarray(0, 1000), body.subarray(1000)]);
      await client.send(new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: body.length }));
      expect(await bytes('stream')).toEqual(body);
    });

    it('copies, keeping or replacing metadata', async () => {
      const { client, bucket: Bucket } = session();
      const source = {
        Bucket,
        Key: 'source',
        Body: body,
        ContentType: 'application/dicom',
        Metadata: { a: 'b' },
      };
      await client.send(new PutObjectCommand(source));
      await client.send(new CopyObjectCommand({ Bucket, Key: 'copy/kept', CopySource: `${Bucket}/source` }));
      await client.send(
        new CopyObjectCommand({
          Bucket,
          Key: 'copy/replaced',
          CopySource: `${Bucket}/source`,
          MetadataDirective: 'REPLACE',
          ContentType: 'text/plain',
        }),
      );
      // A copy is a thing of its own: neither replacing nor deleting the source touches it.
      await client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'replaced' }));
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'source' }));
      const kept = await client.send(new HeadObjectCommand({ Bucket, Key: 'copy/kept' }));
      expect(kept).toMatchObject({
        ContentType: 'application/dicom',
        Metadata: { a: 'b' },
        ETag: `"${md5Hex(body)}"`,
      });
      const replaced = await client.send(new HeadObjectCommand({ Bucket, Key: 'copy/replaced' }));
      expect(replaced).toMatchObject({ ContentType: 'text/plain', Metadata: {} });
      expect(await bytes('copy/kept')).toEqual(body);
      expect(await bytes('copy/replaced')).toEqual(body);
      const absent = new CopyObjectCommand({ Bucket, Key: 'copy/no', CopySource: `${Bucket}/absent` });
      expect(await refusal(client.send(absent))).toBe('404 NoSuchKey');
      if (!capabilities.conditionalCopy) return;
      const wrong = {
        Bucket,
        Key: 'copy/if',
        CopySource: `${Bucket}/copy/kept`,
        CopySourceIfMatch: '"0000"',
      };
      expect(await refusal(client.send(new CopyObjectCommand(wrong)))).toBe('412 PreconditionFailed');
    });

    it('deletes one, many, and what is not there', async () => {
      const { client, bucket: Bucket } = session();
      for (const Key of ['del/1', 'del/2', 'del/ &<3'])
        await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
      const gone = await client.send(new DeleteObjectCommand({ Bucket, Key: 'del/absent' }));
      expect(gone.$metadata.httpStatusCode).toBe(204);
      const Objects = [{ Key: 'del/1' }, { Key: 'del/ &<3' }, { Key: 'del/absent' }];
      const many = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      expect(many.Deleted?.map((one) => one.Key).sort()).toEqual(['del/ &<3', 'del/1', 'del/absent']);
      const quiet = await client.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'del/2' }], Quiet: true } }),
      );
      expect(quiet.Deleted ?? []).toEqual([]);
      const left = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'del/' }));
      expect(left.KeyCount).toBe(0);
    });
  });

  describe('bucket configuration', () => {
    it('answers preflights by its CORS rules', async () => {
      const { client, bucket: Bucket, connection } = session();
      const rule = {
        AllowedOrigins: ['https://app.example.com'],
        AllowedMethods: ['PUT', 'GET'],
        AllowedHeaders: ['*'],
        ExposeHeaders: ['ETag'],
        MaxAgeSeconds: 300,
      };
      await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }));
      const preflight = (origin: string, method: string) =>
        send(`${connection.endpoint}/${Bucket}/k`, {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': method,
            'access-control-request-headers': 'content-type',
          },
        });
      const allowed = await preflight('https://app.example.com', 'PUT');
      expect(allowed.status).toBe(200);
      expect(allowed.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.example.com',
        'access-control-allow-headers': 'content-type',
        'access-control-max-age': '300',
      });
      expect((await preflight('https://evil.example.com', 'PUT')).status).toBe(403);
      expect((await preflight('https://app.example.com', 'DELETE')).status).toBe(403);
      const url = await presignPut(client, { Bucket, Key: 'cors', ContentLength: body.length });
      const put = await send(url, {
        method: 'PUT',
        headers: { 'content-type': DEFAULT_TYPE, origin: 'https://app.example.com' },
        body,
      });
      expect(put.headers['access-control-allow-origin']).toBe('https://app.example.com');
      expect(put.headers['access-control-expose-headers']).toMatch(/etag/i);
    });

    it('keeps default encryption, or says that there is none, and echoes the header', async () => {
      const { client, bucket: Bucket } = session();
      const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }];
      const set = new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } });
      if (capabilities.bucketEncryption) {
        await client.send(set);
        const got = await client.send(new GetBucketEncryptionCommand({ Bucket }));
        expect(got.ServerSideEncryptionConfiguration?.Rules).toMatchObject(Rules);
      } else {
        expect(await refusal(client.send(set))).toMatch(/^(400 InvalidArgument|501 NotImplemented)$/);
      }
      if (capabilities.encryptionHeader) {
        const input = { Bucket, Key: 'sse', Body: body, ServerSideEncryption: 'AES256' as const };
        expect((await client.send(new PutObjectCommand(input))).ServerSideEncryption).toBe('AES256');
        const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'sse' }));
        expect(head.ServerSideEncryption).toBe('AES256');
      }
    });
  });
}
