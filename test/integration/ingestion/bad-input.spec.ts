import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { SCOPES, type Scope } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import type { Route } from '../../../src/platform/http/route-table.js';
import { digestRows } from '../../contract/tenants.js';
import { atOnce } from '../../support/at-once.js';
import { type Answer, basic, Client, eventually, put, tokenFor } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { Hospital, sha256Of } from '../../support/hospital.js';
import { rawCall } from '../../support/raw-call.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

/** Routes of seeds 001 and 002, whichever module serves them. */
const INGESTION =
  /^\/(new-order|upload|uploads|add-metadata|status|orderId|orders|results|failure-report|reports|studies)(\/|$)/;

/** Longer than a checked credential is trusted without asking again. */
const TRUST_MS = 600;
const HOUR_MS = 3600_000;

/** A tenant with an order, its study and the upload that brought it. */
interface Inhabitant extends Tenant {
  hospital: Hospital;
  orderId: string;
  uploadId: string;
  studyUid: string;
  /** Of the upload. */
  bytes: Uint8Array;
}

let world: World;
let own: Inhabitant;
let other: Inhabitant;
let routes: Route[];

beforeAll(async () => {
  world = await createWorld({
    RECONCILE_INTERVAL_MS: '300',
    CREDENTIAL_FAILURES_PER_MINUTE: '1000000',
    RATE_LIMIT_PER_MINUTE: '1000000',
  });
  await world.startWorker();
  routes = world.api.routes.filter(({ path }) => INGESTION.test(path));
  [own, other] = await Promise.all([settle(), settle()]);
}, 60_000);
afterAll(() => world.close());

async function settle(): Promise<Inhabitant> {
  const tenant = await world.newTenant();
  const hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
  const [orderId, studyUid] = [await hospital.newOrder(), newUid()];
  const bytes = ctInstance({ StudyInstanceUID: studyUid });
  const { id: uploadId } = await hospital.deliver(bytes, `?order_id=${orderId}`);
  await hospital.post(`/orders/${orderId}/close`);
  await eventually(
    () => hospital.status(orderId),
    ({ state }) => state === 'closed',
  ); // from here on nothing of it changes by itself
  return { ...tenant, hospital, orderId, uploadId, studyUid, bytes };
}

/** All rows of both tenants but those that say who asked. */
async function rows(): Promise<object> {
  const told = await Promise.all(
    [own, other].map(async ({ organizationId }) => {
      const digests = await digestRows(world.admin, organizationId);
      return Object.entries(digests).filter(([table]) => !/^audit_|^(client|api)_key$/.test(table));
    }),
  );
  return told.map((entries) => Object.fromEntries(entries) as object);
}

/** A clear 4xx in the right format, with its event. @param whose organization it is recorded with; none: the platform's */
async function expectRefusal(
  answer: Answer,
  expected: { status: number; code: string; operation?: string },
  whose: Tenant | null = own,
): Promise<void> {
  const { status, body, headers } = answer;
  expect({ status, code: body?.code }).toEqual({ status: expected.status, code: expected.code });
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const requestId = headers.get('x-request-id')!;
  expect(requestId).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
  expect(body).toMatchObject({
    type: 'about:blank',
    title: expect.any(String),
    status,
    detail: expect.any(String),
    requestId,
  });
  const { rows: events } = await world.admin.query(
    'SELECT organization_id, outcome, action, detail FROM audit_event WHERE request_id = $1',
    [requestId],
  );
  expect(events).toEqual([
    {
      organization_id: whose?.organizationId ?? expect.any(String),
      outcome: [401, 403].includes(status) ? 'denied' : 'failure',
      action: expected.operation ?? expect.any(String),
      detail: { status, code: expected.code },
    },
  ]);
}

/** Does something that must not change a thing. */
async function inVain(act: () => Promise<void>): Promise<void> {
  const before = await rows();
  await act();
  expect(await rows()).toEqual(before);
}

/** Tests that, all together, must not change a thing. */
function allInVain(tests: () => void): void {
  let before: object;
  beforeAll(async () => {
    before = await rows();
  });
  tests();
  it('changes nothing', async () => expect(await rows()).toEqual(before));
}

