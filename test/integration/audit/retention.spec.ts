import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { LedgerOwner } from '../../../src/modules/audit/retention/ledger-owner.js';
import { monthNamed } from '../../../src/modules/audit/retention/month.js';
import type { Outcome } from '../../../src/modules/audit/retention/retirement.service.js';
import { retiredMonths } from '../../../src/modules/audit/retired.rows.js';
import { ourSealKeys } from '../../../src/modules/audit/seal.rows.js';
import { provenMonths } from '../../../src/modules/audit/verification/proven-months.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { asRetirementOperator } from '../../../src/operator.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { asOwner } from '../../../src/platform/database/owner-connection.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { Client, eventually } from '../../support/client.js';
import { asSuperuser, loseForms, putBack } from '../../support/tampered-ledger.js';
import { plantEventsAt } from '../../support/past-events.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(300_000);

const HOLDS = '/api/v1/audit/holds';
const MAY = monthNamed('2019-05')!;

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let other: Tenant;
let client: Client;
let adminUrl: string;

beforeAll(async () => {
  world = await createWorld({
    AUDIT_SEAL_INTERVAL_MS: '86400000',
    RECONCILE_INTERVAL_MS: '500',
    RATE_LIMIT_PER_MINUTE: '100000',
  });
  [tenant, other] = [await world.newTenant(), await world.newTenant()];
  client = new Client(world.baseUrl, tenant.apiKey);
  const url = new URL(process.env.TEST_ADMIN_URL!);
  url.pathname = new URL(world.environment.DATABASE_URL!).pathname;
  adminUrl = url.toString();
  await asOwner(adminUrl, (owner) => owner.query(`SELECT audit_ensure_partitions('2019-05-01', 1)`));
  worker = await world.startWorker();
  // It seals once as it starts. What is planted below is to be sealed by the tests alone.
  await eventually(
    () => world.admin.query('SELECT 1 FROM audit_seal'),
    ({ rows }) => rows.length > 0,
  );
}, 300_000);
afterAll(() => world.close());

const seal = () => worker.get(SealerService, { strict: false }).seal();
const times = (count: number) =>
  Array.from({ length: count }, (_, at) => new Date(MAY.from.getTime() + at * 3_600_000).toISOString());

const retire = (options: { requestExports?: boolean; month?: string } = {}): Promise<Outcome> =>
  asRetirementOperator(world.workerConfig, (retirement) =>
    asOwner(adminUrl, (owner) =>
      retirement.retire(new LedgerOwner(owner), monthNamed(options.month ?? MAY.name)!, {
        requestExports: options.requestExports ?? false,
      }),
    ),
  );
const drop = (): Promise<Outcome> =>
  asRetirementOperator(world.workerConfig, (retirement) =>
    asOwner(adminUrl, (owner) => retirement.drop(new LedgerOwner(owner), MAY, {})),
  );
const refusal = (doing: Promise<unknown>): Promise<string> =>
  doing.then(
    (done) => `done: ${JSON.stringify(done)}`,
    (error: Error) => `${error.name}: ${error.message}`,
  );
/** All that a refusal leaves as it was. */
const state = async () =>
  (
    await world.admin.query(
      `SELECT (SELECT relispartition FROM pg_class WHERE relname = 'audit_event_2019_05') AS attached,
              (SELECT count(*)::int FROM audit_retired) AS retired,
              (SELECT count(*)::int FROM audit_event WHERE action = 'audit:retired') AS told`,
    )
  ).rows[0] as object;
const UNTOUCHED = { attached: true, retired: 0, told: 0 };
const eventsOfMonth = async (path = `/api/v1/audit/verify`) =>
  (await client.post(path, { from: MAY.from.toISOString(), to: MAY.to.toISOString() })).body;

