import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { canonicalForm } from '../../../src/modules/audit/audit.canonical.js';
import { eventsNamed } from '../../../src/modules/audit/ledger.rows.js';
import { eventLeaf } from '../../../src/modules/audit/seal.js';
import { formsKey } from '../../../src/modules/audit/worker/forms.rows.js';
import { sealedEvents } from '../../../src/modules/audit/worker/lines/sealed-events.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { Client, eventually } from '../../support/client.js';
import { plantEventsAt } from '../../support/past-events.js';
import { findFaults, sealKeys } from '../../support/exported.js';
import { alter, asSuperuser, loseForms, replaceLeaf } from '../../support/tampered-ledger.js';
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

/** Nine events in three trees, and what a superuser makes of them. */
async function tampered(tamper: (ledger: Ledger) => Promise<unknown>) {
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
  const by = new Client(world.baseUrl, tenant.apiKey);
  const exported = async (asked: object) => {
    const { id } = (await by.post(EXPORTS, asked)).body;
    const { body } = await eventually(
      () => by.get(`${EXPORTS}/${id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
    );
    return body;
  };
  const before = await linesOf(await exported({ format: 'ndjson', from: new Date(0).toISOString() }));
  await asSuperuser(world.admin, (admin) =>
    tamper({ admin, organization: tenant.organizationId, first, ids }),
  );
  const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
  return { organization: tenant.organizationId, first, ids, exported, before, ago, from: ago(120) };
}

const textOf = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());

/** Of an export that is done, and proves itself. */
async function linesOf(told: {
  state: string;
  download_url: string;
  manifest_url: string;
}): Promise<string[]> {
  expect(told.state).toBe('done');
  const [file, manifest] = [await textOf(told.download_url), await textOf(told.manifest_url)];
  expect(findFaults(file, manifest.toString(), await sealKeys(world)).faults).toEqual([]);
  return file.toString().split('\n').slice(0, -1);
}

it.each<[string, (ledger: Ledger) => Promise<unknown>, string, number]>([
  ['names fewer events than it was signed for', shorten, 'ledger_damaged', 3],
  ['is gone', loseTree, 'ledger_damaged', 3],
  ['has an event without an action', blank, 'ledger_damaged', 4],
  ['has an event that was re-dated, with its leaf', redate, 'ledger_damaged', 0],
  ['has an event that nobody can write', ({ admin, ids }) => nest(admin, ids[7]!), 'ledger_damaged', 7],
])('a ledger of which a tree %s is not exported as if it were whole', async (_, tamper, failure, place) => {
  const { exported, from, first } = await tampered(async (ledger) => {
    await tamper(ledger);
    await loseForms(ledger.admin, ledger.organization);
  });
  for (const format of ['ndjson', 'csv'])
    expect(await exported({ format, from })).toMatchObject({
      state: 'failed',
      failure,
      first_bad: { seq: first + place },
    });
});

it.each<[string, (ledger: Ledger) => Promise<unknown>]>([
  ['altered', ({ admin, ids }) => alter(admin, ids[4]!, 'action')],
  [
    'removed',
    ({ admin, ids }) => admin.query('DELETE FROM audit_event WHERE id = ANY ($1)', [ids.slice(2, 8)]),
  ],
  ['re-dated, with its leaf', redate],
])('of an event that was %s an export has what was sealed', async (_, tamper) => {
  const { exported, before, from, ids } = await tampered(tamper);
  const lines = await linesOf(await exported({ format: 'ndjson', from: new Date(0).toISOString() }));
  expect(lines).toEqual(before);
  const found = await linesOf(await exported({ format: 'ndjson', from }));
  expect(found.filter((line) => ids.includes((JSON.parse(line) as { id: string }).id))).toEqual(
    before.filter((line) => ids.includes((JSON.parse(line) as { id: string }).id)),
  );
});

/** Of the tree in the middle. */
const changeForms =
  (change: string) =>
  ({ admin, organization, first }: Ledger) =>
    admin.query(`UPDATE audit_forms f SET ${change} WHERE f.organization_id = $1 AND f.first_position = $2`, [
      organization,
      first + 3,
    ]);

it.each<[string, (ledger: Ledger) => Promise<unknown>]>([
  ['gone', ({ admin, organization }) => loseForms(admin, organization)],
  ['altered', changeForms('sealed_forms = set_byte(sealed_forms, 40, get_byte(sealed_forms, 40) # 1)')],
  ['cut off', changeForms('sealed_forms = substr(sealed_forms, 1, 20)')],
  ['empty', changeForms(`sealed_forms = ''`)],
  ['moved', changeForms('first_position = first_position + 1')],
  [
    "another tree's",
    changeForms(
      `sealed_forms = (SELECT o.sealed_forms FROM audit_forms o WHERE o.organization_id = f.organization_id AND o.first_position = f.first_position + 3)`,
    ),
  ],
])('when forms that were kept are %s, an export is made of the rows', async (_, tamper) => {
  const { exported, before } = await tampered(tamper);
  const lines = await linesOf(await exported({ format: 'ndjson', from: new Date(0).toISOString() }));
  expect(lines).toEqual(before);
});

it('a tree whose leaves are not those that were signed proves nothing', async () => {
  const { exported, first, ids, ago } = await tampered(({ admin, organization, first: at, ids: all }) =>
    replaceLeaf(admin, organization, { first: at, size: 3, seal: 0, ids: all }, 0),
  );
  expect(ids).toHaveLength(9);
  expect(await exported({ format: 'ndjson', from: ago(55) })).toMatchObject({
    state: 'failed',
    failure: 'ledger_damaged',
    first_bad: { seq: first },
  });
});

it.each<[string, (ledger: Ledger) => Promise<unknown>]>([
  ['is damaged', shorten],
  ['went in between', loseTree],
])(
  'behind a part that ends within a tree, the rest of it is not passed over when it %s',
  async (_, tamper) => {
    const { organization, first } = await tampered(async (ledger) => {
      await tamper(ledger);
      await loseForms(ledger.admin, ledger.organization);
    });
    const database = worker.get(DatabaseService, { strict: false });
    const key = formsKey(Buffer.alloc(32), organization); // opens nothing: there is nothing
    const ledger = { database, organization, formsKey: key };
    const stretch = {
      firstTree: first,
      endTree: first + 9,
      until: first + 9,
      from: null,
      to: null,
      filter: {},
    };
    const { lost } = await sealedEvents(ledger, { ...stretch, next: first + 4 });
    expect(lost[0]).toEqual({ position: first + 3, time: undefined });
  },
);

it('a tree that was cut off together with its forms is not as it was sealed', async () => {
  const tenant = await world.newTenant();
  const seal = () => worker.get(SealerService, { strict: false }).seal();
  await seal();
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
     SELECT gen_random_uuid(), now() - n * interval '1 ms', $1, 'system', 'x', 'success', '{}', '{}' FROM generate_series(1, 1500) n`,
    [tenant.organizationId],
  );
  await seal();
  const { rows } = await world.admin.query<{ first: number }>(
    'SELECT first_position::int AS first FROM audit_tree WHERE organization_id = $1 AND size >= 1500',
    [tenant.organizationId],
  );
  const { first } = rows[0]!;
  await asSuperuser(world.admin, async (admin) => {
    const cut = await admin.query(
      'DELETE FROM audit_forms WHERE organization_id = $1 AND first_position = $2',
      [tenant.organizationId, first + 1_000],
    );
    expect(cut.rowCount).toBe(1);
    await admin.query(
      'UPDATE audit_tree SET size = 1000 WHERE organization_id = $1 AND first_position = $2',
      [tenant.organizationId, first],
    );
  });
  const by = new Client(world.baseUrl, tenant.apiKey);
  const { id } = (await by.post(EXPORTS, { format: 'csv' })).body;
  const { body } = await eventually(
    () => by.get(`${EXPORTS}/${id}`),
    (answer) => ['done', 'failed'].includes(answer.body.state),
  );
  expect(body).toMatchObject({ state: 'failed', failure: 'ledger_damaged', first_bad: { seq: first } });
});
