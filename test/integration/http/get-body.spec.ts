import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Body, Headers, RequestMethod } from '@nestjs/common';
import { ReadsBody } from '../../../src/platform/http/reads-body.js';
import { controllerOf, plant } from '../../support/planted-routes.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const KIB = 1024;

jest.setTimeout(30_000);

let world: World;
let tenant: Tenant;
let unplant: () => void;

beforeAll(async () => {
  const route = (path: string, method: RequestMethod, decorators: MethodDecorator[]) => ({
    path,
    method,
    decorators,
    operation: 'tokens:inspect',
    handle: (body: unknown, type: unknown) => ({ body: body ?? null, type: type ?? null }),
    parameters: [Body(), Headers('content-type')],
  });
  unplant = plant(
    controllerOf([
      route('reading', RequestMethod.GET, [ReadsBody()]),
      route('reading', RequestMethod.POST, []),
      route('other', RequestMethod.GET, []),
    ]),
  );
  world = await createWorld();
  tenant = await world.newTenant();
});
afterAll(async () => {
  unplant();
  await world.close();
});

/** A string goes with its length, a list of them in chunks. */
function send(method: string, path: string, headers: Record<string, string> = {}, body?: string | string[]) {
  return new Promise<{ status: number; type: string | undefined; body: any }>((resolve, reject) => {
    const length =
      body !== undefined &&
      (typeof body === 'string'
        ? { 'content-length': String(Buffer.byteLength(body)) }
        : { 'transfer-encoding': 'chunked' }); // Node chunks no GET by itself
    const sent = request(
      world.baseUrl + path,
      { method, agent: false, headers: { authorization: `Bearer ${tenant.apiKey}`, ...length, ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const type = response.headers['content-type'];
          resolve({ status: response.statusCode!, type, body: text && (JSON.parse(text) as unknown) });
        });
      },
    );
    sent.on('error', reject);
    for (const part of Array.isArray(body) ? body : []) sent.write(part);
    sent.end(typeof body === 'string' ? body : undefined);
  });
}

describe('a GET route that reads a body', () => {
  it('gets JSON, with a length or in chunks', async () => {
    const body = { PatientID: 'X-1', nested: [1, 'ä'] };
    const text = JSON.stringify(body);
    const answer = { status: 200, body: { body, type: 'application/json' } };
    expect(await send('GET', '/reading', JSON_TYPE, text)).toMatchObject(answer);
    expect(await send('GET', '/reading', JSON_TYPE, [text.slice(0, 7), text.slice(7)])).toMatchObject(answer);
    expect(await send('POST', '/reading', JSON_TYPE, text)).toMatchObject({ body: { body } });
  });

  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['a content type without a body', JSON_TYPE],
    ['a form’s content type', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a content type that is none', { 'content-type': 'what; ever;' }],
    ['a length of zero', { ...JSON_TYPE, 'content-length': '0' }],
  ])('does without: %s', async (_, headers) => {
    expect(await send('GET', '/reading', headers)).toMatchObject({ status: 200, body: { body: null } });
  });

  it.each<[string, number, string, Record<string, string>, string | string[]]>([
    ['malformed JSON', 400, 'bad_request', JSON_TYPE, '{"a":'],
    ['malformed JSON in chunks', 400, 'bad_request', JSON_TYPE, ['{"a"', ':']],
    ['a poisoned prototype', 400, 'bad_request', JSON_TYPE, '{"__proto__":{"a":1}}'],
    ['another type', 415, 'unsupported_media_type', { 'content-type': 'text/xml' }, '<a/>'],
    ['no type', 415, 'unsupported_media_type', {}, '{}'],
    ['a form', 415, 'unsupported_media_type', { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'],
    ['more than is allowed', 413, 'payload_too_large', JSON_TYPE, `"${'a'.repeat(256 * KIB)}"`],
    ['more, in chunks', 413, 'payload_too_large', JSON_TYPE, Array<string>(257).fill('a'.repeat(KIB))],
  ])('refuses %s with %i, in its format', async (_, status, code, headers, body) => {
    const answer = await send('GET', '/reading', headers, body);
    expect(answer).toMatchObject({ status, body: { status, code, requestId: expect.any(String) } });
    expect(answer.type).toMatch(/^application\/problem\+json/);
  });
});

describe('any other GET', () => {
  it.each(['/api/v1/me', '/other', '/test-token', '/healthz', '/openapi.json'])(
    '%s takes a content type without a body for nothing',
    async (path) => {
      const plain = await send('GET', path);
      for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/xml', 'what; ever;'])
        expect({ given: type, ...(await send('GET', path, { 'content-type': type })) }).toMatchObject({
          given: type,
          type: plain.type,
          status: plain.status,
        });
    },
  );

  it.each<[string, string | string[]]>([
    ['JSON', '{"a":1}'],
    ['what is none', '{"a":'],
    ['chunks', ['{"a"', ':1}']],
    ['more than any limit', 'a'.repeat(2048 * KIB)],
  ])('leaves a body unread: %s', async (_, body) => {
    expect(await send('GET', '/other', JSON_TYPE, body)).toMatchObject({
      status: 200,
      body: { body: null, type: null },
    });
    expect((await send('GET', '/api/v1/me', JSON_TYPE, body)).status).toBe(200);
    expect((await send('GET', '/nowhere', JSON_TYPE, body)).status).toBe(404);
  });

  it('keeps the connection in step when its body was not read', async () => {
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (body?: string) =>
      new Promise<{ status?: number; port?: number }>((resolve, reject) => {
        const headers = {
          authorization: `Bearer ${tenant.apiKey}`,
          ...(body && { ...JSON_TYPE, 'content-length': String(body.length) }),
        };
        const sent = request(`${world.baseUrl}/other`, { agent, headers }, (response) => {
          const port = response.socket.localPort;
          response.resume().on('end', () => resolve({ status: response.statusCode!, port: port! }));
        });
        sent.on('error', reject).end(body);
      });
    const first = await ask('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(first.status).toBe(200);
    expect(await ask()).toEqual(first); // the same connection, and no answer of the smuggled request
    agent.destroy();
  });
});

describe('HEAD', () => {
  it('is no route, with a body or without', async () => {
    expect((await send('HEAD', '/reading')).status).toBe(404);
    expect((await send('HEAD', '/reading', JSON_TYPE, '{}')).status).toBe(404);
    expect((await send('HEAD', '/api/v1/me', JSON_TYPE)).status).toBe(404);
  });
});
