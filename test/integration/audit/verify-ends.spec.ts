import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import type { PoolClient } from 'pg';
import { AuditService } from '../../../src/modules/audit/audit.service.js';
import type { Verify } from '../../../src/modules/audit/seals.schemas.js';
import { LedgerWalk } from '../../../src/modules/audit/verification/ledger-walk.js';
import { VerificationService } from '../../../src/modules/audit/verification.service.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser, entryOf, putBack, type TreeOf, treesOf } from '../../support/tampered-ledger.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(120_000);

/** Beyond what a number of JavaScript holds. */
const FAR = '9007199254740993';

let world: World;
let sealer: SealerService;
let audit: AuditService;
let verification: VerificationService;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '86400000' });
  sealer = (await world.startWorker()).get(SealerService, { strict: false });
  audit = world.api.app.get(AuditService, { strict: false });
  verification = world.api.app.get(VerificationService, { strict: false });
});
afterEach(() => void jest.restoreAllMocks());
afterAll(() => world.close());

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

async function append(organizationId: string, size: number): Promise<void> {
  await Promise.all(
    Array.from({ length: size }, (_, number) => audit.append(entryOf(organizationId, number))),
  );
}
/** Three trees of three events; the second and the third are of the interval that begins at `from`. */
async function ledger(): Promise<{ organizationId: string; trees: TreeOf[]; from: string; to: string }> {
  const organizationId = newId();
  const between: string[] = [];
  for (let number = 0; number < 3; number++) {
    await append(organizationId, 3);
    await sealer.seal();
    await pause();
    between.push(new Date().toISOString());
    await pause();
  }
  const trees = await treesOf(world.admin, organizationId);
  return { organizationId, trees, from: between[0]!, to: between[1]! };
}
const removeEvents = (client: PoolClient, trees: readonly TreeOf[]) =>
  client.query('DELETE FROM audit_event WHERE id = ANY ($1)', [trees.flatMap(({ ids }) => ids)]);
const removeTrees = (client: PoolClient, organizationId: string, trees: readonly TreeOf[]) =>
  client.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position = ANY ($2)', [
    organizationId,
    trees.map(({ first }) => first),
  ]);
/** Gives trees and what they say of their events another time. */
const redate = (client: PoolClient, organizationId: string, trees: readonly TreeOf[], time: string) =>
  client.query(
    `UPDATE audit_tree SET sealed_at = $3::timestamptz, first_time = $3, last_time = $3, event_times = array_fill($3::timestamptz, ARRAY[size])
     WHERE organization_id = $1 AND first_position = ANY ($2)`,
    [organizationId, trees.map(({ first }) => first), time],
  );
const isBad = (code: string, place: object = {}) => ({
  valid: false,
  first_bad: { why: expect.stringMatching(`^${code}: `), ...place },
});

it.each([FAR, '9223372036854775807', '-1'])(
  'trees cut off, and the last one kept for the heads at position %s',
  async (position) => {
    const { organizationId, trees, from } = await ledger();
    await putBack(world.admin, async () => {
      await world.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT IF EXISTS audit_tree_positions');
      await asSuperuser(world.admin, async (client) => {
        await removeEvents(client, trees.slice(1));
        await removeTrees(client, organizationId, [trees[1]!]);
        await client.query(
          `UPDATE audit_tree SET first_position = $3 WHERE organization_id = $1 AND first_position = $2`,
          [organizationId, trees[2]!.first, position],
        );
      });
      for (const interval of [{}, { from }, { from, to: inAnHour() }])
        expect(await verification.verify(organizationId, interval)).toMatchObject({ valid: false });
      expect(await verification.verify(organizationId, {})).toMatchObject(isBad('forged'));
    });
  },
);

it.each([3, 0])('trees behind position %i that only the application does not see', async (last) => {
  const { organizationId, trees } = await ledger();
  await asSuperuser(world.admin, async (client) => {
    await removeEvents(client, trees.slice(last / 3));
    await client.query(
      `CREATE POLICY hide ON audit_tree AS RESTRICTIVE TO scandock_app
       USING (NOT (organization_id = '${organizationId}' AND first_position > ${last}))`,
    );
  });
  try {
    expect(await verification.verify(organizationId, {})).toMatchObject(isBad('truncated'));
    expect(await verification.verify(organizationId, { to: inAnHour() })).toMatchObject(isBad('truncated'));
  } finally {
    await world.admin.query('DROP POLICY hide ON audit_tree');
  }
});

