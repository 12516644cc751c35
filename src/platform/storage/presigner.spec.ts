import { describe, expect, it } from '@jest/globals';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type ConfigValues, parseConfig } from '../config/config.schema.js';
import { canonicalQuery, deriveSigningKey, hmac, scopeOf, stringToSign } from '../embedded/s3/sigv4.js';
import { ABSENT_HEADERS } from './absent-headers-signer.js';
import { Presigner, URL_LIFETIME_SECONDS } from './presigner.js';

const KEY = 'staging/01890a5d-ac96-774b-bcce-b302099a8057/01890a5d-ac96-774b-bcce-b302099a8058';
const NOW = new Date('2026-03-04T05:06:07Z');

const configOf = (changes: Record<string, string> = {}): ConfigValues =>
  parseConfig({
    SCANDOCK_MASTER_KEY: 'ab'.repeat(32),
    DATABASE_URL: 'postgresql://a/b',
    S3_ENDPOINT: 'http://127.0.0.1:9000',
    S3_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    S3_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    ...changes,
  });

/** The same by the official client, which builds the request itself. */
function official(config: ConfigValues): S3Client {
  return new S3Client({
    endpoint: config.S3_PUBLIC_ENDPOINT ?? config.S3_ENDPOINT,
    region: config.S3_REGION,
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}
const parts = (url: string): object => {
  const { origin, pathname, searchParams } = new URL(url);
  const query = Object.fromEntries(searchParams);
  delete query['x-id']; // the client's own name of the command
  return {
    origin,
    pathname,
    query: { ...query, 'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/) },
  };
};
/** The official client signs its `x-id` along; without it the signatures must agree to the letter. */
async function officialUrl(
  client: S3Client,
  command: GetObjectCommand | PutObjectCommand,
  headers: string[],
) {
  client.middlewareStack.add(
    (next) => (given) => {
      delete (given.request as { query: Record<string, string> }).query['x-id'];
      return next(given);
    },
    { step: 'build', priority: 'low' },
  );
  return getSignedUrl(client as never, command as never, {
    expiresIn: URL_LIFETIME_SECONDS,
    signingDate: NOW,
    signableHeaders: new Set(headers),
  });
}

describe.each([
  ['path style', {}],
  ['a port that is the scheme’s own', { S3_ENDPOINT: 'https://s3.example' }],
  ['virtual hosts', { S3_ENDPOINT: 'https://s3.eu-central-1.amazonaws.com', S3_FORCE_PATH_STYLE: 'false' }],
  ['another region', { S3_REGION: 'eu-central-1' }],
  ['a public name of its own', { S3_PUBLIC_ENDPOINT: 'https://files.example:8443' }],
])('a URL with %s', (_, changes) => {
  const config = configOf(changes);

  it('for a PUT is the official client’s, signature included', async () => {
    const { url, method, headers, expiresAt } = await new Presigner(config).put(KEY, 12345, NOW);
    const command = new PutObjectCommand({ Bucket: config.S3_BUCKET, Key: KEY, ContentLength: 12345 });
    const theirs = await officialUrl(official(config), command, ['host', 'content-length']);
    expect(parts(url)).toEqual(parts(theirs));
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toBe(
      new URL(theirs).searchParams.get('X-Amz-Signature'),
    );
    expect(new URL(url).searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;host');
    expect({ method, headers, expiresAt }).toEqual({
      method: 'PUT',
      headers: { 'content-length': '12345' },
      expiresAt: new Date('2026-03-04T05:21:07Z'),
    });
  });

  it('for a PUT of any size signs no length', async () => {
    const { url, headers } = await new Presigner(config).put(KEY, undefined, NOW);
    const theirs = await officialUrl(
      official(config),
      new PutObjectCommand({ Bucket: config.S3_BUCKET, Key: KEY }),
      ['host'],
    );
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toBe(
      new URL(theirs).searchParams.get('X-Amz-Signature'),
    );
    expect(new URL(url).searchParams.get('X-Amz-SignedHeaders')).toBe('host');
    expect(headers).toEqual({});
  });

  it('for a GET is the official client’s, signature included', async () => {
    const { url } = await new Presigner(config).get(KEY, '0001.dcm', NOW);
    const command = new GetObjectCommand({
      Bucket: config.S3_BUCKET,
      Key: KEY,
      ResponseContentDisposition: 'attachment; filename="0001.dcm"',
      ResponseContentType: 'application/octet-stream',
    });
    const theirs = await officialUrl(official(config), command, ['host']);
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toBe(
      new URL(theirs).searchParams.get('X-Amz-Signature'),
    );
    expect(parts(url)).toEqual(parts(theirs));
  });
});

describe('a signature', () => {
  const signatureOf = async (sign: (presigner: Presigner) => Promise<{ url: string }>, changes = {}) =>
    new URL((await sign(new Presigner(configOf(changes)))).url).searchParams.get('X-Amz-Signature');

  it('covers key, size, time, name and secret: none can be changed under it', async () => {
    const signatures = await Promise.all([
      signatureOf((presigner) => presigner.put(KEY, 1, NOW)),
      signatureOf((presigner) => presigner.put(KEY, 2, NOW)),
      signatureOf((presigner) => presigner.put(`${KEY}0`, 1, NOW)),
      signatureOf((presigner) => presigner.put(KEY, 1, new Date(NOW.getTime() + 1000))),
      signatureOf((presigner) => presigner.put(KEY, 1, NOW), { S3_SECRET_ACCESS_KEY: 'other' }),
      signatureOf((presigner) => presigner.put(KEY, 1, NOW), { S3_BUCKET: 'other' }),
      signatureOf((presigner) => presigner.get(KEY, '1.dcm', NOW)),
      signatureOf((presigner) => presigner.get(KEY, '2.dcm', NOW)),
    ]);
    expect(new Set(signatures).size).toBe(signatures.length);
  });

  it('is its own although thousands are made at once', async () => {
    const presigner = new Presigner(configOf());
    const keys = Array.from({ length: 200 }, (_, index) => `${KEY}${index}`);
    const together = await Promise.all(keys.map((key) => presigner.put(key, 1, NOW)));
    for (const [index, key] of keys.entries())
      expect((await new Presigner(configOf()).put(key, 1, NOW)).url).toBe(together[index]!.url);
  });

  it('is by the signer’s own credential when there is one', async () => {
    const signer = {
      S3_SIGNER_ACCESS_KEY_ID: 'SIGNER',
      S3_SIGNER_SECRET_ACCESS_KEY: 'another secret of forty characters......',
    };
    const own = { S3_ACCESS_KEY_ID: 'SIGNER', S3_SECRET_ACCESS_KEY: signer.S3_SIGNER_SECRET_ACCESS_KEY };
    for (const sign of [
      (presigner: Presigner) => presigner.put(KEY, 1, NOW),
      (presigner: Presigner) => presigner.get(KEY, '1.dcm', NOW),
    ]) {
      const { url } = await sign(new Presigner(configOf(signer)));
      expect(url).toBe((await sign(new Presigner(configOf(own)))).url);
      expect(new URL(url).searchParams.get('X-Amz-Credential')).toMatch(/^SIGNER\//);
    }
  });

  it('names absent headers of a PUT on demand, and is another one for that', async () => {
    const changes = { S3_SIGN_ABSENT_HEADERS: 'true' };
    const { url, headers } = await new Presigner(configOf(changes)).put(KEY, 1, NOW);
    const names = new URL(url).searchParams.get('X-Amz-SignedHeaders')!.split(';');
    expect(names).toEqual([...ABSENT_HEADERS, 'content-length', 'host'].sort());
    expect(headers).toEqual({ 'content-length': '1' });
    expect(await signatureOf((presigner) => presigner.put(KEY, 1, NOW), changes)).not.toBe(
      await signatureOf((presigner) => presigner.put(KEY, 1, NOW)),
    );
    expect(await signatureOf((presigner) => presigner.get(KEY, '1.dcm', NOW), changes)).toBe(
      await signatureOf((presigner) => presigner.get(KEY, '1.dcm', NOW)),
    );
  });

  it('over absent headers is what SigV4 makes of a canonical request without their lines', async () => {
    const { url } = await new Presigner(configOf({ S3_SIGN_ABSENT_HEADERS: 'true' })).put(KEY, 1, NOW);
    const { searchParams, pathname } = new URL(url);
    const signature = searchParams.get('X-Amz-Signature')!;
    searchParams.delete('X-Amz-Signature');
    const names = searchParams.get('X-Amz-SignedHeaders')!.split(';');
    const canonical = [
      'PUT',
      pathname,
      canonicalQuery([...searchParams]),
      'content-length:1',
      'host:127.0.0.1:9000',
      '',
      names.join(';'),
      'UNSIGNED-PAYLOAD',
    ].join('\n');
    const key = deriveSigningKey('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', '20260304', 'us-east-1', 's3');
    const scope = scopeOf('20260304T050607Z', 'us-east-1', 's3');
    expect(signature).toBe(hmac(key, stringToSign('20260304T050607Z', scope, canonical)).toString('hex'));
  });
});
