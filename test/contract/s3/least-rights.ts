import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { StorageService } from '../../../src/platform/storage/storage.service.js';
import type { CephGateway } from '../../support/ceph.js';
import { clientOf, refusal, send, uniqueName } from './s3-target.js';
import { storageOf } from './storage-contract.js';

interface Policy {
  Version: string;
  Statement: { Sid: string; Effect: string; [member: string]: unknown }[];
}

const WHO = ['signer', 'api', 'worker'] as const;
type Who = (typeof WHO)[number];

const read = async (name: string): Promise<string> =>
  readFile(new URL(`../../../deploy/iam/${name}.json`, import.meta.url), 'utf8');
const policyOf = async (name: string): Promise<Policy> => JSON.parse(await read(name)) as Policy;

/** `deploy/iam` against a server that knows users and bucket policies. */
export function describeLeastRights(gateway: () => Promise<CephGateway>): void {
  describe('least rights (deploy/iam)', () => {
    const body = Buffer.from('bytes');
    let Bucket: string;
    let owner: S3Client;
    let storages: Record<Who, StorageService>;
    let clients: Record<Who, S3Client>;

    beforeAll(async () => {
      const { endpoint, credentials, addUser } = await gateway();
      const connectionOf = (one: typeof credentials) => ({ endpoint, region: 'us-east-1', credentials: one });
      Bucket = uniqueName('rights');
      owner = clientOf(connectionOf(credentials));
      const users = {
        signer: await addUser('scandock-signer'),
        api: await addUser('scandock-api'),
        worker: await addUser('scandock-worker'),
      };
      await owner.send(new CreateBucketCommand({ Bucket }));
      const Policy = (await read('ceph-bucket-policy')).replaceAll(
        'arn:aws:s3:::scandock',
        `arn:aws:s3:::${Bucket}`,
      );
      await owner.send(new PutBucketPolicyCommand({ Bucket, Policy }));
      for (const Key of [
        'staging/o/there',
        'objects/o/there',
        'exports/o/there',
        'exports/o/audit/there.ndjson',
        'exports/o/audit/there.manifest.ndjson',
        'seals/there',
        'elsewhere/there',
      ])
        await owner.send(new PutObjectCommand({ Bucket, Key, Body: body }));
      const each = <T>(make: (who: Who) => T) =>
        Object.fromEntries(WHO.map((who) => [who, make(who)])) as Record<Who, T>;
      clients = each((who) => clientOf(connectionOf(users[who])));
      storages = each((who) =>
        storageOf(
          { connection: connectionOf(users[who]), bucket: Bucket },
          {
            S3_SIGNER_ACCESS_KEY_ID: users.signer.accessKeyId,
            S3_SIGNER_SECRET_ACCESS_KEY: users.signer.secretAccessKey,
            S3_SIGN_ABSENT_HEADERS: 'true',
          },
        ),
      );
    }, 120_000);
    afterAll(() => {
      for (const client of [owner, ...Object.values(clients ?? {})]) client?.destroy();
    });

    it('are the same policies for Ceph as for AWS, with what Ceph needs otherwise', async () => {
      const translated: unknown[] = [];
      for (const who of WHO)
        for (const { Sid, Effect, ...rest } of (await policyOf(who)).Statement)
          if (Sid !== 'SeeThatItEncrypts')
            // RGW 16.2 does not know s3:GetEncryptionConfiguration
            translated.push({
              Sid,
              Effect,
              Principal: { AWS: [`arn:aws:iam:::user/scandock-${who}`] },
              ...rest,
            });
      const { Statement } = await policyOf('ceph-bucket-policy');
      const denials = (await policyOf('bucket-policy')).Statement.filter(({ Sid }) =>
        ['NoCopiesIntoStaging', 'NothingIsPublic'].includes(Sid),
      );
      expect(Statement.filter(({ Sid }) => Sid !== 'AskToDeleteMany')).toEqual([...translated, ...denials]);
    });

    describe('the signer', () => {
      type Command = Parameters<typeof getSignedUrl>[1];
      const url = (command: object) =>
        getSignedUrl(clients.signer as never, command as Command, { expiresIn: 60 });
      const put = async (Key: string, headers: Record<string, string> = {}) => {
        const { status } = await send(await url(new PutObjectCommand({ Bucket, Key })), {
          method: 'PUT',
          headers,
          body,
        });
        return status;
      };

      it('signs PUTs to staging/ and GETs from objects/ and exports/', async () => {
        expect(await put('staging/o/by-signer')).toBe(200);
        for (const Key of ['objects/o/there', 'exports/o/there'])
          expect((await send(await url(new GetObjectCommand({ Bucket, Key })))).status).toBe(200);
      });

      it.each<[string, string, (bucket: string) => object]>([
        ['PUT to objects/', 'PUT', (Bucket) => new PutObjectCommand({ Bucket, Key: 'objects/o/there' })],
        ['PUT to exports/', 'PUT', (Bucket) => new PutObjectCommand({ Bucket, Key: 'exports/o/there' })],
        ['PUT elsewhere', 'PUT', (Bucket) => new PutObjectCommand({ Bucket, Key: 'elsewhere/new' })],
        ['GET from staging/', 'GET', (Bucket) => new GetObjectCommand({ Bucket, Key: 'staging/o/there' })],
        ['HEAD on staging/', 'HEAD', (Bucket) => new HeadObjectCommand({ Bucket, Key: 'staging/o/there' })],
        ['GET elsewhere', 'GET', (Bucket) => new GetObjectCommand({ Bucket, Key: 'elsewhere/there' })],
        [
          'DELETE in staging/',
          'DELETE',
          (Bucket) => new DeleteObjectCommand({ Bucket, Key: 'staging/o/there' }),
        ],
        [
          'DELETE in objects/',
          'DELETE',
          (Bucket) => new DeleteObjectCommand({ Bucket, Key: 'objects/o/there' }),
        ],
        ['list', 'GET', (Bucket) => new ListObjectsV2Command({ Bucket })],
        ['list staging/', 'GET', (Bucket) => new ListObjectsV2Command({ Bucket, Prefix: 'staging/' })],
      ])('signs no %s', async (_, method, command) => {
        expect(
          (await send(await url(command(Bucket)), { method, ...(method === 'PUT' && { body }) })).status,
        ).toBe(403);
      });

      // URLs of the official client, which names no absent headers: the policy stands alone here.
      it.each([
        ['x-amz-copy-source', (bucket: string) => `/${bucket}/objects/o/there`],
        ['x_amz_copy_source', (bucket: string) => `/${bucket}/objects/o/there`],
        ['x-amz-copy-source', (bucket: string) => `/${bucket}/staging/o/there`],
        ['x-amz-acl', () => 'public-read'],
      ])('signs no PUT that becomes another by %s', async (name, value) => {
        expect(await put('staging/o/hazard', { [name]: value(Bucket) })).toBe(403);
        const head = owner.send(new HeadObjectCommand({ Bucket, Key: 'staging/o/hazard' }));
        expect(await refusal(head)).toBe('404 NotFound');
      });
    });

    it('the API sees what lies in staging/ and seals/ and exports of the ledger, and nothing more', async () => {
      const { api } = storages;
      expect((await api.head('staging/o/there'))?.size).toBe(body.length);
      expect(await api.head('staging/o/not-there')).toBeUndefined();
      const listed: string[] = [];
      for await (const page of api.list('staging/o/')) listed.push(...page.map(({ key }) => key));
      expect(listed).toContain('staging/o/there');
      expect((await api.list('seals/').next()).value).toMatchObject([{ key: 'seals/there' }]);
      expect((await api.head('seals/there'))?.size).toBe(body.length);
      expect((await api.head('exports/o/audit/there.manifest.ndjson'))?.size).toBe(body.length);
      expect(await api.head('exports/o/audit/none.manifest.ndjson')).toBeUndefined();
      expect((await api.head('exports/o/audit/there.ndjson'))?.size).toBe(body.length);
      await expect(api.ping()).resolves.toBeUndefined();
      for (const attempt of [
        () => api.writeBytes('seals/api', body),
        () => api.delete(['seals/there']),
        () => api.head('objects/o/there'),
        () => api.head('exports/o/there'),
        () => api.read('objects/o/there'),
        () => api.list('objects/').next(),
        () => api.copy('staging/o/there', 'objects/o/api'),
        () => api.writeBytes('staging/o/api', body),
        () => api.writeBytes('objects/o/api', body),
        () => api.delete(['staging/o/there']),
      ])
        expect(await refusal(attempt())).toMatch(/^403 /);
    });

    it('the worker writes exports/ in parts, gives parts up, and removes no export', async () => {
      const { worker } = storages;
      const upload = await worker.beginMultipart('exports/o/parts');
      await upload.add(body);
      await upload.complete();
      expect((await worker.head('exports/o/parts'))?.size).toBe(body.length);
      const { started } = await worker.beginMultipart('exports/o/given-up');
      await worker.abortMultipart(started);
      await worker.abortMultipart(started);
      expect(await worker.head('exports/o/given-up')).toBeUndefined();
      expect(await worker.delete(['exports/o/parts'])).toEqual(new Set(['exports/o/parts']));
    });

    it('the worker writes seals/, and removes none', async () => {
      const { worker } = storages;
      await worker.writeBytes('seals/written', body);
      expect((await worker.head('seals/written'))?.size).toBe(body.length);
      expect(await worker.readRange('seals/not-there', 0, 10)).toBeUndefined();
      expect(await worker.delete(['seals/written'])).toEqual(new Set(['seals/written']));
    });

    it('the worker moves staging/ to objects/, and reaches nothing else', async () => {
      const { worker } = storages;
      expect(await worker.copy('staging/o/there', 'objects/o/copy')).toBe(true);
      expect(await worker.copy('staging/o/not-there', 'objects/o/never')).toBe(false);
      await worker.write(
        'objects/o/copy/1',
        (async function* () {
          yield body;
        })(),
        body.length,
      );
      const range = await worker.readRange('objects/o/copy', 1, 3);
      expect(await range?.bytes.setEncoding('utf8').toArray()).toEqual(['yt']);
      expect(await worker.read('objects/o/not-there')).toBeUndefined();
      expect(await worker.head('staging/o/not-there')).toBeUndefined();
      await expect(worker.ping()).resolves.toBeUndefined();
      for (const attempt of [
        () => worker.writeBytes('staging/o/by-worker', body),
        () => worker.writeBytes('elsewhere/by-worker', body),
        () => worker.read('elsewhere/there'),
        () => worker.list('elsewhere/').next(),
      ])
        expect(await refusal(attempt())).toMatch(/^403 /);
      expect(await worker.delete(['elsewhere/there', 'objects/o/copy'])).toEqual(
        new Set(['elsewhere/there']),
      );
      expect(await worker.deletePrefix('objects/o/copy/')).toEqual(new Set());
      expect(await worker.head('objects/o/copy/1')).toBeUndefined();
    });

    it('are enough for an upload from its URL to its download', async () => {
      const { api, worker } = storages;
      const [staging, kept] = ['staging/o/upload', 'objects/o/upload/1'];
      const upload = await api.presignPut(staging, body.length, new Date());
      expect(upload.url).toContain('scandock-signer');
      expect(await api.head(staging)).toBeUndefined();
      expect((await send(upload.url, { method: 'PUT', body })).status).toBe(200);
      expect((await api.head(staging))?.size).toBe(body.length);
      expect(await worker.copy(staging, kept)).toBe(true);
      const found = await worker.read(kept);
      const parts: Uint8Array[] = [];
      for await (const part of found!.bytes) parts.push(part);
      expect(Buffer.concat(parts).equals(body)).toBe(true);
      const download = await api.presignGet(kept, '1.dcm', new Date());
      expect((await send(download.url)).body.equals(body)).toBe(true);
      expect(await worker.delete([staging])).toEqual(new Set());
      expect(await api.head(staging)).toBeUndefined();
      expect(
        (await send(upload.url, { method: 'PUT', headers: { 'x-amz-acl': 'private' }, body })).status,
      ).toBe(403);
    });
  });
}
