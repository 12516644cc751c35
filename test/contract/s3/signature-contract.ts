import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import {
  type S3Capabilities,
  clientOf,
  md5Hex,
  presignGet,
  presignPut,
  refusal,
  send,
  type Session,
  sha256Base64,
} from './s3-target.js';
import { storageOf } from './storage-contract.js';

const ContentType = 'application/dicom';
const type = { 'content-type': ContentType };

/** Who may do what: signatures, expiry, signed headers. */
export function describeSignatures(capabilities: S3Capabilities, session: () => Session): void {
  const body = randomBytes(4096);
  const put = (Key: string, options = {}): Promise<string> =>
    presignPut(
      session().client,
      { Bucket: session().bucket, Key, ContentType, ContentLength: body.length },
      options,
    );
  const exists = async (Key: string): Promise<boolean> =>
    (await refusal(session().client.send(new HeadObjectCommand({ Bucket: session().bucket, Key })))) ===
    'accepted';

  describe('signatures', () => {
    it('accepts a signed header and a presigned URL', async () => {
      const { client, bucket } = session();
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'header', Body: body }));
      const answer = await send(await put('presigned'), { method: 'PUT', headers: type, body });
      expect(answer.status).toBe(200);
      expect(answer.headers.etag).toBe(`"${md5Hex(body)}"`);
      const got = await send(await presignGet(client, { Bucket: bucket, Key: 'header' }));
      expect(got.body.equals(body)).toBe(true);
    });

    it.each([
      ['signature', (url: string) => url.replace(/Signature=.{8}/, 'Signature=00000000')],
      ['key', (url: string) => url.replace('/tampered', '/tampered2')],
      ['query', (url: string) => url.replace('X-Amz-Expires=900', 'X-Amz-Expires=901')],
      ['added query', (url: string) => `${url}&tagging=`],
    ])('refuses a tampered %s', async (_, tamper) => {
      const answer = await send(tamper(await put('tampered')), { method: 'PUT', headers: type, body });
      expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
      expect(await exists('tampered')).toBe(false);
      expect(await exists('tampered2')).toBe(false);
    });

    it('refuses another method', async () => {
      const url = await put('method');
      await send(url, { method: 'PUT', headers: type, body });
      expect((await send(url)).code).toBe('SignatureDoesNotMatch');
      expect((await send(url, { method: 'DELETE' })).code).toBe('SignatureDoesNotMatch');
      expect(await exists('method')).toBe(true);
    });

    it('refuses a wrong secret, an unknown key and no signature at all', async () => {
      const { client, connection, bucket } = session();
      const { accessKeyId } = connection.credentials;
      const wrong = clientOf({ ...connection, credentials: { accessKeyId, secretAccessKey: 'wrong' } });
      const unknown = clientOf({
        ...connection,
        credentials: { accessKeyId: 'UNKNOWN', secretAccessKey: 'wrong' },
      });
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'who', Body: body }));
      const get = new GetObjectCommand({ Bucket: bucket, Key: 'who' });
      expect(await refusal(wrong.send(get))).toBe('403 SignatureDoesNotMatch');
      expect(await refusal(unknown.send(get))).toBe('403 InvalidAccessKeyId');
      for (const path of [`/${bucket}/who`, `/${bucket}`, `/${bucket}?list-type=2`]) {
        const answer = await send(connection.endpoint + path);
        expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
      }
      const anonymous = await send(`${connection.endpoint}/${bucket}/anonymous`, { method: 'PUT', body });
      expect([anonymous.status, anonymous.code]).toEqual([403, 'AccessDenied']);
    });

    it('takes a URL until it expires and not after', async () => {
      const signedAgo = (seconds: number) => ({
        expiresIn: 300,
        signingDate: new Date(Date.now() - seconds * 1000),
      });
      expect(
        (await send(await put('late', signedAgo(270)), { method: 'PUT', headers: type, body })).status,
      ).toBe(200);
      const answer = await send(await put('later', signedAgo(310)), { method: 'PUT', headers: type, body });
      expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
      expect(await exists('later')).toBe(false);
    });

    it('refuses signatures from far in the future', async () => {
      if (!capabilities.refusesFuture) return;
      const url = await put('future', { signingDate: new Date(Date.now() + 20 * 60_000) });
      expect((await send(url, { method: 'PUT', headers: type, body })).status).toBe(403);
      expect(await exists('future')).toBe(false);
    });
  });

  describe('signed headers', () => {
    it('refuse another content type, and none', async () => {
      const url = await put('type');
      const others: Record<string, string>[] = [{ 'content-type': 'text/html' }, {}];
      for (const headers of others) {
        const answer = await send(url, { method: 'PUT', headers, body });
        expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
      }
    });

    it('refuse another length, and a body without one', async () => {
      const url = await put('length');
      for (const other of [Buffer.concat([body, body]), body.subarray(1), Buffer.alloc(0)]) {
        const answer = await send(url, { method: 'PUT', headers: type, body: other });
        expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
      }
      const chunked = (async function* () {
        yield body;
      })();
      const answer = await send(url, {
        method: 'PUT',
        headers: { ...type, 'transfer-encoding': 'chunked' },
        body: chunked,
      });
      expect(answer.status).toBe(capabilities.missingLength ? 411 : 403);
      expect(await exists('length')).toBe(false);
    });

    it('keep x-amz-checksum-sha256 where it was signed', async () => {
      const { client, bucket } = session();
      const input = {
        Bucket: bucket,
        Key: 'sum',
        ContentType,
        ContentLength: body.length,
        ChecksumSHA256: sha256Base64(body),
      };
      const url = await presignPut(client, input);
      expect((await send(url, { method: 'PUT', headers: type, body })).code).toBe('SignatureDoesNotMatch');
      const headers = { ...type, 'x-amz-checksum-sha256': sha256Base64(body) };
      if (capabilities.checksums) {
        const corrupt = await send(url, { method: 'PUT', headers, body: randomBytes(body.length) });
        expect([corrupt.status, corrupt.code]).toEqual([400, 'BadDigest']);
        expect(await exists('sum')).toBe(false);
      }
      expect((await send(url, { method: 'PUT', headers, body })).status).toBe(200);
    });
  });

  describe('unsigned x-amz-* headers on a presigned PUT', () => {
    /** By the product's own signer, in the way the server needs it. */
    const presign = async (key: string, size: number, contentType?: string): Promise<string> => {
      const S3_SIGN_ABSENT_HEADERS = String(!capabilities.refusesUnsignedHeaders);
      const storage = storageOf(session(), { S3_SIGN_ABSENT_HEADERS });
      return (await storage.presignPut(key, size, new Date(), contentType)).url;
    };

    it('are absent beside a signed content type: another one or none is refused', async () => {
      const url = await presign('typed', body.length, 'image/png');
      for (const headers of [{ 'content-type': 'image/jpeg' }, {}] as Record<string, string>[])
        expect((await send(url, { method: 'PUT', headers, body })).code).toBe('SignatureDoesNotMatch');
      expect(await exists('typed')).toBe(false);
      const headers = { 'content-type': 'image/png' };
      expect((await send(url, { method: 'PUT', headers, body })).status).toBe(200);
    });

    it('leave a PUT without them alone', async () => {
      for (const headers of [type, {}] as Record<string, string>[])
        expect(
          (await send(await presign('plain', body.length), { method: 'PUT', headers, body })).status,
        ).toBe(200);
    });

    it('cannot be signed as absent where the server refuses them by itself', async () => {
      if (!capabilities.refusesUnsignedHeaders) return;
      const storage = storageOf(session(), { S3_SIGN_ABSENT_HEADERS: 'true' });
      const { url } = await storage.presignPut('plain', body.length, new Date());
      expect((await send(url, { method: 'PUT', headers: type, body })).code).toBe('SignatureDoesNotMatch');
    });

    const hazards: [string, () => string][] = [
      ['x-amz-copy-source', () => `/${session().bucket}/secret`],
      ['x-amz-acl', () => 'public-read'],
      ['x-amz-acl', () => 'private'],
      ['x-amz-grant-read', () => 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'],
      ['x-amz-tagging', () => 'clean=yes'],
      ['x-amz-storage-class', () => 'STANDARD'],
      ['x-amz-website-redirect-location', () => 'https://elsewhere.example/'],
      ['x-amz-server-side-encryption', () => 'AES256'],
    ];
    if (capabilities.refusesUnsignedHeaders) hazards.push(['x-amz-meta-study', () => '1.2.3']);
    // Ceph RGW takes an underscore for a hyphen, where a proxy in front that removes x-amz-* would not.
    else
      hazards.push(
        ['x_amz_copy_source', () => `/${session().bucket}/secret`],
        ['x_amz_acl', () => 'public-read'],
      );

    it.each(hazards)('%s is refused and changes nothing', async (name, value) => {
      const { client, bucket } = session();
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'secret', Body: 'secret' }));
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'unsigned', Body: 'before' }));
      for (const bytes of [body, Buffer.alloc(0)]) {
        const url = await presign('unsigned', bytes.length);
        const answer = await send(url, { method: 'PUT', headers: { ...type, [name]: value() }, body: bytes });
        expect([answer.status, answer.code]).toEqual([
          403,
          capabilities.refusesUnsignedHeaders ? 'AccessDenied' : 'SignatureDoesNotMatch',
        ]);
      }
      const now = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'unsigned' }));
      expect(await now.Body?.transformToString()).toBe('before');
      expect(now.Metadata).toEqual({});
      const tags = new GetObjectTaggingCommand({ Bucket: bucket, Key: 'unsigned' });
      const set = await client.send(tags).then(
        (answer) => answer.TagSet,
        () => [],
      );
      expect(set).toEqual([]);
    });
  });
}