describe('a month', () => {
  it('stays while it is too young, has no partition, is not sealed, or has no export', async () => {
    const now = new Date().toISOString().slice(0, 7);
    expect(await refusal(retire({ month: now }))).toMatch(/^RetirementRefused: .*72 months/);
    expect(await refusal(retire({ month: '2018-01' }))).toMatch(/no partition of 2018-01/);
    await plantEventsAt(world.admin, tenant.organizationId, times(30));
    await plantEventsAt(world.admin, other.organizationId, times(5));
    const unsealed = await refusal(retire());
    expect(unsealed).toContain('not sealed yet:');
    for (const { organizationId } of [tenant, other]) expect(unsealed).toContain(organizationId);
    await seal();
    const missing = await refusal(retire());
    expect(missing).toContain('--request-exports');
    for (const { organizationId } of [tenant, other]) expect(missing).toContain(organizationId);
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('stays while an export lies in the bucket that is not what was made', async () => {
    const outcome = await retire({ requestExports: true });
    expect(outcome).toMatchObject({ state: 'waiting', requested: [{}, {}] });
    await eventually(
      async () => (await world.admin.query(`SELECT 1 FROM audit_export WHERE state = 'done'`)).rows.length,
      (done) => done === 2,
      200_000,
    );
    const storage = worker.get(StorageService, { strict: false });
    const { requested } = outcome as Extract<Outcome, { state: 'waiting' }>;
    const { organization, export: id } = requested.find(
      (each) => each.organization === tenant.organizationId,
    )!;
    const key = `exports/${organization}/audit/${id}.ndjson`;
    const bytes = Buffer.concat(await collect((await storage.read(key))!.bytes));
    for (const [forged, why] of [
      [Buffer.from(bytes.toString().replace('"count":1', '"count":2')), 'does not verify'],
      [bytes.subarray(0, bytes.indexOf('\n') + 1), 'does not verify'],
    ] as const) {
      await storage.writeBytes(key, forged);
      expect(await refusal(retire())).toContain(why);
    }
    await storage.delete([key]);
    expect(await refusal(retire())).toContain('the bucket has no');
    await storage.writeBytes(key, bytes);
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('stays under a hold that touches it, of any organization in it, placed in between as well', async () => {
    const elsewhere = await client.post(HOLDS, { reference: 'M-0', from: MAY.to.toISOString() });
    expect(elsewhere.status).toBe(201);
    const held = new Client(world.baseUrl, other.apiKey);
    const { id } = (await held.post(HOLDS, { reference: 'M-1', to: '2019-05-02T00:00:00Z' })).body;
    expect(await refusal(retire())).toMatch(new RegExp(`hold keeps 2019-05:\n +${other.organizationId}`));
    // After all was looked at: the function itself refuses, whoever calls it and whatever they say.
    const exports = await exportsOfMonth();
    const calling = asOwner(adminUrl, (owner) => new LedgerOwner(owner).retire(MAY, exports, new Date()));
    expect(await refusal(calling)).toContain('A legal hold keeps that month');
    await held.post(`${HOLDS}/${id}/release`);
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('stays, for the owner of the tables too, without exports of exactly its events', async () => {
    const exports = await exportsOfMonth();
    for (const given of [[], exports.slice(1), exports.map((each) => ({ ...each, events: each.events - 1 }))])
      expect(
        await refusal(asOwner(adminUrl, (owner) => new LedgerOwner(owner).retire(MAY, given, new Date()))),
      ).toContain('No verified export');
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('is all there or all gone when the operator dies on the way', async () => {
    const exports = await exportsOfMonth();
    await asOwner(adminUrl, async (owner) => {
      await owner.query('BEGIN');
      await new LedgerOwner(owner).retire(MAY, exports, new Date());
      await owner.query('ROLLBACK'); // as the server does for a connection that is lost
    });
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('leaves the ledger with its exports, its record and its event, once', async () => {
    const before = await eventsOfMonth();
    expect(before).toMatchObject({ valid: true, events: 30, retired: 0 });
    expect((await treesWithForms()).ofMay).toBeGreaterThan(0);
    expect(await retire()).toEqual({ state: 'retired', month: '2019-05', organizations: 2, events: 35 });
    expect(await retire()).toEqual({ state: 'retired', month: '2019-05', organizations: 2, events: 35 });
    expect(await state()).toEqual({ attached: false, retired: 2, told: 2 });
    const { rows } = await world.admin.query(
      `SELECT e.actor_id, e.resource_id = r.export_id::text AS same, e.detail, r.events::int,
              (r.last_position - r.first_position + 1)::int AS positions
       FROM audit_retired r JOIN audit_event e USING (organization_id)
       WHERE r.organization_id = $1 AND e.action = 'audit:retired'`,
      [tenant.organizationId],
    );
    expect(rows).toMatchObject([
      {
        actor_id: 'operator',
        same: true,
        detail: { month: '2019-05', events: 30 },
        events: 30,
        positions: 30,
      },
    ]);
  });

  it('counts as retired in a verification, not as removed; a record without its event hides nothing', async () => {
    await seal();
    expect(await eventsOfMonth()).toMatchObject({ valid: true, events: 0, retired: 30 });
    const database = worker.get(DatabaseService, { strict: false });
    const months = () =>
      database.withOrganizationSql(tenant.organizationId, (tx) => retiredMonths(tx, tenant.organizationId));
    expect(await months()).toMatchObject([{ from: MAY.from, to: MAY.to, events: 30 }]);
    await world.admin.query(
      `INSERT INTO audit_retired
       SELECT organization_id, forged.month, export_id, export_key, manifest_key, manifest_sha256, 1, 1, 1, forged.at
       FROM audit_retired, (VALUES (date '2019-06-01', now()), ('2019-07-01', '2019-06-15')) AS forged(month, at)
       WHERE organization_id = $1`, // the second as if its event had gone with the first
      [tenant.organizationId],
    );
    expect(await months()).toHaveLength(1);
  });

  it('is proven by its export alone: neither rows, nor events, nor times make what was removed look retired', async () => {
    const storage = worker.get(StorageService, { strict: false });
    const { manifestKey } = (await exportsOfRetired()).find(
      ({ organizationId }) => organizationId === tenant.organizationId,
    )!;
    const manifest = Buffer.concat(await collect((await storage.read(manifestKey))!.bytes));
    const [line, ...others] = manifest.toString().split('\n');
    for (const forged of [undefined, line!.replace(/"rows":\d+/, '"rows":31'), others.join('\n'), '{}']) {
      if (forged === undefined) await storage.delete([manifestKey]);
      else await storage.writeBytes(manifestKey, Buffer.from(forged));
      expect({ forged, ...(await eventsOfMonth()) }).toMatchObject({
        forged,
        valid: false,
        first_bad: { why: expect.stringMatching(/^removed: .*no export in the bucket proves/) },
      });
    }
    await storage.writeBytes(manifestKey, manifest);
    expect(await eventsOfMonth()).toMatchObject({ valid: true, retired: 30 });
    const { exportKey } = (await exportsOfRetired()).find(
      ({ organizationId }) => organizationId === tenant.organizationId,
    )!;
    const file = Buffer.concat(await collect((await storage.read(exportKey))!.bytes));
    for (const left of [undefined, file.subarray(1)]) {
      if (left) await storage.writeBytes(exportKey, left);
      else await storage.delete([exportKey]);
      expect(await eventsOfMonth()).toMatchObject({ valid: false });
    }
    await storage.writeBytes(exportKey, file);
    expect(await eventsOfMonth()).toMatchObject({ valid: true, retired: 30 });

    const [newest] = (
      await world.admin.query<{ first: string; id: string; at: Date }>(
        `SELECT first_position AS first, event_ids[1]::text AS id, event_times[1] AS at FROM audit_tree
         WHERE organization_id = $1 ORDER BY first_position DESC LIMIT 1`,
        [tenant.organizationId],
      )
    ).rows;
    const month = `to_char($3::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM')`;
    for (const hide of [
      // As if the month of it had been retired, with its event.
      `WITH forged AS (
         INSERT INTO audit_retired SELECT organization_id, (${month} || '-01')::date, export_id, export_key, manifest_key,
           manifest_sha256, 1, 1, 1, now() FROM audit_retired WHERE organization_id = $1 AND month = '2019-05-01' RETURNING *)
       INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id, scopes, detail)
       SELECT gen_random_uuid(), retired_at, organization_id, 'system', 'operator', 'audit:retired', 'success', 'AuditExport', export_id, '{}',
         jsonb_build_object('month', ${month}, 'tree', $2::bigint) FROM forged`,
      // As if it had been of the month that was.
      `UPDATE audit_tree SET event_times[1] = '2019-05-31', first_time = '2019-05-31'
       WHERE organization_id = $1 AND first_position = $2 AND $3::timestamptz IS NOT NULL`,
    ])
      await putBack(world.admin, async () => {
        await asSuperuser(world.admin, async (owner) => {
          await owner.query(hide, [tenant.organizationId, newest!.first, newest!.at]);
          await owner.query('DELETE FROM audit_event WHERE id = $1', [newest!.id]);
        });
        const found = (await client.post('/api/v1/audit/verify', {})).body;
        expect(found).toMatchObject({ valid: false });
        await asSuperuser(world.admin, (owner) =>
          owner.query(`DELETE FROM audit_retired WHERE month > '2019-07-01'`),
        );
      });
    expect(await eventsOfMonth()).toMatchObject({ valid: true, retired: 30 });
  });

  it('is not proven by an export of more than it, whatever is put into it', async () => {
    await Promise.all(Array.from({ length: 5 }, () => client.get('/api/v1/exams')));
    await seal();
    const since = { format: 'ndjson', from: MAY.to.toISOString() };
    const exported = async () => {
      const { id } = (await client.post('/api/v1/audit/exports', since)).body;
      const { body } = await eventually(
        () => client.get(`/api/v1/audit/exports/${id}`),
        (answer) => ['done', 'failed'].includes(answer.body.state),
      );
      return body;
    };
    const { id: wide } = await exported(); // of August and everything since, of which August has nothing
    const { rows } = await world.admin.query<{ first: string; id: string }>(
      `SELECT first_position AS first, event_ids[3]::text AS id FROM audit_tree
       WHERE organization_id = $1 AND size > 4 AND event_times[1] > '2020-01-01' ORDER BY first_position DESC LIMIT 1`,
      [tenant.organizationId],
    );
    const [{ first, id } = { first: '', id: '' }] = rows;
    expect(id).not.toBe('');
    // Of an event that is sealed like any other.
    await world.admin.query(
      `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                                scopes, detail)
       VALUES (gen_random_uuid(), date_trunc('milliseconds', now()), $1, 'system', 'operator', 'audit:retired', 'success',
               'AuditExport', $2, '{}', '{"month": "2019-08"}')`,
      [tenant.organizationId, wide],
    );
    await seal();
    const both = 'event_times[3] = $3, first_time = $3';
    // Into a month without events; into one that was retired; and there in the place of one that is moved out of it.
    const forgeries = [
      ['2019-08-15', 'event_times[3] = $3', false],
      ['2019-08-15', both, false],
      ['2019-05-15', 'event_times[3] = $3', false],
      ['2019-05-15', both, false],
      ['2019-05-15', both, true],
    ] as const;
    for (const [time, found, swapped] of forgeries)
      await putBack(world.admin, async () => {
        await asSuperuser(world.admin, async (owner) => {
          await owner.query(
            `INSERT INTO audit_retired (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events,
                                        first_position, last_position, retired_at)
             SELECT organization_id, '2019-08-01', id, 'k', 'm', manifest_sha256, 1, 1, 1,
                    (SELECT occurred_at FROM audit_event WHERE resource_id = $1::text AND action = 'audit:retired')
             FROM audit_export WHERE id = $1::uuid`,
            [wide],
          );
          await owner.query(
            `UPDATE audit_tree SET ${found} WHERE organization_id = $1 AND first_position = $2`,
            [tenant.organizationId, first, time],
          );
          if (swapped)
            await owner.query(
              `UPDATE audit_tree SET event_times[1] = '2018-01-01', first_time = '2018-01-01'
               WHERE organization_id = $1 AND event_times[2] BETWEEN '2019-05-01' AND '2019-05-31'`,
              [tenant.organizationId],
            );
          await owner.query('DELETE FROM audit_event WHERE id = $1', [id]);
          await loseForms(owner, tenant.organizationId);
        });
        const database = worker.get(DatabaseService, { strict: false });
        expect(
          await database.withOrganizationSql(tenant.organizationId, (tx) =>
            retiredMonths(tx, tenant.organizationId),
          ),
        ).toHaveLength(2); // or the attack would not be one
        if (swapped) {
          const [keys, told] = await database.withOrganizationSql(tenant.organizationId, async (tx) => [
            await ourSealKeys(tx, world.workerConfig.SCANDOCK_MASTER_KEY),
            await retiredMonths(tx, tenant.organizationId),
          ]);
          const sources = { database, storage: worker.get(StorageService, { strict: false }) };
          expect(await provenMonths(sources, keys, tenant.organizationId, told)).toEqual([]);
        }
        const { body } = await client.post('/api/v1/audit/verify', {});
        expect({ time, found, valid: body.valid }).toEqual({ time, found, valid: false });
        await world.admin.query('UPDATE audit_export SET finished_at = now() WHERE finished_at IS NULL');
        since.from = '2019-09-01T00:00:00.000Z'; // past both
        expect(await exported()).toMatchObject({ state: 'failed', failure: 'ledger_damaged' });
        since.from = MAY.to.toISOString();
        await asSuperuser(world.admin, (owner) =>
          owner.query(`DELETE FROM audit_retired WHERE month = '2019-08-01'`),
        );
      });
    expect(await eventsOfMonth()).toMatchObject({ valid: true, retired: 30 });
  });

  it('is missing from reports, which say so', async () => {
    const opened = await client.post('/api/v1/admin/cases', { patient: { email: 'jane@patients.example' } });
    for (const report of ['access', 'disclosures']) {
      const asked = await client.post(`/api/v1/audit/reports/${report}`, {
        type: 'case',
        id: opened.body.id,
      });
      expect(asked).toMatchObject({ status: 200, body: { complete_since: MAY.to.toISOString() } });
    }
  });

  it('is not exported any more, in part either', async () => {
    const asked = (body: object) => client.post('/api/v1/audit/exports', { format: 'ndjson', ...body });
    for (const body of [{}, { to: '2019-05-02T00:00:00Z' }, { from: '2019-05-31T00:00:00Z' }])
      expect(await asked(body)).toMatchObject({ status: 409, body: { code: 'month_retired' } });
    // One that was asked for before, and comes to its turn now: no damage, and no file without it.
    const { rows: waiting } = await world.admin.query<{ id: string }>(
      `INSERT INTO audit_export (organization_id, id, format, filters, state, requested_by_kind, requested_by_id, created_at, progressed_at)
       VALUES ($1, gen_random_uuid(), 'ndjson', '{}', 'queued', 'client', $1, now(), '1970-01-01') RETURNING id`,
      [tenant.organizationId],
    );
    const ended = await eventually(
      () => client.get(`/api/v1/audit/exports/${waiting[0]!.id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
    );
    expect(ended.body).toMatchObject({ state: 'failed', failure: 'month_retired' });
    expect(ended.body).not.toHaveProperty('first_bad');

    const later = await asked({ from: MAY.to.toISOString() });
    expect(later.status).toBe(202);
    // Of a tree that has events of both, what is left is in their rows.
    const { body } = await eventually(
      () => client.get(`/api/v1/audit/exports/${later.body.id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
    );
    expect(body).toMatchObject({ state: 'done', complete: true });
    expect(body.rows).toBeGreaterThan(0);
  });

  it('leaves no forms of its events, and those of others', async () => {
    expect(await treesWithForms()).toEqual({ ofMay: 0, others: expect.any(Number) });
    expect((await treesWithForms()).others).toBeGreaterThan(0);
  });

  it('leaves a table that nobody of the application sees, and nobody changes', async () => {
    for (const role of ['scandock_app', 'scandock_worker']) {
      const connection = await world.admin.connect();
      await connection.query(`SET ROLE ${role}`);
      await expect(connection.query('SELECT 1 FROM audit_event_2019_05')).rejects.toMatchObject({
        code: '42501',
      });
      await connection.query('RESET ROLE');
      connection.release();
    }
    for (const sql of [
      `UPDATE audit_event_2019_05 SET action = 'x'`,
      'DELETE FROM audit_event_2019_05',
      'TRUNCATE audit_event_2019_05',
      'INSERT INTO audit_event_2019_05 SELECT * FROM audit_event_2019_05',
    ])
      await expect(world.admin.query(sql)).rejects.toMatchObject({ code: '42501' });
    const { rows } = await world.admin.query(
      `SELECT relrowsecurity AND relforcerowsecurity AS held FROM pg_class WHERE relname = 'audit_event_2019_05'`,
    );
    expect(rows).toEqual([{ held: true }]);
  });

  it('is dropped by a second step, when no hold is on it and every export is still good', async () => {
    const { id } = (await client.post(HOLDS, { reference: 'M-2' })).body;
    expect(await refusal(drop())).toContain('A legal hold keeps 2019-05');
    await client.post(`${HOLDS}/${id}/release`);
    const { exportKey } = (await exportsOfRetired())[0]!;
    const storage = worker.get(StorageService, { strict: false });
    const bytes = Buffer.concat(await collect((await storage.read(exportKey))!.bytes));
    await storage.delete([exportKey]);
    expect(await refusal(drop())).toContain('the bucket has no');
    await storage.writeBytes(exportKey, bytes);
    expect(await drop()).toEqual({ state: 'dropped', month: '2019-05', organizations: 2, events: 35 });
    expect(await refusal(drop())).toContain('2019-05 has no table');
    expect(await retire()).toMatchObject({ state: 'retired', events: 35 });
    await seal();
    expect(await eventsOfMonth()).toMatchObject({ valid: true, retired: 30 });
    const { rows } = await world.admin.query(
      `SELECT count(*)::int AS told FROM audit_event WHERE action = 'audit:dropped'`,
    );
    expect(rows).toEqual([{ told: 2 }]);
  });
});

async function treesWithForms(): Promise<{ ofMay: number; others: number }> {
  const { rows } = await world.admin.query(
    `SELECT count(*) FILTER (WHERE t.first_time < $1)::int AS "ofMay", count(*) FILTER (WHERE t.first_time >= $1)::int AS others
     FROM audit_tree t JOIN audit_forms f ON f.organization_id = t.organization_id AND f.first_position = t.first_position`,
    [MAY.to],
  );
  return rows[0];
}

const exportsOfRetired = () => asOwner(adminUrl, (owner) => new LedgerOwner(owner).keptOf(MAY));

async function exportsOfMonth() {
  const { rows } = await world.admin.query<{ organization_id: string; id: string; manifest_sha256: Buffer }>(
    `SELECT organization_id, id, manifest_sha256 FROM audit_export WHERE state = 'done' AND requested_by_kind = 'system'
     ORDER BY organization_id`,
  );
  return rows.map(({ organization_id, id, manifest_sha256 }) => ({
    organizationId: organization_id,
    exportId: id,
    exportKey: `exports/${organization_id}/audit/${id}.ndjson`,
    manifestKey: `exports/${organization_id}/audit/${id}.manifest.ndjson`,
    manifestSha256: manifest_sha256,
    events: organization_id === tenant.organizationId ? 30 : 5,
  }));
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return chunks;
}
