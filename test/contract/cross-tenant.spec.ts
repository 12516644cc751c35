import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Pool, type PoolClient } from 'pg';
import { png } from '../../src/formats/document/document.fixture.js';
import { SealerService } from '../../src/modules/audit/worker/sealer.service.js';
import { newId } from '../../src/platform/database/id.js';
import { type Answer, basic, Client, eventually, put } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { Hospital } from '../support/hospital.js';
import { declarationOf, Inspector } from '../support/inspector.js';
import { Portal } from '../support/portal.js';
import { createWorld, type World } from '../support/world.js';
import { idsFor, nameOf, type Place, placesOfIds, requestFor, unknownFor } from './asked-ids.js';
import { digestRows, type Inhabited, inhabit, SHARED, tenantTables } from './tenants.js';

jest.setTimeout(60_000);

const FAST = {
  RECONCILE_INTERVAL_MS: '300',
  RATE_LIMIT_PER_MINUTE: '100000',
  CREDENTIAL_FAILURES_PER_MINUTE: '100000',
  SMTP_URL: 'smtp://127.0.0.1:9',
  MAIL_FROM: 'no-reply@scandock.example',
};

/** What differs between any two answers and says nothing about the row. */
const VOLATILE = ['date', 'x-request-id', 'traceparent', 'ratelimit-remaining', 'ratelimit-reset'];

/** An answer without what differs anyhow, and without what the caller itself had asked for. */
function comparable({ status, headers, text }: Answer, asked: string): object {
  const stable = [...headers].filter(([name]) => !VOLATILE.includes(name));
  const said = text.replace(/"requestId":"[^"]*"/, '').replaceAll(new RegExp(asked, 'gi'), '<asked>');
  return { status, headers: Object.fromEntries(stable), said };
}

/** Routes that answer with what there is of it, rather than that there is none. */
const ANSWERS_EMPTY = [
  'GET /orders',
  'GET /studies',
  'POST /reports',
  'GET /api/v1/admin/cases',
  'GET /api/v1/admin/documents',
  'GET /api/v1/admin/sessions',
  'GET /api/v1/admin/users',
  'GET /api/v1/admin/bindings',
  'GET /api/v1/audit/events',
];

/** What is said of a row that is not there. A patient is told nothing of a case that is not theirs (seed 004). */
const statusOfAbsent = ({ route, name }: Place): number =>
  route.operation.platform
    ? 403
    : ANSWERS_EMPTY.includes(`${route.method} ${route.path}`)
      ? 200
      : name === 'caseId'
        ? 403
        : 404;

type Kind = 'client' | 'api_key' | 'basic' | 'user';

const isFor = (kind: Kind, { route: { portal, basic: byBasic } }: Place): boolean =>
  kind === 'user' ? portal : !portal && (kind !== 'basic' || byBasic);

const credentialOf = (kind: Kind, own: Inhabited, patient = own.patient): Record<string, string> =>
  ({
    client: { authorization: `Bearer ${own.accessToken}` },
    api_key: { authorization: `Bearer ${own.apiKey}` },
    basic: { authorization: basic(own.clientId, own.clientSecret) },
    user: { authorization: `Bearer ${patient.accessToken}`, 'cv-api-key': own.portalKey },
  })[kind];

/** What a portal says of a token that is not good there. */
const UNAUTHORIZED = {
  status: 401,
  success: false,
  error: 'Invalid or expired token',
  code: 'VALIDATION_ERROR',
};

