import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { pdf, png, reportObject } from '../../../src/formats/document/document.fixture.js';
import { newId } from '../../../src/platform/database/id.js';
import type { Scope } from '../../../src/platform/authorization/scopes.js';
import { type Answer, basic, Client, eventually, put } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { stage } from '../../support/ledger-rows.js';
import { startOwnStorage } from '../../support/own-storage.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const MEBIBYTE = 1024 * 1024;
const PDF = { 'content-type': 'application/pdf' };

let world: World;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  await world.startWorker();
});
afterAll(() => world.close());

interface Delivery {
  token?: string;
  query?: string;
  baseUrl?: string;
}

/** POST /results with the bytes as they are. */
async function deliver(
  orderId: string,
  bytes: Uint8Array | ReadableStream,
  headers: Record<string, string>,
  { token = tenant.apiKey, query = '', baseUrl = world.baseUrl }: Delivery = {},
): Promise<Answer> {
  const response = await fetch(`${baseUrl}/results?order_id=${orderId}${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: bytes as Uint8Array<ArrayBuffer>,
    ...(bytes instanceof ReadableStream && { duplex: 'half' }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

const newOrder = async (by = client): Promise<string> =>
  (await by.post<{ order_id: string }>('/new-order')).body.order_id;
const resultsOf = async (orderId: string, query = ''): Promise<any[]> =>
  (await client.get(`/results?order_id=${orderId}${query}`)).body.items;
const count = async (table: string): Promise<number> =>
  (await world.admin.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`)).rows[0]!.count;
const download = async (url: string): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());

