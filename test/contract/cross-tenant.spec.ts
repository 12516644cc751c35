import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Pool, type PoolClient } from 'pg';
import { newId } from '../../src/platform/database/id.js';
import { type Answer, basic, Client, put } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { Hospital } from '../support/hospital.js';
import { createWorld, type World } from '../support/world.js';
import { idsFor, nameOf, type Place, placesOfIds, requestFor, unknownFor } from './asked-ids.js';
import { digestRows, type Inhabited, inhabit, SHARED, tenantTables } from './tenants.js';

jest.setTimeout(60_000);

const FAST = { RECONCILE_INTERVAL_MS: '300', RATE_LIMIT_PER_MINUTE: '100000' };

/** What differs between any two answers and says nothing about the row. */
const VOLATILE = ['date', 'x-request-id', 'traceparent', 'ratelimit-remaining', 'ratelimit-reset'];

/** An answer without what differs anyhow, and without what the caller itself had asked for. */
function comparable({ status, headers, text }: Answer, asked: string): object {
  const stable = [...headers].filter(([name]) => !VOLATILE.includes(name));
  const said = text.replace(/"requestId":"[^"]*"/, '').replaceAll(new RegExp(asked, 'gi'), '<asked>');
  return { status, headers: Object.fromEntries(stable), said };
}

/** Routes that answer with what there is of it, rather than that there is none. */
const ANSWERS_EMPTY = ['GET /orders', 'GET /studies', 'POST /reports'];

type Kind = 'client' | 'api_key' | 'basic';

const credentialOf = (kind: Kind, { accessToken, apiKey, clientId, clientSecret }: Inhabited): string =>
  ({
    client: `Bearer ${accessToken}`,
    api_key: `Bearer ${apiKey}`,
    basic: basic(clientId, clientSecret),
  })[kind];

