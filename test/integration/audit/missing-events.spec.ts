import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { canonicalForm } from '../../../src/modules/audit/audit.canonical.js';
import { AuditService } from '../../../src/modules/audit/audit.service.js';
import { eventsNamed } from '../../../src/modules/audit/ledger.rows.js';
import { missingEvent, missingForm } from '../../../src/modules/audit/missing-event.js';
import { LedgerOwner } from '../../../src/modules/audit/retention/ledger-owner.js';
import { type Month, monthNamed } from '../../../src/modules/audit/retention/month.js';
import { eventLeaf } from '../../../src/modules/audit/seal.js';
import { verifyExport } from '../../../src/modules/audit/verification/export-verifier.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { asRetirementOperator } from '../../../src/operator.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { asOwner } from '../../../src/platform/database/owner-connection.js';
import { Client, eventually } from '../../support/client.js';
import { sealKeys } from '../../support/exported.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser, loseForms } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(120_000);

const EXPORTS = '/api/v1/audit/exports';
const GONE = 'removed: What was sealed here is gone. It was gone before it was sealed.';
/** A month with a table of its own, which is to be retired, and another one. */
const [JUNE, JULY] = [monthNamed('2019-06')!, monthNamed('2019-07')!];
const hoursOf = ({ from }: Month) =>
  Array.from({ length: 5 }, (_, hour) => new Date(from.getTime() + hour * 3_600_000));

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let client: Client;
let adminUrl: string;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '300' });
  const url = new URL(process.env.TEST_ADMIN_URL!);
  url.pathname = new URL(world.environment.DATABASE_URL!).pathname;
  adminUrl = url.toString();
  await asOwner(adminUrl, (owner) => owner.query(`SELECT audit_ensure_partitions('2019-06-01', 1)`));
  worker = await world.startWorker();
}, 60_000);
beforeEach(async () => {
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

const seal = () => worker.get(SealerService, { strict: false }).seal();

/** Five events of a month, of which `lose` takes the third before they are sealed. */
async function sealedWithout(
  lose: (id: string) => [sql: string, values: unknown[]],
  month = JULY,
): Promise<string[]> {
  const ids = await plantEventsAt(
    world.admin,
    tenant.organizationId,
    hoursOf(month).map((time) => time.toISOString()),
  );
  await asSuperuser(world.admin, (admin) => admin.query(...lose(ids[2]!)));
  await seal();
  return ids;
}
const remove = (id: string): [string, unknown[]] => ['DELETE FROM audit_event WHERE id = $1', [id]];

/** Position and leaf of an event in its tree. */
async function sealedAs(id: string): Promise<{ position: number; leaf: Buffer }> {
  const { rows } = await world.admin.query<{ position: number; leaf: Buffer }>(
    `SELECT (t.first_position + u.at - 1)::int AS position, substring(t.leaves FROM (32 * (u.at - 1) + 1)::int FOR 32) AS leaf
     FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_ids) WITH ORDINALITY AS u(id, at)
     WHERE t.organization_id = $1 AND u.id = $2`,
    [tenant.organizationId, id],
  );
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

const intervalOf = ({ from, to }: Month) => ({ from: from.toISOString(), to: to.toISOString() });
const verification = async (month = JULY) =>
  (await client.post('/api/v1/audit/verify', intervalOf(month))).body;

async function exported(
  format: string,
): Promise<{ told: Record<string, unknown>; file: string; manifest: string }> {
  const { id } = (await client.post(EXPORTS, { format, ...intervalOf(JULY) })).body;
  const { body } = await eventually(
    () => client.get(`${EXPORTS}/${id}`),
    ({ body: { state } }) => state === 'done' || state === 'failed',
  );
  expect(body).toMatchObject({ state: 'done', rows: 5 });
  const [file, manifest] = await Promise.all(
    [body.download_url, body.manifest_url].map(async (url) => (await fetch(url)).text()),
  );
  return { told: body, file: file!, manifest: manifest! };
}

const verified = async (file: string, manifest: string) =>
  verifyExport(
    { events: Readable.from([Buffer.from(file)]), manifest: Readable.from([Buffer.from(manifest)]) },
    await sealKeys(world),
  );

it('an event that is gone when its seal comes is sealed as that, and stands in the ledger as that', async () => {
  const ids = await sealedWithout(remove);
  const name = { id: ids[2]!, occurredAt: hoursOf(JULY)[2]! };
  const { position, leaf } = await sealedAs(name.id);
  expect(leaf).toEqual(eventLeaf(missingForm(tenant.organizationId, name)));
  const database = worker.get(DatabaseService, { strict: false });
  const found = await database.withOrganizationSql(tenant.organizationId, (tx) =>
    eventsNamed(tx, tenant.organizationId, [name]),
  );
  expect(found.get(name.id)).toEqual(missingEvent(tenant.organizationId, name));
  expect((await client.get('/api/v1/audit/events?action=audit:missing-event')).body.items).toMatchObject([
    {
      id: name.id,
      time: hoursOf(JULY)[2]!.toISOString(),
      outcome: 'failure',
      resource: { type: 'AuditEvent', id: name.id },
    },
  ]);
  await seal(); // it does not wait for another one
  expect((await sealedAs(name.id)).position).toBe(position);
  expect(await verification()).toMatchObject({
    valid: false,
    first_bad: { seq: position, id: name.id, why: GONE },
  });
  await asSuperuser(world.admin, (admin) => admin.query(...remove(name.id)));
  expect(await verification()).toMatchObject({
    valid: false,
    first_bad: { seq: position, id: name.id, why: GONE },
  });
});

it('nobody but the sealer writes such an event', async () => {
  const { organizationId } = tenant;
  const event = { organizationId, actor: { kind: 'system' }, outcome: 'success' } as const;
  const audit = world.api.app.get(AuditService, { strict: false });
  await expect(audit.append({ ...event, action: 'audit:missing-event' })).rejects.toThrow();
  const written = (action: string) =>
    world.api.app.get(DatabaseService, { strict: false }).withOrganizationSql(
      organizationId,
      (tx) => tx.$executeRaw`
        INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, scopes, detail)
        VALUES (${newId()}::uuid, now(), ${organizationId}::uuid, 'system', 'x', ${action}::text, 'failure', '{}', '{}')`,
    );
  expect(await written('audit:missing-events')).toBe(1);
  await expect(written('audit:missing-event')).rejects.toMatchObject({ code: '42501' });
  await seal();
  expect((await client.post('/api/v1/audit/verify', {})).body).toMatchObject({ valid: true, missing: 0 });
});

it('two events of one id, at two times, are sealed each as what it is', async () => {
  const { organizationId } = tenant;
  const id = newId();
  const times = hoursOf(JULY).slice(0, 2);
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, scopes, detail)
     SELECT $2, e.at, $1, 'system', 'worker', 'test:' || e.nth, 'success', '{}', '{}'
     FROM unnest($3::timestamptz[]) WITH ORDINALITY AS e(at, nth)`,
    [organizationId, id, times],
  );
  await seal();
  const { rows } = await world.admin.query<{ leaves: Buffer; ids: string[] }>(
    `SELECT leaves, event_ids::text[] AS ids FROM audit_tree WHERE organization_id = $1 ORDER BY first_position LIMIT 1`,
    [organizationId],
  );
  const [{ leaves, ids }] = rows as [{ leaves: Buffer; ids: string[] }];
  const database = worker.get(DatabaseService, { strict: false });
  const found = await database.withOrganizationSql(organizationId, (tx) =>
    eventsNamed(
      tx,
      organizationId,
      times.map((occurredAt) => ({ id, occurredAt })),
    ),
  );
  expect(ids.slice(0, 2)).toEqual([id, id]);
  for (const [index, time] of times.entries()) {
    const event = found.get(id, time)!;
    expect(event).toMatchObject({ occurredAt: time, action: `test:${index + 1}` });
    expect(leaves.subarray(32 * index, 32 * (index + 1))).toEqual(eventLeaf(canonicalForm(event)));
  }
});

it.each([
  [
    'taken to another organization',
    (id: string) => ['UPDATE audit_event SET organization_id = gen_random_uuid() WHERE id = $1', [id]],
  ],
  [
    'one that nobody can write',
    (id: string) => [
      `UPDATE audit_event SET detail = (repeat('[', 5000) || repeat(']', 5000))::jsonb WHERE id = $1`,
      [id],
    ],
  ],
] as [string, (id: string) => [string, unknown[]]][])(
  'an event that was %s is sealed as missing, and keeps no other from its seal',
  async (_, lose) => {
    const ids = await sealedWithout(lose);
    const name = { id: ids[2]!, occurredAt: hoursOf(JULY)[2]! };
    const { position, leaf } = await sealedAs(name.id);
    expect(leaf).toEqual(eventLeaf(missingForm(tenant.organizationId, name)));
    for (const id of ids) expect((await sealedAs(id)).position).toBe(position + ids.indexOf(id) - 2);
    expect(await verification()).toMatchObject({ valid: false, first_bad: { seq: position, id: name.id } });
    const { file, manifest } = await exported('ndjson');
    expect(await verified(file, manifest)).toMatchObject({ valid: false, as_sealed: true, missing: 1 });
  },
);

it.each([
  ['as it was kept', () => Promise.resolve()],
  ['made of the rows', () => asSuperuser(world.admin, (admin) => loseForms(admin, tenant.organizationId))],
  [
    'made of the rows that are left',
    () =>
      asSuperuser(world.admin, async (admin) => {
        await loseForms(admin, tenant.organizationId);
        await admin.query(`DELETE FROM audit_event WHERE action = 'audit:missing-event'`);
      }),
  ],
])('an export over it is made, %s, and says where it is', async (_, tamper) => {
  const ids = await sealedWithout(remove);
  const { position } = await sealedAs(ids[2]!);
  await tamper();
  const { file, manifest } = await exported('ndjson');
  const lines = file.split(/(?<=\n)/);
  const missing = { id: ids[2]!, occurredAt: hoursOf(JULY)[2]! };
  expect(lines[2]).toBe(`${canonicalForm(missingEvent(tenant.organizationId, missing))}\n`);
  const gap = { seq: position, id: ids[2], line: 3, why: GONE };
  expect(await verified(file, manifest)).toMatchObject({
    valid: false,
    as_sealed: true,
    events: 4,
    missing: 1,
    first_bad: gap,
  });
  // Something worse than that comes first, wherever it is.
  const altered = lines.with(4, lines[4]!.replace('"success"', '"failure"')).join('');
  expect(await verified(altered, manifest)).toMatchObject({
    valid: false,
    as_sealed: false,
    first_bad: { seq: position + 2, why: expect.stringMatching(/^altered/) },
  });
  // Nor can it be left out, or put where there is none.
  for (const forged of [lines.toSpliced(2, 1), lines.toSpliced(3, 0, lines[2]!)])
    expect(await verified(forged.join(''), manifest)).toMatchObject({ as_sealed: false });
});

it('what is behind it is looked at as well', async () => {
  const ids = await sealedWithout(remove);
  const { position } = await sealedAs(ids[2]!);
  expect(await verification()).toMatchObject({
    valid: false,
    events: 4,
    missing: 1,
    first_bad: { seq: position },
  });
  await asSuperuser(world.admin, (admin) =>
    admin.query(`UPDATE audit_event SET outcome = 'failure' WHERE id = $1`, [ids[4]]),
  );
  expect(await verification()).toMatchObject({
    first_bad: { seq: position + 2, why: expect.stringMatching(/^altered/) },
  });
});

it.each(['infinity', '-infinity', '12000-01-01'])('an event of %s there is none', async (time) => {
  const written = plantEventsAt(world.admin, tenant.organizationId, [time]);
  await expect(written).rejects.toMatchObject({ code: '23514' });
});

it.each(['csv', 'fhir', 'dicom'])('exports as %s have it as well', async (format) => {
  await sealedWithout(remove);
  const { file, manifest } = await exported(format);
  expect(file).toContain('missing-event');
  expect(await verified(file, manifest)).toMatchObject({ valid: true, as_sealed: true });
});

it('its month can be retired', async () => {
  await sealedWithout(remove, JUNE);
  const retire = (requestExports: boolean) =>
    asRetirementOperator(world.workerConfig, (retirement) =>
      asOwner(adminUrl, (owner) => retirement.retire(new LedgerOwner(owner), JUNE, { requestExports })),
    );
  await retire(true);
  const outcome = await eventually(
    () => retire(false).catch((error: Error) => ({ state: error.message })),
    ({ state }) => state === 'retired',
    60_000,
  );
  expect(outcome).toMatchObject({ state: 'retired' });
  await seal();
  // As visible as before.
  const gone = { valid: false, events: 0, retired: 4, missing: 1, first_bad: { why: GONE } };
  expect(await verification(JUNE)).toMatchObject(gone);
});