describe('a report', () => {
  // Whatever a parser would lose: an order of members, a number's form, blanks, a repeated key.
  const JSON_BYTES = Buffer.from('{ "b": 1.50, "a": 1e2,\r\n "a": "\\u00e9", "__proto__": {} }\n');

  it.each<[string, string, Uint8Array]>([
    ['application/json', 'json', JSON_BYTES],
    ['application/json; charset=utf-8', 'json', Buffer.from('[]')],
    ['application/pdf', 'pdf', pdf('\0\xff\x80')],
    ['application/dicom', 'sr', reportObject()],
    ['application/xml', 'xml', Buffer.from('<?xml version="1.0"?>\r\n<r a = "1"/>')],
    ['text/xml', 'xml', Buffer.from('\ufeff<r/>')],
    ['image/png', 'png', png()],
    ['text/plain;charset="UTF-8"', 'txt', Buffer.from('Kein Befund. 🫀\r\n')],
  ])('of %s comes back byte for byte', async (type, reportType, bytes) => {
    const orderId = await newOrder();
    const delivered = await deliver(orderId, bytes, { 'content-type': type });
    expect(delivered.status).toBe(201);
    const about = {
      result_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      order_id: orderId,
      report_type: reportType,
      content_type: type.split(';')[0],
      size: bytes.length,
    };
    expect(delivered.body).toEqual({ ...about, state: 'delivered' });

    const list = await client.get(`/results?order_id=${orderId}`);
    expect(list.headers.get('cache-control')).toBe('no-store');
    expect(list.body).toEqual({
      items: [
        {
          ...about,
          result_id: delivered.body.result_id,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          delivered_at: expect.any(String),
          download_url: expect.any(String),
          expires_at: expect.any(String),
        },
      ],
    });
    const [{ download_url, expires_at }] = list.body.items;
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(880_000);
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(900_000);
    const response = await fetch(download_url);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="[0-9a-f-]{36}\.\w{3,4}"$/,
    );
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('of 25 MiB is taken, and a byte more is not, declared or streamed', async () => {
    const orderId = await newOrder();
    const largest = Buffer.alloc(25 * MEBIBYTE, 'a');
    const text = { 'content-type': 'text/plain' };
    const taken = await deliver(orderId, largest, text);
    expect([taken.status, taken.body.size]).toEqual([201, largest.length]);
    const before = await count('upload');
    const longer = Buffer.concat([largest, Buffer.from('a')]);
    const streamed = new ReadableStream({
      start(controller) {
        for (let at = 0; at < longer.length; at += MEBIBYTE)
          controller.enqueue(longer.subarray(at, at + MEBIBYTE));
        controller.close();
      },
    });
    for (const body of [longer, streamed]) {
      const refused = await deliver(orderId, body, text);
      expect([refused.status, refused.body.code]).toEqual([413, 'payload_too_large']);
      expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    }
    expect(await count('upload')).toBe(before);
  });

  it('is told of by one event, and in the ledger by ids alone', async () => {
    const orderId = await newOrder();
    const { body } = await deliver(orderId, pdf(), PDF, { query: '&report_type=ct-lung' });
    const told = await eventually(
      async () => (await allEvents()).filter(({ data }) => data.result_id === body.result_id),
      (events) => events.length > 0,
    );
    expect(told.map(({ type, data }) => ({ type, data }))).toEqual([
      {
        type: 'result.delivered',
        data: { result_id: body.result_id, order_id: orderId, report_type: 'ct-lung' },
      },
    ]);
    const { rows } = await world.admin.query(
      `SELECT action, detail FROM audit_event WHERE resource_type = 'Result' AND resource_id = $1`,
      [body.result_id],
    );
    expect(rows).toEqual([
      { action: 'results:deliver', detail: { order: orderId, size: pdf().length, replayed: false } },
    ]);
  });

  it('that is a DICOM object becomes no instance of a study', async () => {
    const before = await count('instance');
    expect(
      (await deliver(await newOrder(), reportObject(), { 'content-type': 'application/dicom' })).status,
    ).toBe(201);
    expect(await count('instance')).toBe(before);
  });

  it('on a closed order is taken, and leaves its state alone', async () => {
    const orderId = await newOrder();
    expect((await client.post(`/orders/${orderId}/close`)).body.state).toBe('closed');
    expect((await deliver(orderId, pdf(), PDF)).status).toBe(201);
    expect((await client.get(`/status?order_id=${orderId}`)).body).toMatchObject({
      state: 'closed',
      counts: { registered: 0, landed: 0 },
    });
  });

  it('on a failed order leaves it failed', async () => {
    const orderId = await newOrder();
    const issued = await client.get(`/upload?order_id=${orderId}`);
    await put(issued.body.url, Buffer.from('not an image'));
    const failedAt = async () => (await client.get(`/failure-report?order_id=${orderId}`)).body.failed_at;
    const before = await eventually(failedAt, (at) => at !== undefined);
    expect((await deliver(orderId, pdf(), PDF)).status).toBe(201);
    expect(await failedAt()).toBe(before);
  });

  it('comes by HTTP Basic too', async () => {
    const orderId = await newOrder();
    const authorization = basic(tenant.clientId, tenant.clientSecret);
    expect((await deliver(orderId, pdf(), { ...PDF, authorization })).status).toBe(201);
  });
});

async function allEvents(): Promise<any[]> {
  const events: any[] = [];
  for (let after = ''; ;) {
    const { body } = await client.get(`/api/v1/events?limit=100${after && `&after=${after}`}`);
    if (body.items.length === 0) return events;
    events.push(...body.items);
    after = body.next_cursor;
  }
}

describe('a report that is not what it says', () => {
  it.each<[string, number, string, Uint8Array]>([
    ['application/pdf', 422, 'type.mismatch', Buffer.from('{"a":1}')],
    ['application/json', 422, 'type.mismatch', pdf()],
    ['application/json', 422, 'type.mismatch', Buffer.from('{"a":')],
    ['application/json', 422, 'document.too-complex', Buffer.from('['.repeat(100_000))],
    ['image/png', 422, 'type.mismatch', png().subarray(0, -4)],
    ['text/plain', 422, 'text.encoding', png()],
    [
      'application/xml',
      422,
      'xml.doctype',
      Buffer.from('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'),
    ],
    ['application/dicom', 422, 'dicom.not-a-report', ctInstance()],
    ['application/dicom', 422, 'dicom.not-part10', pdf()],
    ['application/pdf', 400, 'empty', Buffer.alloc(0)],
    ['application/json', 400, 'empty', Buffer.alloc(0)],
    ['application/octet-stream', 415, 'unsupported_media_type', pdf()],
    ['text/html', 415, 'unsupported_media_type', Buffer.from('<p>')],
    ['application/x-www-form-urlencoded', 415, 'unsupported_media_type', Buffer.from('a=b')],
    ['text/plain; charset=iso-8859-1', 415, 'unsupported_media_type', Buffer.from('a')],
    ['application/vnd.scandock.raw', 415, 'unsupported_media_type', pdf()],
    ['nonsense', 415, 'unsupported_media_type', pdf()],
  ])('%s is refused: %i %s', async (type, status, code, bytes) => {
    const orderId = await newOrder();
    const before = [await count('result'), await count('upload')];
    const refused = await deliver(orderId, bytes, { 'content-type': type });
    expect(refused.body).toMatchObject({ type: 'about:blank', status, code, requestId: expect.any(String) });
    expect(refused.status).toBe(status);
    expect([await count('result'), await count('upload')]).toEqual(before);
  });

  it('is refused when it is compressed, or its order is not given', async () => {
    const orderId = await newOrder();
    const zipped = await deliver(orderId, pdf(), { ...PDF, 'content-encoding': 'gzip' });
    expect([zipped.status, zipped.body.code]).toEqual([415, 'unsupported_media_type']);
    const wrong = [
      ['nobody', ''],
      [orderId, '&report_type=Jane%20Doe'],
      [orderId, `&report_type=${'a'.repeat(65)}`],
      [orderId, '&name=x'],
    ] as const;
    for (const [order, query] of wrong)
      expect((await deliver(order, pdf(), PDF, { query })).body.code).toBe('validation_error');
  });

  it('leaves bodies of other routes what they were', async () => {
    const raw = await client.call('POST', '/new-order', 'x', {
      'content-type': 'application/vnd.scandock.raw',
    });
    expect([raw.status, raw.body.code]).toEqual([415, 'unsupported_media_type']);
    expect((await client.post('/new-order', { PatientID: 'P-1' })).status).toBe(201);
  });
});

describe('who may', () => {
  const of = (role: 'owner' | 'uploader' | 'reader' | 'coordinator', scopes?: readonly Scope[]) =>
    world.newTenant(role, scopes);
  const colleague = async (role: string, scopes: readonly Scope[]): Promise<Client> =>
    new Client(
      world.baseUrl,
      await world.organizations.createApiKey({
        organizationId: tenant.organizationId,
        name: role,
        role,
        scopes,
      }),
    );

  it('deliver: nobody without the scope, and nobody to another tenant’s order', async () => {
    const orderId = await newOrder();
    const before = await count('upload');
    const stranger = await of('owner');
    const reader = await of('owner', ['results:read', 'orders:read']);
    const foreign = await deliver(orderId, pdf(), PDF, { token: stranger.apiKey });
    const absent = await deliver(randomUUID(), pdf(), PDF, { token: stranger.apiKey });
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...absent.body, requestId: '' });
    const unscoped = await deliver(orderId, pdf(), PDF, { token: reader.apiKey });
    expect([unscoped.status, unscoped.body.code]).toEqual([403, 'insufficient_scope']);
    expect((await deliver(orderId, pdf(), PDF, { token: 'sdk_live_x' })).status).toBe(401);
    expect(await count('upload')).toBe(before);
  });

  it('is decided before the body is looked at', async () => {
    const reader = await of('owner', ['results:read']);
    const unscoped = await deliver(randomUUID(), Buffer.alloc(26 * MEBIBYTE), PDF, { token: reader.apiKey });
    expect(unscoped.status).toBe(403);
  });

  it('fetch and acknowledge: the tenant, and of an uploader’s own orders the uploader', async () => {
    const scopes: Scope[] = ['orders:write', 'orders:read', 'results:read', 'results:write'];
    const uploader = await colleague('uploader', scopes);
    const reader = await colleague('reader', scopes);
    const [own, others] = [await newOrder(uploader), await newOrder()];
    const [mine, theirs] = [
      (await deliver(own, pdf('1'), PDF)).body.result_id,
      (await deliver(others, pdf('2'), PDF)).body.result_id,
    ];
    expect((await uploader.get(`/results?order_id=${own}`)).body.items).toHaveLength(1);
    expect((await uploader.get(`/results?order_id=${others}`)).status).toBe(404);
    const waiting = (await uploader.get('/reports')).body.items;
    expect(waiting.map(({ result_id }: { result_id: string }) => result_id)).toEqual([mine]);
    const refused = await uploader.call('POST', `/results?order_id=${own}`, 'x', {
      'content-type': 'text/plain',
    });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    const acknowledged = await uploader.post('/reports', { result_ids: [mine, theirs] });
    expect(acknowledged.body).toEqual({ acknowledged: [mine], unknown: [theirs] });
    expect((await reader.get(`/results?order_id=${others}`)).body.items).toHaveLength(1);
    expect((await reader.post('/reports', { result_ids: [theirs] })).status).toBe(403);
  });

  it('sees nothing of another tenant', async () => {
    const orderId = await newOrder();
    const { result_id } = (await deliver(orderId, pdf(), PDF)).body;
    const stranger = new Client(world.baseUrl, (await of('owner')).apiKey);
    expect((await stranger.get(`/results?order_id=${orderId}`)).status).toBe(404);
    expect((await stranger.get('/reports')).body.items).toEqual([]);
    const { body } = await stranger.post('/reports', { result_ids: [result_id, result_id.toUpperCase()] });
    expect(body).toEqual({ acknowledged: [], unknown: [result_id] });
    expect((await resultsOf(orderId))[0]).not.toHaveProperty('acknowledged_at');
  });
});

