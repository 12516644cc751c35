import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Pool, type PoolClient } from 'pg';
import { newId } from '../../src/platform/database/id.js';
import type { Route } from '../../src/platform/http/route-table.js';
import { type Answer, Client } from '../support/client.js';
import { createWorld, type World } from '../support/world.js';
import { digestRows, type Inhabited, inhabit, tenantTables } from './tenants.js';

jest.setTimeout(30_000);

const FAST = { RECONCILE_INTERVAL_MS: '300' };

/** What differs between any two answers and says nothing about the row. */
const VOLATILE = ['date', 'x-request-id', 'traceparent', 'ratelimit-remaining', 'ratelimit-reset'];

function comparable({ status, headers, text }: Answer): object {
  const stable = [...headers].filter(([name]) => !VOLATILE.includes(name));
  return { status, headers: Object.fromEntries(stable), text: text.replace(/"requestId":"[^"]*"/, '') };
}

async function switchOffRowLevelSecurity(world: World): Promise<void> {
  const { rows } = await world.admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity`,
  );
  expect(rows.length).toBeGreaterThan(16);
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

  beforeAll(async () => {
    world = await createWorld(FAST);
    const worker = await world.startWorker();
    [victim, intruder] = await Promise.all([inhabit(world), inhabit(world)]);
    await worker.close(); // so that nothing but the intruder could change a row
    if (unprotected) await switchOffRowLevelSecurity(world);
  });
  afterAll(() => world.close());

  it('is what at least seven routes can be asked for', () => {
    expect(routesWithId().length).toBeGreaterThanOrEqual(7);
  });

  it.each(['client', 'api_key'] as const)('answers a %s as if there were no such row', async (kind) => {
    const client = new Client(world.baseUrl, kind === 'client' ? intruder.accessToken : intruder.apiKey);
    const before = await digestRows(world.admin, victim.organizationId);
    for (const route of routesWithId()) {
      const targets = route.path.includes(':token')
        ? [victim.uploadId]
        : [victim.examId, victim.openExamId, victim.examId.toUpperCase()];
      const absent = await call(client, route, newId());
      expect({ route: route.path, status: absent.status }).toEqual({ route: route.path, status: 404 });
      for (const target of targets) {
        const foreign = await call(client, route, target);
        expect({ route: route.path, ...comparable(foreign) }).toEqual({
          route: route.path,
          ...comparable(absent),
        });
        await expectEvent(route, foreign, target.toLowerCase(), kind);
      }
    }
    expect(await digestRows(world.admin, victim.organizationId)).toEqual(before);
  });

  it.each(['client', 'api_key'] as const)('shows a %s nothing of it in a list or a sum', async (kind) => {
    const client = new Client(world.baseUrl, kind === 'client' ? intruder.accessToken : intruder.apiKey);
    const list = await client.get<{ items: { exam_id: string }[] }>('/api/v1/exams?limit=100');
    expect(list.body.items.map(({ exam_id }) => exam_id).sort()).toEqual(
      [intruder.examId, intruder.openExamId].sort(),
    );
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
    const cursor = Buffer.from(JSON.stringify([new Date(Date.now() + 60_000).toISOString(), newId()]));
    const client = new Client(world.baseUrl, intruder.apiKey);
    const page = await client.get<{ items: { exam_id: string }[] }>(
      `/api/v1/exams?cursor=${cursor.toString('base64url')}`,
    );
    expect(page.body.items).toHaveLength(2);
    expect(page.text).not.toContain(victim.examId);
  });

  /** Open routes are asked through the intruder's own share link. */
  const routesWithId = (): Route[] => world.api.routes.filter(({ path }) => path.includes(':id'));

  const call = (client: Client, route: Route, id: string): Promise<Answer> => {
    const path = route.path.replace(':id', id).replace(':token', intruder.shareToken);
    return client.call(
      route.method,
      path,
      route.path.endsWith('/share') && route.method === 'POST' ? {} : undefined,
    );
  };

  async function expectEvent(route: Route, answer: Answer, id: string, kind: string): Promise<void> {
    const { rows } = await world.admin.query(
      `SELECT organization_id, actor_kind, action, outcome, resource_id, detail FROM audit_event WHERE request_id = $1`,
      [answer.headers.get('x-request-id')],
    );
    expect(rows).toEqual([
      {
        organization_id: intruder.organizationId,
        actor_kind: route.public ? 'share_link' : kind,
        action: route.operation.name,
        outcome: 'failure',
        resource_id: id,
        detail: { status: 404, code: 'not_found' },
      },
    ]);
  }
});

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
    expect(tables.length).toBeGreaterThanOrEqual(16);
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
    expect(rows.length).toBeGreaterThanOrEqual(13);
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