async function switchOffRowLevelSecurity(world: World): Promise<void> {
  const { rows } = await world.admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity`,
  );
  expect(rows.length).toBeGreaterThan(23);
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

  const ask = (as: Inhabited, kind: Kind, place: Place, id: string): Promise<Answer> => {
    const { method, path, body } = requestFor(place, id, as.shareToken);
    const authorization = credentialOf(kind, as);
    return new Client(world.baseUrl).call(method, path, body, { authorization });
  };

  it('is what at least thirty places of requests can name', () => {
    expect(places.length).toBeGreaterThanOrEqual(30);
    expect(new Set(places.map((place) => place.in)).size).toBe(3);
  });

  it('is known to its owner, in every place that can be read', async () => {
    const readable = places.filter(({ route }) => route.method === 'GET' && route.path !== '/upload');
    expect(readable.length).toBeGreaterThanOrEqual(17);
    for (const place of readable) {
      const answer = await ask(victim, 'client', place, idsFor(place, victim)[0]!);
      expect({ place: nameOf(place), status: answer.status }).toEqual({
        place: nameOf(place),
        status: place.route.public ? 302 : 200,
      });
      if (ANSWERS_EMPTY.includes(`GET ${place.route.path}`)) expect(answer.body.items).not.toEqual([]);
    }
  });

  it.each<Kind>(['client', 'api_key', 'basic'])('answers a %s as if there were no such row', async (kind) => {
    const before = await digestRows(world.admin, victim.organizationId);
    const taken = places.filter(({ route }) => kind !== 'basic' || route.basic);
    for (const place of taken) {
      const unknown = unknownFor(place);
      const absent = await ask(intruder, kind, place, unknown);
      const status = ANSWERS_EMPTY.includes(`${place.route.method} ${place.route.path}`) ? 200 : 404;
      expect({ place: nameOf(place), status: absent.status }).toEqual({ place: nameOf(place), status });
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
  });

  it.each<Kind>(['client', 'api_key'])('shows a %s nothing of it in a list or a sum', async (kind) => {
    const client = new Client(world.baseUrl, kind === 'client' ? intruder.accessToken : intruder.apiKey);
    const list = await client.get<{ items: { exam_id: string }[] }>('/api/v1/exams?limit=100');
    expect(list.body.items.map(({ exam_id }) => exam_id).sort()).toEqual(
      [intruder.examId, intruder.openExamId].sort(),
    );
    for (const { path, ids, table, column } of LISTS) {
      const { body, text } = await client.get(path);
      const owned = await world.admin.query<{ id: string }>(
        `SELECT ${column}::text AS id FROM "${table}" WHERE organization_id = $1`,
        [intruder.organizationId],
      );
      expect({ path, ids: ids(body).sort() }).toEqual({ path, ids: owned.rows.map(({ id }) => id).sort() });
      for (const id of [victim.orderId, victim.studyUid, victim.resultId]) expect(text).not.toContain(id);
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
    for (const { path, ids } of LISTS) {
      const whole = await client.get(path);
      // The feed and the reports go forwards in time, all other lists backwards.
      const cursor = path.startsWith('/api/v1/events')
        ? `after=${Buffer.from(JSON.stringify(['1', newId()])).toString('base64url')}`
        : `cursor=${position(path.startsWith('/reports') ? 0 : Date.now() + 60_000)}`;
      const page = await client.get(`${path}&${cursor}`);
      expect({ path, ids: ids(page.body) }).toEqual({ path, ids: ids(whole.body) });
      expect(ids(page.body).length).toBeGreaterThan(0);
    }
    const theirs = await new Client(world.baseUrl, victim.apiKey).get('/api/v1/events?limit=1');
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
    const isNamed = isOrder || (where === 'path' && name === 'id');
    const failed = answer.status >= 400;
    expect(rows).toEqual([
      {
        organization_id: intruder.organizationId,
        actor_kind: route.public ? 'share_link' : kind === 'basic' ? 'client' : kind,
        action: route.operation.name,
        outcome: failed ? 'failure' : 'success',
        resource_type: isOrder ? 'Order' : route.operation.subject,
        resource_id: isNamed ? id.toLowerCase() : null,
        detail: failed ? { status: 404, code: 'not_found' } : expect.any(Object),
      },
    ]);
    return rows[0]!;
  }
});

/** Lists of the ingestion surface, and where the ids of their items are kept. */
const LISTS: { path: string; table: string; column: string; ids: (body: { items: any[] }) => string[] }[] = [
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
    ids: ({ items }) => items.map(({ id }) => id as string),
  },
];

describe('without the application’s filters', () => {
  let world: World;
  let victim: Inhabited;
  let intruder: Inhabited;
  let app: Pool;
  let tables: string[];

  beforeAll(async () => {
    world = await createWorld(FAST);
    const worker = await world.startWorker();
    [victim, intruder] = await Promise.all([inhabit(world), inhabit(world)]);
    await worker.close();
    app = new Pool({ connectionString: world.environment.DATABASE_URL!, max: 2 });
    tables = await tenantTables(world.admin);
  });
  afterAll(async () => {
    await app.end();
    await world.close();
  });

  /** As the application inside `organizationId`, or in none; always rolled back. */
  async function inside<T>(
    organizationId: string | undefined,
    work: (client: PoolClient) => Promise<T>,
  ): Promise<T> {
    const client = await app.connect();
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
  const attempt = (organizationId: string | undefined, sql: string, values: unknown[] = []) =>
    inside(organizationId, (client) =>
      client.query(sql, values).then(
        ({ rowCount }) => rowCount,
        (error: { code: string }) => error.code,
      ),
    );

  const REFUSED = '42501'; // insufficient_privilege: by grant or by policy

  it('starts from rows of both tenants in every table', async () => {
    expect(tables.length).toBeGreaterThanOrEqual(23);
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
      const seen = await inside(intruder.organizationId, (client) =>
        client.query<{ owner: string }>(`SELECT DISTINCT ${column} AS owner FROM "${table}"`),
      );
      expect({ table, owners: seen.rows.map(({ owner }) => owner) }).toEqual({
        table,
        owners: [intruder.organizationId],
      });
    }
  });

  it('shows no row when none is set, an empty one is set, or after a transaction that had one', async () => {
    for (const table of [...tables, 'organization']) {
      expect({ table, rows: await attempt(undefined, `SELECT 1 FROM "${table}"`) }).toEqual({
        table,
        rows: 0,
      });
      expect({ table, rows: await attempt('', `SELECT 1 FROM "${table}"`) }).toEqual({ table, rows: 0 });
    }
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
      const copy = `INSERT INTO "${table}" SELECT (jsonb_populate_record(NULL::"${table}", $1::jsonb)).*`;
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
    const { rows } = await world.admin.query<{ name: string; child: string; parent: string; column: string }>(
      `SELECT k.conname AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
              a.attname AS column
       FROM pg_constraint k
       JOIN LATERAL unnest(k.conkey) AS column_number ON true
       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = column_number AND a.attname <> 'organization_id'
       WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(27);
    for (const { name, child, parent, column } of rows) {
      // As the superuser, whom no policy binds: the key alone refuses.
      const code = await world.admin
        .query(
          `UPDATE ${child} SET ${column} = (SELECT id FROM ${parent} WHERE organization_id = $1 LIMIT 1)
           WHERE ctid = (SELECT ctid FROM ${child} WHERE organization_id = $2 AND ${column} IS NOT NULL LIMIT 1)`,
          [victim.organizationId, intruder.organizationId],
        )
        .then(
          ({ rowCount }) => `changed ${rowCount}`,
          (error: { code: string }) => error.code,
        );
      expect({ name, code }).toEqual({ name, code: '23503' });
    }
  });
});
