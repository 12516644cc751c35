import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { AuditService } from '../../../src/modules/audit/audit.service.js';
import { LedgerWalk } from '../../../src/modules/audit/verification/ledger-walk.js';
import { VerificationService } from '../../../src/modules/audit/verification.service.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { Client, eventually } from '../../support/client.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser, entryOf, type TreeOf, treesOf } from '../../support/tampered-ledger.js';
import { pause } from '../../support/uploader.js';
import { createWorld, type World } from '../../support/world.js';

/** What stands beside the interval of a verification: it is walked, or walked up to, and is nobody's fault for that. */
jest.setTimeout(120_000);

let world: World;
let worker: INestApplicationContext;
let sealer: SealerService;
let audit: AuditService;
let verification: VerificationService;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '300' });
  worker = await world.startWorker();
  sealer = worker.get(SealerService, { strict: false });
  audit = world.api.app.get(AuditService, { strict: false });
  verification = world.api.app.get(VerificationService, { strict: false });
}, 60_000);
afterEach(() => void jest.restoreAllMocks());
afterAll(() => world.close());

/** Now, and nothing else is of this millisecond. */
async function moment(): Promise<string> {
  await pause(5);
  const now = new Date().toISOString();
  await pause(5);
  return now;
}

/** Three trees of an event each, and moments behind the first and the second. */
async function newLedger(): Promise<{ id: string; trees: TreeOf[]; from: string; to: string }> {
  const id = newId();
  const between: string[] = [];
  for (let number = 0; number < 3; number++) {
    await audit.append(entryOf(id, number));
    await sealer.seal();
    between.push(await moment());
  }
  return { id, trees: await treesOf(world.admin, id), from: between[0]!, to: between[1]! };
}

it('a tree whose head is not made yet', async () => {
  const { id } = await newLedger();
  await audit.append(entryOf(id, 9));
  const all = sealer as unknown as { sealTree(organizationId: string): Promise<boolean> };
  await all.sealTree(id); // and here its worker died
  const from = await moment();
  await audit.append(entryOf(id, 10));
  for (const interval of [{}, { from }, { to: from }])
    expect(await verification.verify(id, interval)).toMatchObject({
      valid: true,
      unsealed: 'to' in interval ? 0 : 1,
    });
  await sealer.seal();
  expect(await verification.verify(id, { from })).toMatchObject({ valid: true, events: 1 });
});

it.each(['begin', 'finish'] as const)(
  'a tree that was another one when it was looked for (%s)',
  async (where) => {
    const { id, trees, from, to } = await newLedger();
    const tree = where === 'begin' ? trees[1]! : trees[2]!;
    const interval = where === 'begin' ? { from } : { from, to: new Date().toISOString() };
    const dated = (time: string) =>
      asSuperuser(world.admin, (client) =>
        client.query(
          `UPDATE audit_tree SET sealed_at = $3::timestamptz, first_time = $3, last_time = $3, event_times = array_fill($3::timestamptz, ARRAY[size])
         WHERE organization_id = $1 AND first_position = $2`,
          [id, tree.first, time],
        ),
      );
    const { rows } = await world.admin.query<{ at: Date }>(
      'SELECT sealed_at AS at FROM audit_tree WHERE organization_id = $1 AND first_position = $2',
      [id, tree.first],
    );
    await dated(where === 'begin' ? '2020-01-01' : '2100-01-01');
    await asSuperuser(world.admin, (client) =>
      client.query('DELETE FROM audit_event WHERE id = ANY ($1)', [tree.ids]),
    );
    const walk = LedgerWalk.prototype[where] as (...given: unknown[]) => Promise<never>;
    jest.spyOn(LedgerWalk.prototype, where).mockImplementationOnce(async function (
      this: LedgerWalk,
      ...given
    ) {
      await dated(rows[0]!.at.toISOString());
      return walk.apply(this, given);
    });
    expect(to > from).toBe(true);
    expect(await verification.verify(id, interval)).toMatchObject({
      valid: false,
      first_bad: { seq: tree.first },
    });
  },
);

it('an event of the id of another, at another time', async () => {
  const { id, trees } = await newLedger();
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, scopes, detail)
     VALUES ($1, now(), $2, 'system', 'worker', 'uploads:expire', 'success', '{}', '{"count": 1}')`,
    [trees[0]!.ids[0], id],
  );
  await sealer.seal();
  expect(await verification.verify(id, {})).toMatchObject({ valid: true, events: 4 });
});

describe('a month that was retired', () => {
  /** An export is made, and January 2019, with one event, is taken out as by `scandock audit retire`. */
  async function retire(organizationId: string, apiKey: string, old: string): Promise<void> {
    const client = new Client(world.baseUrl, apiKey);
    const { id } = (await client.post('/api/v1/audit/exports', { format: 'ndjson' })).body;
    const { body } = await eventually(
      () => client.get(`/api/v1/audit/exports/${id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
      60_000,
    );
    expect(body.state).toBe('done');
    const at = new Date();
    await world.admin.query(
      `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type,
                                resource_id, scopes, detail)
       VALUES ($1, $2, $3, 'system', 'operator', 'audit:retired', 'success', 'AuditExport', $4, '{}',
               '{"month": "2019-01", "events": 1}')`,
      [newId(), at, organizationId, id],
    );
    await sealer.seal();
    const tree = (await treesOf(world.admin, organizationId)).find(({ ids }) => ids.includes(old))!;
    await asSuperuser(world.admin, async (admin) => {
      await admin.query(
        `INSERT INTO audit_retired (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events,
                                    first_position, last_position, retired_at)
         VALUES ($1, '2019-01-01', $2, '', '', sha256(''), 1, $4, $4, $3)`,
        [organizationId, id, at, tree.first + tree.ids.indexOf(old)],
      );
      await admin.query('DELETE FROM audit_event WHERE id = $1', [old]);
    });
  }

  it.each<[string, boolean, string[]]>([
    ['shares a tree with the next', false, ['2019-01-31T23:59:50Z', '2019-02-01T00:00:10Z']],
    ['was sealed late', true, ['2019-01-15T00:00:00Z', '2019-02-15T00:00:00Z']],
  ])('and %s does not make that one look as if it had lost something', async (_, apart, times) => {
    const { organizationId, apiKey } = await world.newTenant();
    await sealer.seal();
    const ids: string[] = [];
    for (const time of times) {
      ids.push(...(await plantEventsAt(world.admin, organizationId, [time])));
      if (apart) await sealer.seal();
    }
    await sealer.seal();
    await retire(organizationId, apiKey, ids[0]!);
    expect(await verification.verify(organizationId, {})).toMatchObject({ valid: true, retired: 1 });
    for (const [from, to, events] of [
      ['2019-02-01T00:00:00Z', '2019-03-01T00:00:00Z', 1],
      ['2019-03-01T00:00:00Z', '2019-04-01T00:00:00Z', 0],
    ] as const)
      expect(await verification.verify(organizationId, { from, to })).toMatchObject({ valid: true, events });
  });
});