const pathOf = ({ path }: Route, { orderId, uploadId, studyUid }: Inhabitant): string =>
  path.replace(':id', path.startsWith('/orders') ? orderId : uploadId).replace(':uid', studyUid);

const ask = (client: Client, route: Route, headers: Record<string, string> = {}): Promise<Answer> =>
  client.call(route.method, pathOf(route, own), route.method === 'GET' ? undefined : {}, headers);

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

describe('every route of the ingestion', () => {
  it('is here', () => {
    expect(routes.map(nameOf)).toEqual(
      expect.arrayContaining([
        'GET /new-order',
        'POST /new-order',
        'GET /upload',
        'POST /upload',
        'GET /uploads/:id',
        'POST /uploads/:id/complete',
        'GET /uploads/:id/download',
        'PATCH /add-metadata',
        'GET /status',
        'GET /orderId',
        'GET /orders',
        'GET /orders/:id',
        'POST /orders/:id/close',
        'GET /failure-report',
        'GET /studies',
        'GET /studies/:uid',
      ]),
    );
    expect(routes.every((route) => route.basic && !route.public)).toBe(true);
  });

  const refuseAll = (title: string, headers: () => Promise<Record<string, string>>, code: string) =>
    it(`answers 401 to ${title}`, () =>
      inVain(async () => {
        const nobody = new Client(world.baseUrl);
        const shown = await headers();
        await atOnce(routes, async (route) =>
          expectRefusal(
            await ask(nobody, route, shown),
            { status: 401, code, operation: route.operation.name },
            null,
          ),
        );
      }));

  refuseAll('nobody', async () => ({}), 'unauthorized');
  refuseAll(
    'a wrong secret',
    async () => ({ authorization: basic(own.clientId, 'wrong') }),
    'invalid_client',
  );
  refuseAll('half a token', async () => ({ authorization: 'Bearer eyJhbGciOi' }), 'invalid_token');

  it('answers 401 to an expired token', async () => {
    const client = new Client(world.baseUrl, await tokenFor(world.baseUrl, own));
    await inVain(async () => {
      world.travel(HOUR_MS + 1000);
      await atOnce(routes, async (route) =>
        expectRefusal(await ask(client, route), { status: 401, code: 'invalid_token' }, null),
      );
      world.travel(-HOUR_MS - 1000);
    });
  });

  it('answers 401 to a client that was disabled, and to a key that was revoked', async () => {
    const leaver = await world.newTenant();
    const client = new Client(world.baseUrl, await tokenFor(world.baseUrl, leaver));
    expect((await client.get('/orders')).status).toBe(200);
    await world.admin.query('UPDATE oauth_client SET disabled_at = now() WHERE organization_id = $1', [
      leaver.organizationId,
    ]);
    await world.admin.query('UPDATE api_key SET revoked_at = now() WHERE organization_id = $1', [
      leaver.organizationId,
    ]);
    await new Promise((resolve) => setTimeout(resolve, TRUST_MS));
    const shown = { authorization: basic(leaver.clientId, leaver.clientSecret) };
    await atOnce(routes, async (route) => {
      await expectRefusal(await ask(client, route), { status: 401, code: 'invalid_token' }, null);
      const byKey = await ask(new Client(world.baseUrl, leaver.apiKey), route);
      await expectRefusal(byKey, { status: 401, code: 'invalid_token' }, null);
      const byBasic = await ask(new Client(world.baseUrl), route, shown);
      await expectRefusal(byBasic, { status: 401, code: 'invalid_client' }, null);
    });
  });

  it('answers 403 without its scope, whatever other scopes there are', () =>
    inVain(async () => {
      const clients = new Map<Scope, Client>();
      for (const route of routes) {
        const scope = route.operation.scope!;
        const rest = SCOPES.filter((each) => each !== scope).join(' ');
        if (!clients.has(scope))
          clients.set(scope, new Client(world.baseUrl, await tokenFor(world.baseUrl, own, rest)));
        const answer = await ask(clients.get(scope)!, route);
        await expectRefusal(answer, {
          status: 403,
          code: 'insufficient_scope',
          operation: route.operation.name,
        });
        expect(answer.body.detail).toContain(scope);
      }
      expect(clients.size).toBeGreaterThanOrEqual(6);
    }));

  it('answers 403 when no role allows it: a reader writes nothing', async () => {
    const reader = await world.newTenant('reader');
    const client = new Client(world.baseUrl, await tokenFor(world.baseUrl, reader));
    const before = await digestRows(world.admin, reader.organizationId);
    const writing = routes.filter(({ operation }) => operation.scope!.endsWith(':write'));
    expect(writing.length).toBeGreaterThanOrEqual(7);
    for (const route of writing)
      await expectRefusal(await ask(client, route), { status: 403, code: 'forbidden' }, reader);
    const after = await digestRows(world.admin, reader.organizationId);
    for (const table of ['order', 'upload', 'order_overlay', 'outbox_event'])
      expect(after[table]).toBe(before[table]);
  });
});