describe('an Idempotency-Key', () => {
  it('delivers once, however often it is sent, and is bound to the bytes', async () => {
    const orderId = await newOrder();
    const headers = { ...PDF, 'idempotency-key': randomUUID() };
    const answers = [];
    for (let at = 0; at < 3; at++) answers.push(await deliver(orderId, pdf('a'), headers));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await resultsOf(orderId)).toHaveLength(1);
    const other = await deliver(orderId, pdf('b'), headers);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    const elsewhere = await deliver(await newOrder(), pdf('a'), headers);
    expect([elsewhere.status, elsewhere.body.code]).toEqual([422, 'idempotency_mismatch']);
  });

  it('is not needed for the same bytes to be kept once', async () => {
    const orderId = await newOrder();
    const bytes = pdf(randomUUID());
    await deliver(orderId, bytes, PDF);
    const before = await count('stored_object');
    await deliver(orderId, bytes, PDF);
    expect(await count('stored_object')).toBe(before);
    expect(await resultsOf(orderId)).toHaveLength(2);
  });
});

describe('GET /results', () => {
  it('lists newest first, page by page, of one type if asked', async () => {
    const orderId = await newOrder();
    expect((await client.get(`/results?order_id=${orderId}`)).body).toEqual({ items: [] });
    const ids: string[] = [];
    for (const type of ['a', 'b', 'a'])
      ids.unshift((await deliver(orderId, pdf(type), PDF, { query: `&report_type=${type}` })).body.result_id);
    expect((await resultsOf(orderId)).map(({ result_id }) => result_id)).toEqual(ids);
    expect((await resultsOf(orderId, '&report_type=a')).map(({ result_id }) => result_id)).toEqual([
      ids[0],
      ids[2],
    ]);
    expect(await resultsOf(orderId, '&report_type=pdf')).toEqual([]);
    const first = await client.get(`/results?order_id=${orderId}&limit=2`);
    const rest = await client.get(`/results?order_id=${orderId}&limit=2&cursor=${first.body.next_cursor}`);
    expect([...first.body.items, ...rest.body.items].map(({ result_id }) => result_id)).toEqual(ids);
    expect(rest.body).not.toHaveProperty('next_cursor');
  });

  it('finds them by the study, and no study that is not there', async () => {
    const StudyInstanceUID = newUid();
    const orderId = await newOrder();
    const issued = await client.get(`/upload?order_id=${orderId}`);
    await put(issued.body.url, ctInstance({ StudyInstanceUID }));
    await eventually(
      () => client.get(`/orderId?study_uid=${StudyInstanceUID}`),
      ({ status }) => status === 200,
    );
    const { result_id } = (await deliver(orderId, pdf(), PDF)).body;
    const found = await client.get(`/results?study_uid=${StudyInstanceUID}`);
    expect(found.body.items.map((item: { result_id: string }) => item.result_id)).toEqual([result_id]);
    for (const query of [`study_uid=${newUid()}`, `order_id=${randomUUID()}`]) {
      const absent = await client.get(`/results?${query}`);
      expect([absent.status, absent.body.code]).toEqual([404, 'not_found']);
    }
    for (const query of ['', `order_id=${orderId}&study_uid=${StudyInstanceUID}`, 'study_uid=x'])
      expect((await client.get(`/results?${query}`)).status).toBe(400);
  });
});

