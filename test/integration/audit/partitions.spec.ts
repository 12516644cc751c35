import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { insertMissing } from '../../../src/modules/audit/seal.rows.js';
import { Partitions } from '../../../src/modules/audit/worker/partitions.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { metrics } from '../../../src/platform/health/metrics.js';
import { tablesWithoutRowSecurity, tablesWithoutTheirPolicy } from '../../contract/tenancy-checks.js';
import { MovableClock } from '../../support/incarnation.js';
import { asOwner } from '../../../src/platform/database/owner-connection.js';
import { plantEventsAt } from '../../support/past-events.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let other: Tenant;
let adminUrl: string;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '86400000' });
  worker = await world.startWorker();
  [tenant, other] = [await world.newTenant(), await world.newTenant()];
  const url = new URL(process.env.TEST_ADMIN_URL!);
  url.pathname = new URL(world.environment.DATABASE_URL!).pathname;
  adminUrl = url.toString();
}, 60_000);
afterAll(() => world.close());

/** The owner of the tables is no superuser, and bound by row-level security. */
const byOwner = (sql: string): Promise<object[]> =>
  asOwner(adminUrl, async (owner) => (await owner.query<object>(sql)).rows);

const month = (ahead: number): string => {
  const day = new Date();
  return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + ahead, 1)).toISOString().slice(0, 7);
};
const partitions = async (): Promise<string[]> =>
  (
    await world.admin.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_event'::regclass ORDER BY 1`,
    )
  ).rows.map(({ name }) => name);
const nameOf = (of: string) => `audit_event_${of.replace('-', '_')}`;
const rowsIn = async (table: string): Promise<number> =>
  (await world.admin.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM "${table}"`)).rows[0]!.rows;
const waiting = async (): Promise<number> => rowsIn('audit_unsealed');

/** As the sealer does: what nobody else may write. */
const insertMissingAt = (time: string) =>
  worker
    .get(DatabaseService, { strict: false })
    .withOrganizationSql(other.organizationId, (tx) =>
      insertMissing(tx, other.organizationId, [{ id: newId(), occurredAt: new Date(time) }]),
    );

describe('partitions', () => {
  it('are there for this month and three more, made by the worker, each with its defences', async () => {
    const wanted = [0, 1, 2, 3].map((ahead) => nameOf(month(ahead)));
    await byOwner(`SELECT audit_ensure_partitions((now() + interval '4 months')::date, 3)`);
    const all = [...wanted, ...[4, 5, 6, 7].map((ahead) => nameOf(month(ahead)))];
    expect(await partitions()).toEqual(['audit_event_default', ...all].sort());
    expect(await tablesWithoutRowSecurity(world.admin)).toEqual([]);
    expect(await tablesWithoutTheirPolicy(world.admin)).toEqual([]);
    const future = `${month(6)}-15T12:00:00.000Z`;
    const [id] = await plantEventsAt(world.admin, tenant.organizationId, [future]);
    // Queued for its seal, and not to be changed, removed or truncated by its owner, there as in any other.
    const { rows } = await world.admin.query('SELECT 1 FROM audit_unsealed WHERE event_id = $1', [id]);
    expect(rows).toHaveLength(1);
    for (const sql of [
      `UPDATE ${nameOf(month(6))} SET action = 'x'`,
      `DELETE FROM ${nameOf(month(6))}`,
      `TRUNCATE ${nameOf(month(6))}`,
    ])
      await expect(world.admin.query(sql)).rejects.toMatchObject({ code: '42501' });
    const bounds = await world.admin.query<{ bound: string }>(
      `SELECT pg_get_expr(relpartbound, oid) AS bound FROM pg_class WHERE relname = $1`,
      [nameOf(month(6))],
    );
    expect(bounds.rows[0]!.bound).toContain(`${month(6)}-01 00:00:00+00`);
  });

  it('are made three months ahead by a chore of the worker', async () => {
    const clock = new MovableClock();
    clock.travel(2 * 366 * 86_400_000);
    await new Partitions(worker.get(DatabaseService, { strict: false }), clock).run();
    const now = clock.now();
    const made = [0, 1, 2, 3].map((ahead) =>
      nameOf(
        new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1)).toISOString().slice(0, 7),
      ),
    );
    expect(await partitions()).toEqual(expect.arrayContaining(made));
    expect(worker.get(Partitions, { strict: false })).toBeInstanceOf(Partitions);
  });
});

describe('events that no partition took', () => {
  const stray = ['1999-03-01T00:00:00.000Z', '1999-03-31T23:59:59.999Z', '1999-04-01T00:00:00.000Z'];

  it('are told of by a metric', async () => {
    const gauge = async () =>
      (await metrics.getSingleMetric('scandock_audit_default_partition_rows')!.get()).values[0]!.value;
    const clock = new MovableClock();
    const chore = new Partitions(worker.get(DatabaseService, { strict: false }), clock);
    await chore.run();
    expect(await gauge()).toBe(0);
    await plantEventsAt(world.admin, tenant.organizationId, stray);
    await plantEventsAt(world.admin, other.organizationId, stray.slice(0, 1));
    expect(await rowsIn('audit_event_default')).toBe(4);
    await chore.run();
    expect(await gauge()).toBe(0); // once a minute
    clock.travel(60_000);
    await chore.run();
    expect(await gauge()).toBe(4);
  });

  it('are moved by the owner into their month, seals and all, with no defence ever off', async () => {
    await worker.get(SealerService, { strict: false }).seal();
    await plantEventsAt(world.admin, other.organizationId, ['1999-03-15T00:00:00.000Z']); // not sealed yet
    await insertMissingAt('1999-03-16T00:00:00.000Z');
    const before = await waiting();
    expect(await byOwner(`SELECT audit_adopt_month('1999-03-09')::int AS moved`)).toEqual([{ moved: 5 }]);
    expect(await rowsIn('audit_event_1999_03')).toBe(5);
    expect(await rowsIn('audit_event_default')).toBe(1);
    expect(await waiting()).toBe(before); // none was queued twice
    await expect(byOwner(`SELECT audit_adopt_month('1999-03-01')`)).rejects.toMatchObject({
      code: '55000',
    });
    await worker.get(SealerService, { strict: false }).seal();
    expect(await waiting()).toBe(0);

    for (const table of ['audit_event_1999_03', 'audit_event_default', 'audit_event'])
      for (const sql of [`UPDATE ${table} SET action = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table}`])
        await expect(world.admin.query(sql)).rejects.toMatchObject({ code: '42501' });
    expect(await tablesWithoutRowSecurity(world.admin)).toEqual([]);
    expect(await tablesWithoutTheirPolicy(world.admin)).toEqual([]);
    await plantEventsAt(world.admin, tenant.organizationId, ['1998-01-01T00:00:00.000Z']);
    expect(await rowsIn('audit_event_default')).toBe(2);
    const [counted] = (await world.admin.query('SELECT audit_default_records()::int AS records')).rows;
    expect(counted).toEqual({ records: 2 });
    const triggers = await world.admin.query<{ off: string }>(
      `SELECT tgname AS off FROM pg_trigger WHERE tgenabled <> 'O' AND NOT tgisinternal`,
    );
    expect(triggers.rows).toEqual([]);
  });

  it('stay where they are when the month has none to move', async () => {
    expect(await byOwner(`SELECT audit_adopt_month('1997-01-01')::int AS moved`)).toEqual([{ moved: 0 }]);
    expect(await rowsIn('audit_event_default')).toBe(2);
  });
});
