import { describe, expect, it } from '@jest/globals';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { type ConfigValues, parseConfig } from '../../../src/platform/config/config.schema.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { refusal, send, type Session } from './s3-target.js';

const MIB = 1024 * 1024;
const STREAMED_MIB = 512;
const MAX_GROWTH_MB = 200;

/** What configures a client of a bucket, with whatever else the configuration is to say. */
export const configOf = (
  { connection, bucket }: Pick<Session, 'connection' | 'bucket'>,
  changes: Record<string, string> = {},
): ConfigValues =>
  parseConfig({
    SCANDOCK_MASTER_KEY: 'ab'.repeat(32),
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nowhere',
    S3_ENDPOINT: connection.endpoint,
    S3_REGION: connection.region,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: connection.credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: connection.credentials.secretAccessKey,
    ...changes,
  });

/** Our own client of a bucket. */
export const storageOf = (...given: Parameters<typeof configOf>): StorageService =>
  new StorageService(configOf(...given));

async function textOf(bytes: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  if (!bytes) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function* pieces(...given: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of given) yield Buffer.from(piece);
}

/** What the product asks of the bucket, by the code it asks with. */
export function describeStorage(session: () => Session): void {
  describe('our storage service', () => {
    let storage: StorageService;
    const open = (): StorageService => (storage ??= storageOf(session()));

    describe('writes', () => {
      it('a stream, and bytes, as octets without metadata', async () => {
        const { client, bucket: Bucket } = session();
        await open().write('w/stream', pieces('ab', '', 'cde'), 5);
        await open().writeBytes('w/bytes', Buffer.from('12345'));
        await open().write('w/empty', pieces(), 0);
        for (const [Key, text] of [
          ['w/stream', 'abcde'],
          ['w/bytes', '12345'],
          ['w/empty', ''],
        ] as const) {
          const found = await client.send(new GetObjectCommand({ Bucket, Key }));
          expect(await found.Body?.transformToString()).toBe(text);
          expect([found.ContentType, found.Metadata]).toEqual(['application/octet-stream', {}]);
        }
      });

      it('an object in parts, which is not there before it is complete, and never when it was given up', async () => {
        const upload = await open().beginMultipart('w/parts');
        const first = Buffer.alloc(5 * MIB, 'a');
        await upload.add(first);
        await upload.add(Buffer.from('end'));
        expect(await open().head('w/parts')).toBeUndefined();
        await upload.complete();
        const found = await open().readRange('w/parts', first.length - 1, first.length + 9);
        expect([found!.size, await textOf(found!.bytes)]).toEqual([first.length + 3, 'aend']);
        const given = await open().beginMultipart('w/given-up');
        await given.add(Buffer.from('half'));
        await open().abortMultipart(given.started);
        await open().abortMultipart(given.started);
        await expect(given.complete()).rejects.toBeInstanceOf(Error); // NoSuchUpload; Ceph RGW 16.2 calls it internal
        expect(await open().head('w/given-up')).toBeUndefined();
      });

      it.each<[string, () => AsyncGenerator<Uint8Array>, RegExp]>([
        ['a body that is too short', () => pieces('abc'), /ended after 3 of 5 bytes/],
        ['a body that is too long', () => pieces('abc', 'def'), /longer than its 5 bytes/],
        ['no body', () => pieces(), /ended after 0 of 5 bytes/],
        [
          'a body that breaks',
          async function* () {
            yield Buffer.from('abc');
            await new Promise((resolve) => setTimeout(resolve, 50));
            throw new Error('the archive is damaged');
          },
          /the archive is damaged/,
        ],
      ])('nothing of %s, and says why at once', async (_, body, reason) => {
        await open().writeBytes('w/kept', Buffer.from('before'));
        const begun = Date.now();
        await expect(open().write('w/kept', body(), 5)).rejects.toThrow(reason);
        await expect(open().write('w/never', body(), 5)).rejects.toThrow(reason);
        expect(Date.now() - begun).toBeLessThan(5_000);
        expect(await textOf((await open().read('w/kept'))?.bytes)).toBe('before');
        expect(await open().head('w/never')).toBeUndefined();
      });

      it('a large stream in flat memory', async () => {
        const piece = () => Buffer.alloc(MIB, 'scandock');
        let peak = 0;
        async function* body(): AsyncGenerator<Uint8Array> {
          for (let sent = 0; sent < STREAMED_MIB; sent++) {
            peak = Math.max(peak, process.memoryUsage.rss());
            yield piece();
          }
        }
        const before = process.memoryUsage.rss();
        await open().write('w/large', body(), STREAMED_MIB * MIB);
        expect((peak - before) / MIB).toBeLessThan(MAX_GROWTH_MB);
        expect((await open().head('w/large'))?.size).toBe(STREAMED_MIB * MIB);
        await open().delete(['w/large']);
      }, 60_000);
    });

    describe('reads ranges', () => {
      const TEXT = '0123456789';
      it.each([
        [0, 1, '0'],
        [0, 10, TEXT],
        [3, 7, '3456'],
        [9, 10, '9'],
        [8, 1000, '89'],
      ])('from %i to %i', async (start, end, text) => {
        await open().writeBytes('r/digits', Buffer.from(TEXT));
        const found = await open().readRange('r/digits', start, end);
        expect([found?.size, await textOf(found?.bytes)]).toEqual([10, text]);
      });

      it('that are none: a key nobody wrote, a start past the end, an end before the start', async () => {
        await open().writeBytes('r/digits', Buffer.from(TEXT));
        expect(await open().readRange('r/nobody', 0, 1)).toBeUndefined();
        expect(await refusal(open().readRange('r/digits', 10, 11))).toBe('416 InvalidRange');
        for (const [start, end] of [
          [1, 1],
          [2, 1],
          [-1, 1],
          [0.5, 2],
          [0, Infinity],
        ] as const)
          await expect(open().readRange('r/digits', start, end)).rejects.toThrow(RangeError);
      });

      it('whose bytes need not be read to the end', async () => {
        await open().writeBytes('r/long', Buffer.alloc(20 * MIB));
        for (let attempt = 0; attempt < 80; attempt++) {
          const found = await open().readRange('r/long', 0, 20 * MIB);
          found!.bytes.destroy(); // past the number of sockets, so that a leak would hang
        }
        expect((await open().head('r/long'))?.size).toBe(20 * MIB);
      }, 60_000);
    });

    describe('deletes a prefix', () => {
      it('of more than a page, and nothing beside it', async () => {
        const keys = Array.from({ length: 1_002 }, (_, index) => `d/a/${index % 7}/${index}`);
        const beside = ['d/a', 'd/a0', 'd/ab/1', 'd/b/1'];
        const queue = [...keys, ...beside].values();
        await Promise.all(
          Array.from({ length: 24 }, async () => {
            for (const key of queue) await open().writeBytes(key, Buffer.from('x'));
          }),
        );
        expect(await open().deletePrefix('d/a/')).toEqual(new Set());
        const left: string[] = [];
        for await (const page of open().list('d/')) left.push(...page.map(({ key }) => key));
        expect(left.sort()).toEqual([...beside].sort());
        expect(await open().deletePrefix('d/a/')).toEqual(new Set());
      }, 60_000);

      it.each(['', '/', 'd', 'd/a', '/d/'])('never %j', async (prefix) => {
        await expect(open().deletePrefix(prefix)).rejects.toThrow(RangeError);
      });
    });

    it('signs a PUT of a known size, and of any', async () => {
      const put = async (size: number | undefined, body: Buffer) => {
        const { url } = await open().presignPut('p/t', size, new Date());
        const headers = { 'content-type': 'application/dicom' };
        return (await send(url, { method: 'PUT', headers, body })).status;
      };
      expect(await put(5, Buffer.from('abcde'))).toBe(200);
      expect(await put(5, Buffer.from('abcdef'))).toBe(403);
      expect(await put(undefined, Buffer.from('abcdef'))).toBe(200);
      expect(await put(undefined, Buffer.alloc(0))).toBe(200);
    });

    it('finds no default encryption where none was set, and refuses on demand', async () => {
      expect(await open().encryption()).toBeUndefined();
      await expect(open().assertEncrypted()).resolves.toBeUndefined();
      const strict = storageOf(session(), { S3_REQUIRE_ENCRYPTION: 'true' });
      await expect(strict.assertEncrypted()).rejects.toThrow(
        /S3_REQUIRE_ENCRYPTION: the bucket .* has no default/,
      );
    });
  });
}