describe('reports to be fetched', () => {
  it('come oldest first until they are acknowledged, which may be said twice', async () => {
    const owner = await world.newTenant();
    const own = new Client(world.baseUrl, owner.apiKey);
    const ids: string[] = [];
    for (const content of ['1', '2', '3'])
      ids.push(
        (await deliver(await newOrder(own), pdf(content), PDF, { token: owner.apiKey })).body.result_id,
      );
    const listed = async (query = '') => (await own.get(`/reports${query}`)).body;
    const idsOf = ({ items }: { items: { result_id: string }[] }) => items.map(({ result_id }) => result_id);
    expect(idsOf(await listed())).toEqual(ids);
    const page = await listed('?limit=2');
    expect([...idsOf(page), ...idsOf(await listed(`?limit=2&cursor=${page.next_cursor}`))]).toEqual(ids);
    expect((await download((await listed()).items[1].download_url)).equals(pdf('2'))).toBe(true);

    const unknown = newId();
    const request = { result_ids: [ids[1], unknown, ids[0], ids[1]] };
    const answers = [await own.post('/reports', request), await own.post('/reports', request)];
    for (const { status, body } of answers)
      expect({ status, body }).toEqual({
        status: 200,
        body: { acknowledged: [ids[1], ids[0]], unknown: [unknown] },
      });
    expect(idsOf(await listed())).toEqual([ids[2]]);
    const { rows } = await world.admin.query(
      `SELECT resource_id AS id, detail FROM audit_event
       WHERE action = 'results:acknowledge' AND organization_id = $1 ORDER BY occurred_at, resource_id <> $2`,
      [owner.organizationId, ids[1]],
    );
    expect(rows).toEqual([
      { id: ids[1], detail: { repeated: false, asked: 3, unknown: 1 } },
      { id: ids[0], detail: { repeated: false, asked: 3, unknown: 1 } },
      { id: ids[1], detail: { repeated: true, asked: 3, unknown: 1 } },
      { id: ids[0], detail: { repeated: true, asked: 3, unknown: 1 } },
    ]);
  });

  it.each([
    ['nothing', {}],
    ['no id', { result_ids: [] }],
    ['what is no id', { result_ids: ['x'] }],
    ['101 ids', { result_ids: Array<string>(101).fill(newId()) }],
  ])('are not acknowledged by %s', async (_, body) => {
    expect((await client.post('/reports', body)).status).toBe(400);
  });
});

