import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { canonicalForm } from '../../../src/modules/audit/audit.canonical.js';
import { eventsNamed } from '../../../src/modules/audit/ledger.rows.js';
import { eventLeaf } from '../../../src/modules/audit/seal.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { Client, eventually } from '../../support/client.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser } from '../../support/tampered-ledger.js';
import { createWorld, type World } from '../../support/world.js';

const EXPORTS = '/api/v1/audit/exports';

let world: World;
let worker: INestApplicationContext;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '300' });
  worker = await world.startWorker();
  // What binds a superuser no more than he likes.
  await world.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT audit_tree_whole');
  await world.admin.query('ALTER TABLE audit_event ALTER action DROP NOT NULL');
}, 60_000);
afterAll(() => world.close());

interface Ledger {
  admin: PoolClient;
  organization: string;
  /** Position of the first of nine events, three in each of three trees. */
  first: number;
  ids: string[];
}

const shorten = async ({ admin, organization, first, ids }: Ledger) => {
  await admin.query('DELETE FROM audit_event WHERE id = $1', [ids[5]]);
  await admin.query(
    `UPDATE audit_tree SET event_ids = event_ids[1:2], event_times = event_times[1:2]
     WHERE organization_id = $1 AND first_position = $2`,
    [organization, first + 3],
  );
};

const loseTree = async ({ admin, organization, first, ids }: Ledger) => {
  await admin.query('DELETE FROM audit_event WHERE id = ANY ($1)', [ids.slice(3, 6)]);
  await admin.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position = $2', [
    organization,
    first + 3,
  ]);
};

const blank = ({ admin, ids }: Ledger) =>
  admin.query('UPDATE audit_event SET action = NULL WHERE id = $1', [ids[4]]);

const nest = (admin: PoolClient, id: string) =>
  admin.query(
    `UPDATE audit_event SET detail = (repeat('[', 5000) || repeat(']', 5000))::jsonb WHERE id = $1`,
    [id],
  );

/** The event, its time in the tree and its leaf there, all of them fitting together. */
const redate = async ({ admin, organization, first, ids }: Ledger) => {
  const [id, occurredAt] = [ids[1]!, new Date('2020-01-01T00:00:00Z')];
  const tx = worker.get(DatabaseService, { strict: false });
  const before = await tx.withOrganizationSql(organization, async (sql) => {
    const [row] = await sql.$queryRaw<
      { at: Date }[]
    >`SELECT occurred_at AS at FROM audit_event WHERE id = ${id}::uuid`;
    return (await eventsNamed(sql, organization, [{ id, occurredAt: row!.at }])).get(id)!;
  });
  await admin.query('UPDATE audit_event SET occurred_at = $2 WHERE id = $1', [id, occurredAt]);
  await admin.query(
    `UPDATE audit_tree SET event_times[2] = $2, first_time = $2, leaves = overlay(leaves placing $3 from 33)
     WHERE organization_id = $1 AND first_position = $4`,
    [organization, occurredAt, eventLeaf(canonicalForm({ ...before, occurredAt })), first],
  );
};

it.each<[string, (ledger: Ledger) => Promise<unknown>, string, number]>([
  ['names fewer events than it was signed for', shorten, 'ledger_damaged', 3],
  ['is gone', loseTree, 'ledger_damaged', 3],
  ['has an event without an action', blank, 'ledger_damaged', 4],
  ['has an event that was re-dated, with its leaf', redate, 'ledger_damaged', 0],
])('a ledger of which a tree %s is not exported as if it were whole', async (_, tamper, failure, place) => {
  const tenant = await world.newTenant();
  const now = Date.now();
  const seal = () => worker.get(SealerService, { strict: false }).seal();
  await seal();
  const { rows } = await world.admin.query<{ first: number }>(
    'SELECT max(first_position + size)::int AS first FROM audit_tree WHERE organization_id = $1',
    [tenant.organizationId],
  );
  const { first } = rows[0]!;
  const ids: string[] = [];
  for (const minutes of [
    [60, 50, 40],
    [35, 30, 25],
    [20, 15, 10],
  ]) {
    const times = minutes.map((ago) => new Date(now - ago * 60_000).toISOString());
    ids.push(...(await plantEventsAt(world.admin, tenant.organizationId, times)));
    await seal();
  }
  await asSuperuser(world.admin, (admin) =>
    tamper({ admin, organization: tenant.organizationId, first, ids }),
  );
  const by = new Client(world.baseUrl, tenant.apiKey);
  const from = new Date(now - 2 * 3_600_000).toISOString();
  for (const format of ['ndjson', 'csv']) {
    const asked = await by.post(EXPORTS, { format, from });
    const { body } = await eventually(
      () => by.get(`${EXPORTS}/${asked.body.id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
    );
    expect(body).toMatchObject({ state: 'failed', failure, first_bad: { seq: first + place } });
  }
});

it('an event that nobody can write ends neither the worker nor the ledger', async () => {
  const tenant = await world.newTenant();
  const ids = await plantEventsAt(world.admin, tenant.organizationId, [
    '2026-11-01T00:00:00Z',
    '2026-11-01T00:00:01Z',
  ]);
  await worker.get(SealerService, { strict: false }).seal();
  await asSuperuser(world.admin, (admin) => nest(admin, ids[1]!));
  const by = new Client(world.baseUrl, tenant.apiKey);
  const asked = await by.post(EXPORTS, { format: 'ndjson' });
  await eventually(
    async () =>
      (await world.admin.query('SELECT failure FROM audit_export WHERE id = $1', [asked.body.id])).rows[0],
    ({ failure }) => failure === 'RangeError',
  );
});