describe('what is not the caller’s', () => {
  /** Every way to name an order, an upload or a study. */
  const ways = (order: string, upload: string, study: string): [string, string, unknown?][] => [
    ['GET', `/uploads/${upload}`],
    ['POST', `/uploads/${upload}/complete`],
    ['GET', `/uploads/${upload}/download`],
    ['GET', `/orders/${order}`],
    ['POST', `/orders/${order}/close`],
    ['GET', `/upload?order_id=${order}`],
    ['GET', `/upload/?order_id=${order}`],
    ['POST', `/upload?order_id=${order}`],
    ['POST', '/upload', { order_id: order }],
    ['PATCH', `/add-metadata?order_id=${order}`, { Modality: 'MR' }],
    ['PATCH', `/add-metadata?study_uid=${study}`, { Modality: 'MR' }],
    ['GET', `/status?order_id=${order}`],
    ['GET', `/status?study_uid=${study}`],
    ['GET', `/failure-report?order_id=${order}`],
    ['GET', `/failure-report?study_uid=${study}`],
    ['GET', `/orderId?study_uid=${study}`],
    ['GET', `/studies/${study}`],
  ];

  it('is 404, in the same words whether it is another tenant’s or nobody’s', () =>
    inVain(async () => {
      const foreign = ways(other.orderId, other.uploadId, other.studyUid);
      const unknown = ways(randomUUID(), newId(), newUid());
      const shouted = ways(other.orderId.toUpperCase(), other.uploadId.toUpperCase(), other.studyUid);
      for (const [index, [method, path, body]] of foreign.entries()) {
        const answers = [];
        for (const [, where] of [[method, path], unknown[index]!, shouted[index]!]) {
          const answer = await own.hospital.call(
            method,
            where,
            unknown[index]![2] ? { ...(body as object) } : undefined,
          );
          await expectRefusal(answer, { status: 404, code: 'not_found' });
          answers.push(answer.text.replace(answer.headers.get('x-request-id')!, ''));
        }
        expect(new Set(answers).size).toBe(1);
      }
    }));

  it('shows in no list', async () => {
    const orders = await own.hospital.get('/orders?limit=100');
    expect(orders.body.items.map(({ order_id }: any) => order_id)).toEqual([own.orderId]);
    expect((await own.hospital.get(`/orders?study_uid=${other.studyUid}`)).body.items).toEqual([]);
    expect((await own.hospital.get(`/studies?study_uid=${other.studyUid}`)).body.items).toEqual([]);
    expect(JSON.stringify(await own.hospital.events())).not.toContain(other.orderId);
  });

  it('may be named the same: an order id and UIDs of another tenant are free in one’s own', async () => {
    const guest = await world.newTenant();
    const hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, guest));
    expect(await hospital.newOrder({ order_id: other.orderId })).toBe(other.orderId);
    const upload = await hospital.deliver(other.bytes, `?order_id=${other.orderId}`);
    expect(upload).toMatchObject({ state: 'registered', result: { study_uid: other.studyUid } });
    expect(upload.result).not.toHaveProperty('duplicate_of');
    const theirs = await other.hospital.status(other.orderId);
    expect(theirs).toMatchObject({ state: 'closed', counts: { registered: 1 } });
  });
});