describe('without a worker', () => {
  it('a delivery is pending, seen by nobody, and comes about when there is one', async () => {
    const idle = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
    try {
      const { apiKey: token } = await idle.newTenant();
      const own = new Client(idle.baseUrl, token);
      const options = { token, baseUrl: idle.baseUrl };
      const headersOf = () => ({ ...PDF, 'idempotency-key': randomUUID() });
      const [headers, otherBytes, otherType] = [headersOf(), headersOf(), headersOf()];
      const orders = await Promise.all([newOrder(own), newOrder(own), newOrder(own)]);
      const sent = [headers, otherBytes, otherType];
      const answers = await Promise.all(
        sent.map((each, at) => deliver(orders[at]!, pdf(String(at)), each, options)),
      );
      for (const { status, body } of answers) expect([status, body.state]).toEqual([202, 'pending']);
      const orderId = orders[0]!;
      const { result_id } = answers[0]!.body;
      expect((await own.get(`/results?order_id=${orderId}`)).body.items).toEqual([]);
      expect((await own.get('/reports')).body.items).toEqual([]);
      const early = await own.post('/reports', { result_ids: [result_id] });
      expect(early.body).toEqual({ acknowledged: [], unknown: [result_id] });

      // What the API judged is not what the worker finds: it judges anew.
      const { rows } = await idle.admin.query<{ id: string; organization_id: string }>(
        'SELECT id, organization_id FROM upload WHERE order_id = $1',
        [orders[1]],
      );
      await stage(idle.s3, rows[0]!.organization_id, rows[0]!.id, pdf('x'));
      await idle.admin.query(`UPDATE upload SET declared_type = 'image/png' WHERE order_id = $1`, [
        orders[2],
      ]);

      await idle.startWorker();
      const { items } = await eventually(
        async () => (await own.get(`/results?order_id=${orderId}`)).body,
        ({ items }) => items.length > 0,
      );
      expect((await download(items[0].download_url)).equals(pdf('0'))).toBe(true);
      const events = await eventually(
        async () => (await own.get('/api/v1/events')).body.items,
        (found: unknown[]) => found.length >= 3,
      );
      const expected = [
        { type: 'result.delivered', data: { result_id, order_id: orderId, report_type: 'pdf' } },
        {
          type: 'upload.rejected',
          data: { upload_id: expect.any(String), order_id: orders[1], rule: 'sha256.mismatch' },
        },
        {
          type: 'upload.rejected',
          data: { upload_id: expect.any(String), order_id: orders[2], rule: 'type.mismatch' },
        },
      ];
      expect(events).toHaveLength(3); // and no order has failed
      expect(events).toEqual(expect.arrayContaining(expected.map((event) => expect.objectContaining(event))));

      const again = await Promise.all(
        sent.map((each, at) => deliver(orders[at]!, pdf(String(at)), each, options)),
      );
      expect(again.map(({ status, body }) => [status, body.state ?? body.code])).toEqual([
        [201, 'delivered'],
        [422, 'sha256.mismatch'],
        [422, 'type.mismatch'],
      ]);
      expect(again[0]!.body.result_id).toBe(result_id);
      expect((await own.get('/reports')).body.items).toHaveLength(1);
    } finally {
      await idle.close();
    }
  });
});

