import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseConfig } from '../config/config.schema.js';
import { isTransient } from '../errors/translate-error.js';
import { ObjectClient } from './object-client.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const COPIED = '<CopyObjectResult><ETag>"0"</ETag></CopyObjectResult>';
const errorOf = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told</Message></Error>`;
const says =
  (status: number, body = '', headers = {}): Answer =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);
const cut: Answer = (request) => request.socket.destroy();

let closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing) close();
  closing = [];
});

/** A bucket that gives these answers one after the other, and the last one ever after. */
async function bucketThat(...answers: Answer[]): Promise<{ client: ObjectClient; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1]!(request, response);
  });
  return { client: await clientOf(server), asked };
}

async function clientOf(server: Pick<Server, 'listen' | 'address' | 'close'>): Promise<ObjectClient> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = parseConfig({
    SCANDOCK_MASTER_KEY: 'ab'.repeat(32),
    DATABASE_URL: 'postgresql://a/b',
    S3_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    S3_ACCESS_KEY_ID: 'id',
    S3_SECRET_ACCESS_KEY: 'secret',
  });
  const client = new ObjectClient(config, { connect: 500, answer: 300 });
  closing.push(() => {
    client.destroy();
    server.close();
    (server as Server).closeAllConnections?.();
  });
  return client;
}

const textOf = async (answer: IncomingMessage) => Buffer.concat(await answer.toArray()).toString();
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: Error & { code?: string }) =>
      error.code ?? `${error.name}, ${isTransient(error) ? 'busy' : 'final'}`,
  );

describe('an object of the bucket', () => {
  it('is asked for with a signature over its headers, and streams', async () => {
    const { client, asked } = await bucketThat(says(206, 'bcd', { 'content-range': 'bytes 1-3/5' }));
    const answer = await client.get('objects/a', { range: 'bytes=1-3' });
    expect([await textOf(answer), answer.headers['content-range']]).toEqual(['bcd', 'bytes 1-3/5']);
    const [{ url, headers }] = asked as [IncomingMessage];
    expect([url, headers.range]).toEqual(['/scandock/objects/a', 'bytes=1-3']);
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=id\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, /,
    );
  });

  it('is copied with new metadata', async () => {
    const { client, asked } = await bucketThat(says(200, COPIED));
    await client.copy('staging/a', 'objects/a', { 'content-type': 'application/octet-stream' });
    expect(asked[0]).toMatchObject({
      method: 'PUT',
      url: '/scandock/objects/a',
      headers: {
        'x-amz-copy-source': 'scandock/staging/a',
        'x-amz-metadata-directive': 'REPLACE',
        'content-type': 'application/octet-stream',
        'content-length': '0',
      },
    });
  });

  it.each<[string, Answer, string, number]>([
    ['a missing object', says(404, errorOf('NoSuchKey')), 'NoSuchKey, final', 1],
    ['a missing bucket', says(404, errorOf('NoSuchBucket')), 'NoSuchBucket, final', 1],
    ['a 404 of something else', says(404, '<html>nginx</html>'), 'Refused, final', 1],
    ['a denial', says(403, errorOf('AccessDenied')), 'AccessDenied, final', 1],
    ['an error of its own', says(500, errorOf('InternalError')), 'InternalError, busy', 3],
    ['a request to slow down', says(503, errorOf('SlowDown')), 'SlowDown, busy', 3],
    ['a connection that is cut', cut, 'ECONNRESET', 3],
    ['silence', () => undefined, 'ETIMEDOUT', 3],
  ])('fails by %s', async (_, answer, expected, attempts) => {
    const { client, asked } = await bucketThat(answer);
    expect(await failure(client.get('objects/a'))).toBe(expected);
    expect(asked).toHaveLength(attempts);
  });

  it.each<[string, Answer]>([
    ['an error within a 200', says(200, errorOf('InternalError'))],
    ['nothing within a 200', says(200)],
    [
      'an answer that is cut',
      (_, response) =>
        void response.writeHead(200, { 'content-length': 99 }).write('<Cop', () => response.destroy()),
    ],
  ])('is not copied by %s', async (_, answer) => {
    const { client, asked } = await bucketThat(answer);
    expect(await failure(client.copy('a', 'b', {}))).toMatch(/, busy$|^ECONNRESET$/);
    expect(asked).toHaveLength(3);
  });

  it('is there at last when the second try succeeds', async () => {
    const { client } = await bucketThat(cut, says(200, 'abc'));
    expect(await textOf(await client.get('objects/a'))).toBe('abc');
    const other = await bucketThat(says(200, errorOf('SlowDown')), says(200, COPIED));
    await expect(other.client.copy('a', 'b', {})).resolves.toBeUndefined();
  });

  it('that is not there is a 404 without a body to HEAD', async () => {
    const { client } = await bucketThat(says(404));
    expect(await failure(client.head('objects/a'))).toBe('NotFound, final');
  });

  it('whose bytes stop coming fails its reader', async () => {
    const { client } = await bucketThat(
      (_, response) => void response.writeHead(200, { 'content-length': 10 }).write('abc'),
    );
    expect(await failure(textOf(await client.get('objects/a')))).toBe('ETIMEDOUT');
  });

  it('is asked for on a connection that was kept', async () => {
    const { client, asked } = await bucketThat(says(200, 'abc'));
    for (let turn = 0; turn < 3; turn++) await textOf(await client.get('objects/a'));
    expect(new Set(asked.map(({ socket }) => socket.remotePort)).size).toBe(1);
  });

  it('of a bucket that is not there fails at once', async () => {
    const server = createTcpServer();
    const client = await clientOf(server as never);
    server.close();
    expect(await failure(client.get('objects/a'))).toBe('ECONNREFUSED');
  });
});