describe('what is malformed', () => {
  describe('is 400:', () =>
    allInVain(() => {
      it.each([
        ['GET', '/uploads/not-a-uuid'],
        ['GET', `/uploads/${randomUUID().slice(1)}`],
        ['POST', '/uploads/1/complete'],
        ['GET', '/uploads/%00/download'],
        ['GET', "/orders/1' OR '1'='1"],
        ['POST', '/orders/x/close'],
        ['GET', '/orders?limit=0'],
        ['GET', '/orders?limit=101'],
        ['GET', '/orders?cursor=x'],
        ['GET', '/orders?created_from=yesterday'],
        ['GET', '/orders?created_from=0000-01-01T00:00:00Z'],
        ['GET', '/orders?created_from=2026-01-02T00:00:00Z&created_to=2026-01-01T00:00:00Z'],
        ['GET', '/orders?unknown=1'],
        ['GET', '/status'],
        ['GET', '/status?order_id=x'],
        ['GET', '/status?study_uid=1.02'],
        ['GET', `/status?order_id=${randomUUID()}&study_uid=1.2`],
        ['GET', '/orderId'],
        ['GET', '/orderId?study_uid=abc'],
        ['GET', '/failure-report?study_uid=1..2'],
        ['GET', `/studies/${'1.'.repeat(40)}2`],
        ['GET', '/studies/1'],
        ['GET', '/studies/1.2?generation=0'],
        ['GET', '/studies?cursor=x'],
        ['GET', '/upload?order_id=x'],
        ['GET', '/upload?size=-1'],
        ['GET', '/upload?size=1.5'],
        ['GET', '/upload?size=many'],
        ['GET', '/upload?sha256=abc'],
        ['GET', '/upload?filename='],
        ['GET', `/upload?filename=${'a'.repeat(256)}`],
        ['GET', '/upload?filename=a%0Ab'],
        ['GET', '/upload?bucket=other'],
        ['POST', '/upload?size=-1'],
        ['GET', '/new-order?order_id=x'],
        ['GET', '/new-order?order_id=00000000-0000-1000-8000-000000000000'],
        ['GET', '/new-order?metadata=%7B'],
        ['GET', '/new-order?metadata=%5B%5D'],
        ['GET', '/new-order?metadata=%7B%22Modality%22%3A%22MR%22%7D&metadata=%7B%7D'],
      ])('%s %s', async (method, path) => {
        const body = method === 'POST' ? {} : undefined;
        await expectRefusal(await own.hospital.call(method, path, body), {
          status: 400,
          code: 'validation_error',
        });
      });
    }));

  it('is a size that no PUT can carry: 413', () =>
    inVain(async () => {
      const size = 5 * 1024 ** 3 + 1;
      for (const answer of [
        await own.hospital.get(`/upload?size=${size}`),
        await own.hospital.post('/upload', { size }),
      ])
        await expectRefusal(answer, { status: 413, code: 'file_too_large' });
    }));

  it.each(['POST /new-order', 'GET /new-order', 'PATCH /add-metadata'])('is a body of %s', (route) =>
    inVain(async () => {
      const [method, path] = route.split(' ') as [string, string];
      const target = method === 'PATCH' ? `${path}?order_id=${own.orderId}` : path;
      const bodies: [unknown, RegExp][] = [
        [{ NoSuchKeyword: 'x' }, /NoSuchKeyword/],
        [{ '00100010': 'A^B', PatientName: 'A^B' }, /given twice/],
        [{ StudyInstanceUID: '1.2.3' }, /StudyInstanceUID/],
        [{ '0020000D': '1.2.3' }, /0020000D/],
        [{ SOPInstanceUID: null }, /SOPInstanceUID/],
        [{ Rows: 1 }, /Rows/],
        [{ PixelData: 'AAAA' }, /PixelData/],
        [{ StudyDate: '2026-01-01' }, /StudyDate/],
        [{ StudyDate: '20261301' }, /StudyDate/],
        [{ PatientAge: '5' }, /PatientAge/],
        [{ Modality: 'not a code string' }, /Modality/],
        [{ PatientWeight: 'heavy' }, /PatientWeight/],
        [{ PatientID: 'x'.repeat(65) }, /PatientID/],
        [{ PatientName: 'A\u0000B' }, /PatientName/],
        [{ PatientName: { Alphabetic: 'A' } }, /PatientName/],
        [{ PatientName: [] }, /PatientName/],
        [{ '00091001': 'private' }, /00091001/],
        [{ '__proto__ ': 'x' }, /./],
        [Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`k${index}`, 'x'])), /500/],
        [{ PatientComments: 'x'.repeat(70_000) }, /./],
        ['[]', /object/],
        ['"text"', /object/],
        ['1', /object/],
        ...(method === 'PATCH' ? [['null', /object/] as [string, RegExp]] : []),
      ];
      for (const [body, words] of bodies) {
        const answer = await callRaw(method, target, body);
        await expectRefusal(answer, { status: 400, code: 'validation_error' });
        expect(answer.text).toMatch(words);
        expect(answer.body.errors.length).toBeGreaterThan(0);
      }
      for (const text of ['{', '{"PatientName":}', ''])
        if (text !== '' || method === 'PATCH') expect((await callRaw(method, target, text)).status).toBe(400);
    }),
  );

  it.each(['POST /new-order', 'GET /new-order', 'PATCH /add-metadata'])('is 1 MB for %s: 413', (route) =>
    inVain(async () => {
      const [method, path] = route.split(' ') as [string, string];
      const target = method === 'PATCH' ? `${path}?order_id=${own.orderId}` : path;
      const answer = await callRaw(method, target, { PatientComments: 'x'.repeat(1024 * 1024) });
      await expectRefusal(answer, { status: 413, code: 'payload_too_large' });
    }),
  );

  describe('is in a query, which proxies log: use POST', () =>
    allInVain(() => {
      it.each(['PatientName', '00100010', 'PatientID', 'StudyDate', 'AccessionNumber', 'StudyDescription'])(
        '%s',
        async (name) => {
          const metadata = encodeURIComponent(JSON.stringify({ [name]: '20260101' }));
          const answer = await own.hospital.get(`/new-order?metadata=${metadata}`);
          await expectRefusal(answer, { status: 400, code: 'validation_error' });
          expect(answer.body.detail).toContain('use POST');
          expect(answer.text).not.toContain('20260101');
        },
      );
    }));

  it('is an order id that is used already, and one that differs between query and body', () =>
    inVain(async () => {
      for (const body of [{ order_id: own.orderId }, { order_id: own.orderId.toUpperCase() }])
        await expectRefusal(await own.hospital.post('/new-order', body), {
          status: 409,
          code: 'order_exists',
        });
      await expectRefusal(
        await own.hospital.post(`/new-order?order_id=${randomUUID()}`, { order_id: randomUUID() }),
        { status: 400, code: 'validation_error' },
      );
    }));
});