describe('without the bucket', () => {
  it('a delivery is a 503 that nobody sees, and a repetition goes on where it ended', async () => {
    const bucket = await startOwnStorage();
    const apart = await createWorld({ S3_ENDPOINT: bucket.endpoint, RECONCILE_INTERVAL_MS: '300' });
    try {
      const { apiKey: token } = await apart.newTenant();
      const own = new Client(apart.baseUrl, token);
      await apart.startWorker();
      const orderId = await newOrder(own);
      await bucket.stop();
      const headers = { ...PDF, 'idempotency-key': randomUUID() };
      const options = { token, baseUrl: apart.baseUrl };
      const failed = await deliver(orderId, pdf(), headers, options);
      expect([failed.status, failed.body.code]).toEqual([503, 'unavailable']);
      expect((await own.get(`/results?order_id=${orderId}`)).body.items).toEqual([]);
      await bucket.start();
      const repeated = await deliver(orderId, pdf(), headers, options);
      expect([repeated.status, repeated.body.state]).toEqual([201, 'delivered']);
      expect((await own.get(`/results?order_id=${orderId}`)).body.items).toHaveLength(1);
      expect((await apart.admin.query('SELECT 1 FROM result')).rowCount).toBe(1);
    } finally {
      await apart.close();
      await bucket.close();
    }
  });
});
