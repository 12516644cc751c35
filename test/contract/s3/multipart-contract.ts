import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type S3Capabilities, refusal, send, type Session } from './s3-target.js';

const MIB = 1024 * 1024;

/** Multipart uploads. */
export function describeMultipart(capabilities: S3Capabilities, session: () => Session): void {
  const start = async (Key: string): Promise<string> => {
    const input = { Bucket: session().bucket, Key, ContentType: 'application/dicom' };
    return (await session().client.send(new CreateMultipartUploadCommand(input))).UploadId ?? '';
  };
  const part = async (Key: string, UploadId: string, PartNumber: number, body: Buffer): Promise<string> => {
    const input = { Bucket: session().bucket, Key, UploadId, PartNumber };
    const url = await getSignedUrl(session().client, new UploadPartCommand(input));
    const answer = await send(url, { method: 'PUT', body });
    expect(answer.status).toBe(200);
    return answer.headers.etag ?? '';
  };
  const complete = (Key: string, UploadId: string, parts: [number, string][], more = {}) =>
    session().client.send(
      new CompleteMultipartUploadCommand({
        Bucket: session().bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts: parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag })) },
        ...more,
      }),
    );

  describe('multipart uploads', () => {
    it('join presigned parts', async () => {
      const { client, bucket: Bucket } = session();
      const Key = 'multi/joined';
      const UploadId = await start(Key);
      const bodies = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(1)];
      const etags: [number, string][] = [];
      for (const [i, body] of bodies.entries()) etags.push([i + 1, await part(Key, UploadId, i + 1, body)]);
      const parts = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
      expect(parts.Parts?.map((one) => [one.PartNumber, one.Size])).toEqual([
        [1, 5 * MIB],
        [2, 5 * MIB],
        [3, 1],
      ]);
      const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'multi/' }));
      expect(uploads.Uploads?.map((one) => one.UploadId)).toEqual([UploadId]);
      expect(await refusal(client.send(new HeadObjectCommand({ Bucket, Key })))).toMatch(/^404/);
      await complete(Key, UploadId, etags);
      const md5s = Buffer.concat(bodies.map((body) => createHash('md5').update(body).digest()));
      const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
      expect(head).toMatchObject({ ContentLength: 10 * MIB + 1, ContentType: 'application/dicom' });
      expect(head.ETag).toBe(`"${createHash('md5').update(md5s).digest('hex')}-3"`);
      const whole = Buffer.concat(bodies);
      const got = await client.send(new GetObjectCommand({ Bucket, Key }));
      expect(Buffer.from(await got.Body!.transformToByteArray()).equals(whole)).toBe(true);
      const Range = `bytes=${5 * MIB - 3}-${10 * MIB}`;
      const across = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
      expect(Buffer.from(await across.Body!.transformToByteArray()).equals(whole.subarray(5 * MIB - 3))).toBe(
        true,
      );
    });

    it('refuse wrong parts', async () => {
      const Key = 'multi/wrong';
      const UploadId = await start(Key);
      const first = await part(Key, UploadId, 1, randomBytes(5 * MIB));
      const second = await part(Key, UploadId, 2, randomBytes(100));
      expect(await refusal(complete(Key, UploadId, [[1, `"${'0'.repeat(32)}"`]]))).toBe('400 InvalidPart');
      expect(await refusal(complete(Key, UploadId, [[3, first]]))).toBe('400 InvalidPart');
      if (capabilities.partOrder) {
        const order = complete(Key, UploadId, [
          [2, second],
          [1, first],
        ]);
        expect(await refusal(order)).toBe('400 InvalidPartOrder');
      }
      const third = await part(Key, UploadId, 3, randomBytes(100));
      const small = complete(Key, UploadId, [
        [1, first],
        [2, second],
        [3, third],
      ]);
      expect(await refusal(small)).toBe('400 EntityTooSmall');
    });

    it('can be aborted', async () => {
      const { client, bucket: Bucket } = session();
      const Key = 'multi/aborted';
      const UploadId = await start(Key);
      const etag = await part(Key, UploadId, 1, randomBytes(100));
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      const late = await refusal(complete(Key, UploadId, [[1, etag]]));
      expect(late).toMatch(capabilities.noSuchUpload ? /^404 NoSuchUpload$/ : /^[45]/);
      const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
      expect(uploads.Uploads ?? []).toEqual([]);
    });

    it('respect If-None-Match when they complete', async () => {
      if (!capabilities.conditionalComplete) return;
      const Key = 'multi/conditional';
      for (const expected of ['accepted', '412 PreconditionFailed']) {
        const UploadId = await start(Key);
        const etag = await part(Key, UploadId, 1, randomBytes(10));
        expect(await refusal(complete(Key, UploadId, [[1, etag]], { IfNoneMatch: '*' }))).toBe(expected);
      }
    });
  });
}