async function switchOffRowLevelSecurity(world: World): Promise<void> {
  const { rows } = await world.admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity`,
  );
  expect(rows.length).toBeGreaterThan(32);
  for (const { name } of rows)
    await world.admin.query(
      `ALTER TABLE "${name}" DISABLE ROW LEVEL SECURITY; ALTER TABLE "${name}" NO FORCE ROW LEVEL SECURITY`,
    );
}

describe.each([
  ['with both defences', false],
  ['with row-level security switched off', true],
])('another tenant’s id, %s', (_, unprotected) => {
  let world: World;
  let victim: Inhabited;
  let intruder: Inhabited;
  let places: Place[];

  beforeAll(async () => {
    world = await createWorld(FAST);
    const worker = await world.startWorker();
    [victim, intruder] = await Promise.all([inhabit(world), inhabit(world)]);
    await worker.close(); // so that nothing but the intruder could change a row
    expect(await put(victim.issued.url, ctInstance())).toBe(200); // lies there, to be noticed by its owner only
    if (unprotected) await switchOffRowLevelSecurity(world);
    places = placesOfIds(world.api);
  });
  afterAll(() => world.close());

  const ask = (
    as: Inhabited,
    kind: Kind,
    place: Place,
    id: string,
    headers = credentialOf(kind, as),
  ): Promise<Answer> => {
    const { method, path, body } = requestFor(place, id, as);
    // Whatever version: a row that is not there has none.
    return new Client(world.baseUrl).call(method, path, body, { 'if-match': '*', ...headers });
  };

  /** The intruder's list. Its feed waits for transactions that other databases of the server have under way. */
  const whole = async (client: Client, { path, ids }: List): Promise<Answer> => {
    const { rows } = await world.admin.query('SELECT 1 FROM outbox_event WHERE organization_id = $1', [
      intruder.organizationId,
    ]);
    return eventually(
      () => client.get(path),
      ({ body }) => !path.startsWith('/api/v1/events') || ids(body).length >= rows.length,
    );
  };

  it('is what at least fifty places of requests can name', () => {
    expect(places.length).toBeGreaterThanOrEqual(50);
    expect(places.filter((place) => isFor('user', place)).length).toBeGreaterThanOrEqual(6);
    expect(new Set(places.map((place) => place.in)).size).toBe(3);
  });

  it('is known to its owner, in every place that can be read', async () => {
    const readable = places.filter(
      ({ route }) => route.method === 'GET' && route.path !== '/upload' && !route.operation.platform,
    );
    expect(readable.length).toBeGreaterThanOrEqual(27);
    for (const place of readable) {
      const kind = isFor('user', place) ? 'user' : 'client';
      const answer = await ask(victim, kind, place, idsFor(place, victim)[0]!);
      expect({ place: nameOf(place), status: answer.status }).toEqual({
        place: nameOf(place),
        status: place.route.public ? 302 : 200,
      });
      if (ANSWERS_EMPTY.includes(`GET ${place.route.path}`)) expect(answer.body.items).not.toEqual([]);
    }
  });

  it.each<Kind>(['client', 'api_key', 'basic', 'user'])(
    'answers a %s as if there were no such row',
    async (kind) => {
      const before = await digestRows(world.admin, victim.organizationId);
      for (const place of places.filter((each) => isFor(kind, each))) {
        const unknown = unknownFor(place);
        const absent = await ask(intruder, kind, place, unknown);
        expect({ place: nameOf(place), status: absent.status }).toEqual({
          place: nameOf(place),
          status: statusOfAbsent(place),
        });
        const event = await expectEvent(place, absent, unknown, kind);
        for (const id of idsFor(place, victim)) {
          const foreign = await ask(intruder, kind, place, id);
          expect({ place: nameOf(place), ...comparable(foreign, id) }).toEqual({
            place: nameOf(place),
            ...comparable(absent, unknown),
          });
          expect((await expectEvent(place, foreign, id, kind)).detail).toEqual(event.detail);
        }
      }
      expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
    },
  );

  it('is to a patient as that of another patient here, and of what is not shown or not theirs to change', async () => {
    const before = await digestRows(world.admin, intruder.organizationId);
    const { staffAttachmentId, restrictedId, deletedId, patient, neighbour } = intruder;
    for (const place of places.filter((each) => isFor('user', each))) {
      const absent = await ask(intruder, 'user', place, unknownFor(place));
      const changes = ['PATCH', 'DELETE'].includes(place.route.method);
      const hidden = [restrictedId, deletedId, ...(changes ? [staffAttachmentId] : [])];
      const asked: [string, typeof patient][] = [
        ...idsFor(place, intruder).map((id): [string, typeof patient] => [id, neighbour]),
        ...(place.name === 'id' ? hidden : []).map((id): [string, typeof patient] => [id, patient]),
      ];
      for (const [id, as] of asked) {
        const answer = await ask(intruder, 'user', place, id, credentialOf('user', intruder, as));
        expect({ place: nameOf(place), ...comparable(answer, id) }).toEqual({
          place: nameOf(place),
          ...comparable(absent, newId()),
        });
      }
    }
    expect(await digestRows(world.admin, intruder.organizationId)).toEqual({
      ...before,
      audit_event: expect.any(String),
      api_key: expect.any(String), // when it was last used
    });
  });

  it('is asked for in vain with a token of one organization and a portal’s key of another', async () => {
    for (const [of, at] of [
      [intruder, victim],
      [victim, intruder],
    ] as const)
      for (const place of places.filter((each) => isFor('user', each)))
        for (const id of [...idsFor(place, of), ...idsFor(place, at)]) {
          const headers = { ...credentialOf('user', of), 'cv-api-key': at.portalKey };
          const answer = await ask(of, 'user', place, id, headers);
          expect({ place: nameOf(place), status: answer.status, body: answer.body }).toEqual({
            place: nameOf(place),
            status: 401,
            body: UNAUTHORIZED,
          });
          const { rows } = await world.admin.query(
            'SELECT organization_id, actor_kind, actor_id, outcome FROM audit_event WHERE request_id = $1',
            [answer.headers.get('x-request-id')],
          );
          expect(rows).toEqual([
            {
              organization_id: at.organizationId,
              actor_kind: 'anonymous',
              actor_id: null,
              outcome: 'denied',
            },
          ]);
        }
  });

  it('nor does a portal sign in whom another knows, by code or by token, or sign them out', async () => {
    const [theirs, mine] = [victim, intruder].map(
      ({ organizationId, portalKey }) => new Portal(world, organizationId, portalKey),
    ) as [Portal, Portal];
    const { email, refreshToken, id } = victim.patient;
    await theirs.plantCode(email, id);
    const code = await theirs.codeOf(email);
    const before = await digestRows(world.admin, victim.organizationId);
    const stranger = `${newId()}@patients.example`;
    const pairs: [Answer, Answer][] = [
      [await mine.verify({ email, code }), await mine.verify({ email: stranger, code })],
      [await mine.refresh(refreshToken), await mine.refresh(newId())],
      [await mine.logout(refreshToken), await mine.logout(newId())],
      [await mine.sendCode({ email }), await mine.sendCode({ email: stranger })],
      [await mine.verify({ email, code }), await mine.verify({ email: stranger, code })],
    ];
    expect(pairs.map(([{ status }]) => status)).toEqual([401, 401, 200, 200, 401]);
    for (const [known, unknown] of pairs)
      expect(comparable(known, newId())).toEqual(comparable(unknown, newId()));
    const { rows } = await world.admin.query(
      'SELECT user_id FROM otp_challenge WHERE organization_id = $1 AND subject_id = $2',
      [intruder.organizationId, mine.subjectOf(email)],
    );
    expect(rows).toEqual([{ user_id: null }]);
    expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
    expect((await theirs.verify({ email, code })).status).toBe(200);
    expect((await theirs.refresh(refreshToken)).status).toBe(200);
  });

  it('shows a patient nothing of it in a list, by whatever cursor', async () => {
    const own = [intruder.attachmentId, intruder.staffAttachmentId].sort();
    const future = Buffer.from(JSON.stringify([new Date(Date.now() + 60_000).toISOString(), newId()]));
    for (const query of ['', '?type=general', `?cursor=${future.toString('base64url')}`]) {
      const { status, body, text } = await intruder.patient.calls.list(query);
      const ids = status === 200 ? body.data.files.map(({ id }: { id: string }) => id) : text;
      expect({ query, ids: ids.sort() }).toEqual({ query, ids: own });
    }
    expect((await intruder.neighbour.calls.list()).body.data.files).toEqual([]);
  });

  it.each<Kind>(['client', 'api_key'])('shows a %s nothing of it in a list or a sum', async (kind) => {
    const client = new Client(world.baseUrl, kind === 'client' ? intruder.accessToken : intruder.apiKey);
    const list = await client.get<{ items: { exam_id: string }[] }>('/api/v1/exams?limit=100');
    expect(list.body.items.map(({ exam_id }) => exam_id).sort()).toEqual(
      [intruder.examId, intruder.openExamId].sort(),
    );
    for (const list of LISTS) {
      const { path, ids, table, column, where = 'true' } = list;
      const { body, text } = await whole(client, list);
      const owned = await world.admin.query<{ id: string }>(
        `SELECT ${column}::text AS id FROM "${table}" WHERE organization_id = $1 AND ${where}`,
        [intruder.organizationId],
      );
      expect({ path, ids: ids(body).sort() }).toEqual({ path, ids: owned.rows.map(({ id }) => id).sort() });
      for (const id of [victim.orderId, victim.studyUid, victim.resultId, victim.patient.id])
        expect(text).not.toContain(id);
    }
    const { rows } = await world.admin.query<{ bytes: string }>(
      'SELECT sum(size) AS bytes FROM stored_object WHERE organization_id = $1',
      [intruder.organizationId],
    );
    const account = await client.get<{ organization: { id: string }; storage_used_bytes: number }>(
      '/api/v1/me',
    );
    expect(account.body.organization.id).toBe(intruder.organizationId);
    expect(account.body.storage_used_bytes).toBe(Number(rows[0]!.bytes));
  });

  it('is not found by a cursor that was made in the other tenant', async () => {
    const client = new Client(world.baseUrl, intruder.apiKey);
    const position = (time: number): string =>
      Buffer.from(JSON.stringify([new Date(time).toISOString(), newId()])).toString('base64url');
    const exams = await client.get(`/api/v1/exams?cursor=${position(Date.now() + 60_000)}`);
    expect(exams.body.items).toHaveLength(2);
    expect(exams.text).not.toContain(victim.examId);
    for (const list of LISTS) {
      const { path, ids } = list;
      const all = await whole(client, list);
      // The feed and the reports go forwards in time, all other lists backwards.
      const cursor = path.startsWith('/api/v1/events')
        ? `after=${Buffer.from(JSON.stringify(['1', newId()])).toString('base64url')}`
        : `cursor=${position(path.startsWith('/reports') ? 0 : Date.now() + 60_000)}`;
      const page = await client.get(`${path}&${cursor}`);
      expect({ path, ids: ids(page.body) }).toEqual({ path, ids: ids(all.body) });
      expect(ids(page.body).length).toBeGreaterThan(0);
    }
    const theirs = await eventually(
      () => new Client(world.baseUrl, victim.apiKey).get('/api/v1/events?limit=1'),
      ({ body }) => body.items.length > 0,
    );
    const after = await client.get(`/api/v1/events?limit=100&after=${theirs.body.next_cursor}`);
    expect(after.text).not.toContain(victim.orderId);
    expect(after.text).not.toContain(victim.studyUid);
  });

  it('does not meet the same UID: each has its own study, instance and bytes', async () => {
    const before = await digestRows(world.admin, victim.organizationId);
    const uid = SHARED.StudyInstanceUID;
    for (const own of [intruder, victim]) {
      const hospital = new Hospital(world.baseUrl, own.apiKey);
      const [{ body: study }, { body: orders }, { body: page }, { body: upload }, { body: same }] =
        await Promise.all([
          hospital.get(`/studies/${uid}`),
          hospital.get(`/orderId?study_uid=${uid}`),
          hospital.get(`/orders?study_uid=${uid}`),
          hospital.get(`/uploads/${own.sharedId}`),
          hospital.get(`/uploads/${own.sameBytesId}`),
        ]);
      expect(study).toMatchObject({
        generation: 1,
        series: [{ series_uid: SHARED.SeriesInstanceUID, instances: 1 }],
        attributes: { PatientID: { value: own.organizationId, origin: 'tag' } },
        conflicts: [],
        orders: [upload.order_id],
      });
      expect(orders.order_ids).toEqual([upload.order_id]);
      expect(page.items.map(({ order_id }: { order_id: string }) => order_id)).toEqual([upload.order_id]);
      expect(upload.result).toMatchObject({ sop_uid: SHARED.SOPInstanceUID });
      expect(same).toMatchObject({ state: 'registered', result: { kind: 'dicom' } });
      expect(same.result.duplicate_of).toBeUndefined();
    }
    const { rows } = await world.admin.query<{ objects: string; duplicates: string }>(
      `SELECT count(DISTINCT stored_object_id) AS objects, count(*) FILTER (WHERE duplicate) AS duplicates
       FROM upload WHERE id = ANY ($1)`,
      [[victim.sameBytesId, intruder.sameBytesId]],
    );
    expect(rows).toEqual([{ objects: '2', duplicates: '0' }]);
    const hospital = new Hospital(world.baseUrl, intruder.apiKey);
    const patched = await hospital.patch(`study_uid=${uid}`, { StudyDescription: 'mine' });
    expect(patched.body.attributes).toMatchObject({ StudyDescription: { value: 'mine' } });
    expect(await digestRows(world.admin, victim.organizationId)).toEqual({
      ...before,
      audit_event: expect.any(String), // the victim's own reads above
    });
  });

  it('is free for a new order here, as any other: nobody learns by trying that it is taken there', async () => {
    const before = await digestRows(world.admin, victim.organizationId);
    const hospital = new Hospital(world.baseUrl, intruder.accessToken);
    for (const [method, id] of [
      ['POST', victim.orderId],
      ['GET', victim.openOrderId],
    ] as const) {
      const make = (order_id: string): Promise<Answer> =>
        method === 'POST'
          ? hospital.post('/new-order', { order_id, metadata: { StudyDescription: 'mine' } })
          : hospital.get(`/new-order?order_id=${order_id}`);
      const unknown = crypto.randomUUID();
      const [fresh, taken] = [await make(unknown), await make(id)];
      expect(fresh.status).toBe(method === 'POST' ? 201 : 200);
      expect(comparable(taken, id)).toEqual(comparable(fresh, unknown));
      const own = await hospital.get(`/orders/${id}`);
      expect(own.body).toMatchObject({ state: 'open', study_uids: [], counts: { issued: 0, registered: 0 } });
      expect(own.body.attributes.PatientName).toBeUndefined();
      expect((await hospital.get(`/upload?order_id=${id}`)).status).toBe(200);
      expect((await make(id)).body.code).toBe('order_exists');
    }
    expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
  });

  it('is free for a file of an inspection here, as any other', async () => {
    const before = await digestRows(world.admin, victim.organizationId);
    const inspector = new Inspector(world.baseUrl, intruder.accessToken);
    for (const id of [victim.fileId, victim.openFileId]) {
      const declare = (as: string): Promise<Answer> =>
        inspector.declare({ ...declarationOf(Buffer.from('mine')), id: as, name: 'mine' });
      const unknown = crypto.randomUUID();
      const [fresh, taken] = [await declare(unknown), await declare(id)];
      expect([fresh.status, fresh.body.data.id, taken.status, taken.body.data.id]).toEqual([
        201,
        unknown,
        201,
        id,
      ]);
      expect((await inspector.file(id)).body.data).toMatchObject({ name: 'mine', status: 'pending' });
      expect((await inspector.complete(id)).status).toBe(400);
    }
    expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
  });

  it('does not give the content that the other holds', async () => {
    const { rows } = await world.admin.query<{ hash: string }>(
      `SELECT encode(sha256, 'base64') AS hash FROM inspect_file WHERE organization_id = $1 AND id = $2`,
      [victim.organizationId, victim.fileId],
    );
    const stranger = new Inspector(world.baseUrl, (await world.newTenant()).apiKey);
    const declaration = declarationOf(png());
    expect(declaration.hash).toBe(rows[0]!.hash);
    const answer = await stranger.declare(declaration);
    expect([answer.status, answer.body.data.id === victim.fileId]).toEqual([201, false]);
    const own = await new Inspector(world.baseUrl, intruder.accessToken).declare(declaration);
    expect([own.status, own.body.data.id]).toEqual([200, intruder.fileId]);
  });

  /** The one event of the request, which names what was asked for if it is one of our ids. */
  async function expectEvent(
    { route, name, in: where }: Place,
    answer: Answer,
    id: string,
    kind: Kind,
  ): Promise<{ detail: object }> {
    const { rows } = await world.admin.query<{ detail: object }>(
      `SELECT organization_id, actor_kind, action, outcome, resource_type, resource_id, detail FROM audit_event
       WHERE request_id = $1`,
      [answer.headers.get('x-request-id')],
    );
    const isOrder = name === 'order_id';
    const inPath = (): string =>
      where === 'path' && name === 'id'
        ? id.toLowerCase()
        : idsFor({ route, in: 'path', name: 'id' }, intruder)[0]!;
    const named = isOrder ? id.toLowerCase() : route.path.includes(':id') ? inPath() : null;
    const failed = answer.status >= 400;
    const { subject, pathNames = subject, platform } = route.operation;
    const refusal = platform ? 'forbidden' : 'case_forbidden';
    expect(rows).toEqual([
      {
        organization_id: intruder.organizationId,
        actor_kind: route.public ? 'share_link' : kind === 'basic' ? 'client' : kind,
        action: route.operation.name,
        outcome: answer.status === 403 ? 'denied' : failed ? 'failure' : 'success',
        resource_type: isOrder ? 'Order' : named ? pathNames : subject,
        resource_id: named,
        detail: failed
          ? { status: answer.status, code: answer.status === 403 ? refusal : 'not_found' }
          : expect.any(Object),
      },
    ]);
    return rows[0]!;
  }
});

interface List {
  path: string;
  table: string;
  column: string;
  /** Which rows of the table. */
  where?: string;
  ids: (body: { items: any[] }) => string[];
}

const byId = ({ items }: { items: { id: string }[] }): string[] => items.map(({ id }) => id);

/** Lists, and where the ids of their items are kept. */
const LISTS: List[] = [
  { path: '/api/v1/audit/exports?limit=100', table: 'audit_export', column: 'id', ids: byId },
  {
    path: '/api/v1/admin/identity-providers?limit=100',
    table: 'identity_provider',
    column: 'id',
    ids: byId,
  },
  { path: '/api/v1/admin/cases?limit=100', table: 'patient_case', column: 'id', ids: byId },
  { path: '/api/v1/admin/roles?limit=100', table: 'role', column: 'id', ids: byId },
  { path: '/api/v1/admin/bindings?limit=100', table: 'role_binding', column: 'id', ids: byId },
  {
    path: '/api/v1/admin/documents?limit=100',
    table: 'patient_file',
    column: 'id',
    where: 'case_id IS NULL',
    ids: byId,
  },
  { path: '/api/v1/admin/clients?limit=100', table: 'oauth_client', column: 'id', ids: byId },
  { path: '/api/v1/admin/api-keys?limit=100', table: 'api_key', column: 'id', ids: byId },
  { path: '/api/v1/admin/sessions?limit=100', table: 'user_session', column: 'id', ids: byId },
  { path: '/api/v1/audit/holds?limit=100', table: 'audit_hold', column: 'id', ids: byId },
  { path: '/api/v1/admin/users?limit=100', table: 'user', column: 'id', ids: byId },
  { path: '/api/v1/admin/groups?limit=100', table: 'group', column: 'id', ids: byId },
  {
    path: '/orders?limit=100',
    table: 'order',
    column: 'id',
    ids: ({ items }) => items.map(({ order_id }) => order_id as string),
  },
  {
    path: '/studies?limit=100',
    table: 'study',
    column: 'study_instance_uid',
    ids: ({ items }) => items.map(({ study_uid }) => study_uid as string),
  },
  {
    path: '/reports?limit=100',
    table: 'result',
    column: 'id',
    ids: ({ items }) => items.map(({ result_id }) => result_id as string),
  },
  {
    path: '/api/v1/events?limit=100',
    table: 'outbox_event',
    column: 'id',
    ids: byId,
  },
  {
    // To read it is to add to it: hence those of one action only.
    path: '/api/v1/audit/events?limit=100&action=cases:create',
    table: 'audit_event',
    column: 'id',
    where: `action = 'cases:create'`,
    ids: byId,
  },
];

describe('without the application’s filters', () => {
  let world: World;
  let victim: Inhabited;
  let intruder: Inhabited;
  let app: Pool;
  let sealing: Pool;
  let tables: string[];

  beforeAll(async () => {
    world = await createWorld(FAST);
    const worker = await world.startWorker();
    [victim, intruder] = await Promise.all([inhabit(world), inhabit(world)]);
    await worker.get(SealerService, { strict: false }).seal();
    await worker.close();
    // What waits for its seal has rows of both, whatever the worker had sealed by itself.
    for (const own of [victim, intruder])
      expect((await new Client(world.baseUrl, own.apiKey).get('/api/v1/exams')).status).toBe(200);
    app = new Pool({ connectionString: world.environment.DATABASE_URL!, max: 2 });
    sealing = new Pool({ connectionString: world.workerEnvironment.DATABASE_URL!, max: 2 });
    tables = await tenantTables(world.admin);
  });
  afterAll(async () => {
    await app.end();
    await sealing.end();
    await world.close();
  });

  /** Only the worker may read these: what holds for the API in the others holds for it. */
  const OF_WORKER = ['audit_forms'];
  const readerOf = (table: string): Pool => (OF_WORKER.includes(table) ? sealing : app);

  it('of tables that the worker alone reads, refuses the API every row', async () => {
    for (const table of OF_WORKER)
      expect({ table, rows: await attempt(victim.organizationId, `SELECT 1 FROM "${table}"`) }).toEqual({
        table,
        rows: REFUSED,
      });
  });

  /** As the application inside `organizationId`, or in none; always rolled back. */
  async function inside<T>(
    organizationId: string | undefined,
    work: (client: PoolClient) => Promise<T>,
    pool = app,
  ): Promise<T> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      if (organizationId !== undefined)
        await client.query(`SELECT set_config('app.organization_id', $1, true)`, [organizationId]);
      return await work(client);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  /** Rows seen or changed, or the SQLSTATE of the refusal. */
  const attempt = (organizationId: string | undefined, sql: string, values: unknown[] = [], pool = app) =>
    inside(
      organizationId,
      (client) =>
        client.query(sql, values).then(
          ({ rowCount }) => rowCount,
          (error: { code: string }) => error.code,
        ),
      pool,
    );

  const REFUSED = '42501'; // insufficient_privilege: by grant or by policy

  it('starts from rows of both tenants in every table', async () => {
    expect(tables.length).toBeGreaterThanOrEqual(31);
    for (const { organizationId } of [victim, intruder])
      for (const table of tables) {
        const { rowCount } = await world.admin.query(`SELECT 1 FROM "${table}" WHERE organization_id = $1`, [
          organizationId,
        ]);
        expect({ table, empty: rowCount === 0 }).toEqual({ table, empty: false });
      }
  });

  it('shows only the rows of the organization that is set', async () => {
    for (const table of [...tables, 'organization']) {
      const column = table === 'organization' ? 'id' : 'organization_id';
      const seen = await inside(
        intruder.organizationId,
        (client) => client.query<{ owner: string }>(`SELECT DISTINCT ${column} AS owner FROM "${table}"`),
        readerOf(table),
      );
      expect({ table, owners: seen.rows.map(({ owner }) => owner) }).toEqual({
        table,
        owners: [intruder.organizationId],
      });
    }
  });

  it('shows no row when none is set, an empty one is set, or after a transaction that had one', async () => {
    for (const table of [...tables, 'organization'])
      for (const none of [undefined, ''])
        expect({
          table,
          rows: await attempt(none, `SELECT 1 FROM "${table}"`, [], readerOf(table)),
        }).toEqual({ table, rows: 0 });
    const client = await app.connect();
    await client.query('BEGIN');
    await client.query(`SELECT set_config('app.organization_id', $1, true)`, [victim.organizationId]);
    expect((await client.query('SELECT 1 FROM exam')).rowCount).toBe(2);
    await client.query('COMMIT');
    expect((await client.query('SELECT 1 FROM exam')).rowCount).toBe(0);
    client.release();
  });

  it('changes and deletes nothing of another tenant', async () => {
    const before = await digestRows(world.admin, victim.organizationId);
    for (const table of tables) {
      const theirs = `WHERE organization_id = '${victim.organizationId}'`;
      const update = await attempt(
        intruder.organizationId,
        `UPDATE "${table}" SET organization_id = organization_id ${theirs}`,
      );
      const remove = await attempt(intruder.organizationId, `DELETE FROM "${table}" ${theirs}`);
      expect({ table, update: [0, REFUSED].includes(update!) }).toEqual({ table, update: true });
      expect({ table, remove: [0, REFUSED].includes(remove!) }).toEqual({ table, remove: true });
    }
    expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
  });

  it('writes nothing into another tenant, neither a new row nor one of its own', async () => {
    for (const table of tables) {
      const { rows: columns } = await world.admin.query<{ names: string }>(
        `SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
        [`"${table}"`],
      );
      const { names } = columns[0]!;
      const copy = `INSERT INTO "${table}" (${names}) SELECT ${names} FROM jsonb_populate_record(NULL::"${table}", $1::jsonb)`;
      const { rows } = await world.admin.query<{ row: string }>(
        `SELECT to_jsonb(t)::text AS row FROM "${table}" t WHERE organization_id = $1 LIMIT 1`,
        [victim.organizationId],
      );
      expect({ table, insert: await attempt(intruder.organizationId, copy, [rows[0]!.row]) }).toEqual({
        table,
        insert: REFUSED,
      });
      const move = `UPDATE "${table}" SET organization_id = '${victim.organizationId}'`;
      expect({ table, move: await attempt(intruder.organizationId, move) }).toEqual({ table, move: REFUSED });
    }
  });

  it('refers to nothing of another tenant: every foreign key carries the organization', async () => {
    const { rows } = await world.admin.query<
      Record<'name' | 'child' | 'parent' | 'column' | 'known', string>
    >(
      `SELECT k.conname AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
              a.attname AS column, p.attname AS known
       FROM pg_constraint k
       JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(number, parent_number) ON true
       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.number AND a.attname <> 'organization_id'
       JOIN pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = pair.parent_number
       WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(37);
    for (const { name, child, parent, column, known } of rows) {
      const own = await world.admin.query<{ ctid: string }>(
        `SELECT ctid::text FROM ${child} WHERE organization_id = $1 AND ${column} IS NOT NULL LIMIT 20`,
        [intruder.organizationId],
      );
      const codes = new Set<string>();
      for (const { ctid } of own.rows)
        // As the superuser, whom no policy binds: the key alone refuses.
        codes.add(
          await world.admin
            .query(
              `UPDATE ${child} SET ${column} = (SELECT ${known} FROM ${parent} WHERE organization_id = $1 LIMIT 1)
               WHERE ctid = $2::tid`,
              [victim.organizationId, ctid],
            )
            .then(
              ({ rowCount }) => `changed ${rowCount}`,
              (error: { code: string }) => error.code,
            ),
        );
      codes.delete('23001'); // of a row that others refer to by that very column: there is one to which none does
      expect({ name, codes: [...codes] }).toEqual({ name, codes: ['23503'] });
    }
  });
});