it('an event added, and named by a tree that nobody can walk to', async () => {
  const { organizationId, from } = await ledger();
  const id = newId();
  await putBack(world.admin, async () => {
    await asSuperuser(world.admin, async (client) => {
      await client.query(
        `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, scopes, detail)
         VALUES ($1, date_trunc('milliseconds', now()), $2, 'user', 'mallory', 'exams:read', 'success', '{}', '{}')`,
        [id, organizationId],
      );
      await client.query(
        `INSERT INTO audit_tree
         SELECT t.organization_id, ${FAR}, 1, t.seal_number - 1, t.sealed_at, t.root, t.previous, t.entry, t.kid, t.signature,
           ARRAY[e.id], ARRAY[e.occurred_at], sha256(''), e.occurred_at, e.occurred_at
         FROM audit_tree t JOIN audit_event e ON e.id = $2 WHERE t.organization_id = $1 AND t.first_position = 1`,
        [organizationId, id],
      );
    });
    for (const interval of [{}, { from }, { from, to: inAnHour() }, { to: inAnHour() }])
      expect(await verification.verify(organizationId, interval)).toMatchObject({ valid: false });
  });
});

it.each(['2000-01-01', '2100-01-01'])('trees that say they were sealed in %s', async (time) => {
  const { organizationId, trees, from, to } = await ledger();
  const now = inAnHour();
  const [one, two, three] = trees as [TreeOf, TreeOf, TreeOf];
  const cases: [TreeOf[], Verify[]][] = [
    [trees, [{}, { from }, { from, to }, { from, to: now }, { to: now }]],
    [[one], [{}, { to: now }]],
    [[two], [{}, { from }, { from, to }, { from, to: now }, { to: now }]],
    [[three], [{}, { from: to }, { from }, { from, to: now }, { to: now }]],
    [
      [two, three],
      [{}, { from }, { from: to }, { from, to }, { from, to: now }, { to: now }],
    ],
  ];
  for (const [gone, intervals] of cases)
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, async (client) => {
        await removeEvents(client, gone);
        await redate(client, organizationId, gone, time);
      });
      for (const interval of intervals)
        expect({ interval, ...(await verification.verify(organizationId, interval)) }).toMatchObject(
          isBad('forged'),
        );
      expect(await verification.verify(organizationId, {})).toMatchObject(
        isBad('forged', { seq: gone[0]!.first }),
      );
    });
});

it('an interval of which nothing is left has to be one in which nothing was', async () => {
  const { organizationId, trees, from, to } = await ledger();
  const none = { valid: true, events: 0, seals: 0 };
  for (const interval of [{ to: '2026-02-01T00:00:00Z' }, { from: inAnHour() }])
    expect(await verification.verify(organizationId, interval)).toMatchObject(none);
  await putBack(world.admin, async () => {
    await asSuperuser(world.admin, async (client) => {
      await removeEvents(client, [trees[1]!]);
      await removeTrees(client, organizationId, [trees[1]!]);
    });
    for (const interval of [{ from, to }, { from }, { to }, {}])
      expect(await verification.verify(organizationId, interval)).toMatchObject(isBad('removed', { seq: 4 }));
  });
});

it('of several trees of one seal the head is over the last', async () => {
  const organizationId = newId();
  for (const day of [1, 2, 3]) {
    await plantEventsAt(world.admin, organizationId, [`2026-03-0${day}T00:00:00.000Z`]);
    await sealer['sealTree'](organizationId);
  }
  await sealer.seal();
  await plantEventsAt(world.admin, organizationId, [`2026-03-04T00:00:00.000Z`]);
  await sealer['sealTree'](organizationId); // which waits for its head
  for (const day of [1, 2, 3, 4, 5])
    expect(await verification.verify(organizationId, { to: `2026-03-0${day}T00:00:00.000Z` })).toMatchObject({
      valid: true,
      events: day - 1,
    });
  await sealer.seal();
});

it('what is written and sealed while it is verified is neither added nor cut off', async () => {
  const { organizationId, from } = await ledger();
  const { goOn } = LedgerWalk.prototype;
  for (const interval of [{}, { from }, { from, to: inAnHour() }]) {
    await append(organizationId, 2); // which wait
    jest.spyOn(LedgerWalk.prototype, 'goOn').mockImplementationOnce(async function (
      this: LedgerWalk,
      behind,
    ) {
      const wrong = await goOn.call(this, behind);
      await append(organizationId, 2);
      await sealer.seal();
      return wrong;
    });
    expect(await verification.verify(organizationId, interval)).toMatchObject({ valid: true, unsealed: 2 });
  }
});

it('what is walked because of its neighbours counts against the limit', async () => {
  const { organizationId, trees, from, to } = await ledger();
  const most = verification.mostEvents;
  verification.mostEvents = 5;
  try {
    await expect(verification.verify(organizationId, {})).rejects.toThrow(/more than 5 events/);
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, (client) => redate(client, organizationId, [trees[0]!], '2100-01-01'));
      await expect(verification.verify(organizationId, { from, to })).rejects.toMatchObject({
        code: 'too_many_events',
      });
    });
  } finally {
    verification.mostEvents = most;
  }
});