const callRaw = (method: string, path: string, body: unknown): Promise<Answer> =>
  rawCall(new URL(path, world.baseUrl), {
    method,
    authorization: basic(own.clientId, own.clientSecret),
    body,
  });

describe('a closed order', () => {
  it('takes no upload and, once complete, no metadata', () =>
    inVain(async () => {
      const { hospital, orderId, studyUid } = own;
      for (const answer of [
        await hospital.get(`/upload?order_id=${orderId}`),
        await hospital.post('/upload', { order_id: orderId }),
        await hospital.patch(`order_id=${orderId}`, { Modality: 'MR' }),
        await hospital.patch(`study_uid=${studyUid}`, { Modality: null }),
      ])
        await expectRefusal(answer, { status: 409, code: 'order_closed' });
    }));

  it('is closed once: the second call has the same answer', async () => {
    const again = await own.hospital.post(`/orders/${own.orderId}/close`);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(await own.hospital.status(own.orderId));
  });
});

describe('a presigned URL', () => {
  let sender: Hospital;
  beforeAll(async () => {
    sender = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, await world.newTenant()));
  });

  it('that is used again changes nothing that was verified', async () => {
    const [first, second] = [ctInstance(), ctInstance()];
    const { url, uploadId } = await sender.issue();
    expect(await put(url, first)).toBe(200);
    const upload = await sender.settled(uploadId);
    expect(await put(url, second)).toBe(200); // S3 cannot know; nobody looks there any more
    expect((await sender.post(`/uploads/${uploadId}/complete`)).body).toEqual(upload);
    await new Promise((resolve) => setTimeout(resolve, 1000)); // three passes of the reconciler
    expect((await sender.get(`/uploads/${uploadId}`)).body).toEqual(upload);
    expect(sha256Of(await sender.download(uploadId))).toBe(sha256Of(first));
  });

  it('is refused with another method or on another key', async () => {
    const bytes = ctInstance();
    const { url, uploadId, key } = await sender.issue();
    expect((await sender.get(`/uploads/${uploadId}/download`)).status).toBe(404);
    for (const method of ['GET', 'HEAD', 'DELETE', 'POST'])
      expect((await fetch(url, { method })).status).toBe(403);
    expect(await put(url.replace(key, key.replace(uploadId, newId())), bytes)).toBe(403);
    expect((await sender.get(`/uploads/${uploadId}`)).body.state).toBe('issued');
    expect((await sender.post(`/uploads/${uploadId}/complete`)).status).toBe(409);

    expect(await put(url, bytes)).toBe(200);
    await sender.settled(uploadId);
    const { download_url } = (await sender.get(`/uploads/${uploadId}/download`)).body;
    expect(await put(download_url, ctInstance())).toBe(403);
    expect((await fetch(download_url, { method: 'DELETE' })).status).toBe(403);
    expect(sha256Of(await sender.download(uploadId))).toBe(sha256Of(bytes));
  });

  it('is refused after its 900 s, and its upload expires', async () => {
    world.travel(-1000 * 1000);
    const client = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, await world.newTenant()));
    const { url, uploadId } = await client.issue();
    world.travel(1000 * 1000);
    expect(await put(url, ctInstance())).toBe(403);
    await eventually(
      async () => (await client.get(`/uploads/${uploadId}`)).body,
      ({ state }) => state === 'expired',
    );
    expect((await client.post(`/uploads/${uploadId}/complete`)).body).toMatchObject({
      status: 409,
      code: 'not_landed',
    });
  });

  it('takes only as many bytes as were declared', async () => {
    const bytes = ctInstance();
    const { url, uploadId } = await sender.issue(`?size=${bytes.length}`);
    expect(await put(url, bytes.subarray(1))).toBe(403);
    expect(await put(url, Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(403);
    expect((await sender.get(`/uploads/${uploadId}`)).body.state).toBe('issued');
    expect(await put(url, bytes)).toBe(200);
    expect((await sender.settled(uploadId)).state).toBe('registered');
  });

  it('that gets other bytes than were declared: the upload is rejected, and nothing registered', async () => {
    const [declared, sent] = [ctInstance(), ctInstance()];
    const orderId = await sender.newOrder();
    const upload = await sender.deliver(
      sent,
      `?order_id=${orderId}&sha256=${sha256Of(declared)}&filename=a.dcm`,
    );
    expect(upload).toMatchObject({ state: 'rejected', rejection: { rule: 'sha256.mismatch' } });
    expect(await sender.status(orderId)).toMatchObject({
      state: 'failed',
      study_uids: [],
      rejected: [{ upload_id: upload.id, name: 'a.dcm', rule: 'sha256.mismatch' }],
    });
    expect((await sender.get(`/uploads/${upload.id}/download`)).status).toBe(404);
    const base64 = Buffer.from(sha256Of(sent), 'hex').toString('base64');
    const right = await sender.deliver(sent, `?sha256=${encodeURIComponent(base64)}`);
    expect(right.state).toBe('registered');
  });

  it.each<[string, Uint8Array]>([
    ['empty', new Uint8Array()],
    ['dicom.not-part10', Buffer.from('%PDF-1.7 not an image at all')],
    ['dicom.truncated', ctInstance().subarray(0, -1)],
    ['dicom.polyglot', Buffer.concat([Buffer.from('MZ'), ctInstance().subarray(2)])],
    ['type.not-allowed', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
  ])('that gets no image: %s', async (rule, bytes) => {
    const upload = await sender.deliver(bytes);
    expect(upload).toMatchObject({ state: 'rejected', rejection: { rule } });
  });
});
