import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { merkleRoot } from '../../src/formats/merkle/merkle-tree.js';
import { canonicalForm } from '../../src/modules/audit/audit.canonical.js';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { eventsNamed } from '../../src/modules/audit/ledger.rows.js';
import { entryForm, eventLeaf, hashOf } from '../../src/modules/audit/seal.js';
import { WrongMasterKey } from '../../src/modules/audit/seal.js';
import type { Anchoring } from '../../src/modules/audit/worker/anchoring.js';
import { AuditGauges } from '../../src/modules/audit/worker/audit-gauges.js';
import { LedgerRewritten } from '../../src/modules/audit/worker/next-head.js';
import { SealAhead } from '../../src/modules/audit/worker/seal-time.js';
import { SealerService } from '../../src/modules/audit/worker/sealer.service.js';
import { Sealing } from '../../src/modules/audit/worker/sealing.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import type { SqlTransaction } from '../../src/platform/database/sql-transaction.js';
import { auditSealAgeSeconds, auditSealFailures } from '../../src/platform/health/metrics.js';
import { MovableClock } from '../support/incarnation.js';
import { insertOrganization } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { asSuperuser } from '../support/tampered-ledger.js';

jest.setTimeout(600_000);

let stack: Stack;
let database: DatabaseService;
let audit: AuditService;
const clock = new MovableClock();

beforeAll(async () => {
  stack = await startStack();
  database = new DatabaseService(stack.workerConfig);
  audit = new AuditService(database, clock);
});
afterAll(async () => {
  await database.onApplicationShutdown();
  await stack.close();
});

class Died extends Error {}

/** A process of a sealer, each of whose statements is a step; it dies before or after one of them, as if it had never been. */
function sealerThatDies(
  step: number,
  when: 'before' | 'after',
): { sealer: SealerService; steps: () => number } {
  let [steps, dead] = [0, false];
  const mortal = async <T>(act: () => PromiseLike<T>): Promise<T> => {
    const own = ++steps;
    if (dead || (own === step && when === 'before')) {
      dead = true;
      throw new Died();
    }
    const answer = await act();
    if (own === step || dead) {
      dead = true;
      throw new Died();
    }
    return answer;
  };
  const on = (tx: SqlTransaction): SqlTransaction => ({
    $queryRaw: (text, ...values) => mortal(() => tx.$queryRaw(text, ...values)),
    $executeRaw: (text, ...values) => mortal(() => tx.$executeRaw(text, ...values)),
  });
  const outside = {
    $queryRaw: (text: TemplateStringsArray, ...values: unknown[]) =>
      mortal(() => database.outside.$queryRaw(text, ...values)),
  };
  const mortalDatabase = {
    outside,
    // The commit is a step, too: its answer may be lost.
    withOrganizationSql: <T>(id: string, work: (tx: SqlTransaction) => Promise<T>) =>
      mortal(() => database.withOrganizationSql(id, (tx) => work(on(tx)))),
  };
  const sealer = new SealerService(stack.workerConfig, mortalDatabase as unknown as DatabaseService, clock);
  return { sealer, steps: () => steps };
}

const newSealer = (config = stack.workerConfig) => new SealerService(config, database, clock);

const write = (organizationId: string, count: number) =>
  database.withOrganizationSql(organizationId, (tx) =>
    audit.record(
      tx,
      ...Array.from({ length: count }, (_, index) => ({
        organizationId,
        actor: { kind: 'system' as const },
        action: 'test:write',
        outcome: 'success' as const,
        detail: { index },
      })),
    ),
  );

interface Tree {
  first: number;
  size: number;
  seal: number;
  time: Date;
  root: Buffer;
  previous: Buffer;
  entry: Buffer;
  ids: string[];
  times: Date[];
}

const treesOf = async (organizationId: string): Promise<Tree[]> =>
  (
    await stack.admin.query<Tree>(
      `SELECT first_position::int AS first, size, seal_number::int AS seal, sealed_at AS time, root, previous, entry,
              event_ids::text[] AS ids, event_times AS times
       FROM audit_tree WHERE organization_id = $1 ORDER BY first_position`,
      [organizationId],
    )
  ).rows;

const waitingOf = async (organizationId: string): Promise<number> =>
  (
    await stack.admin.query<{ count: number }>(
      'SELECT count(*)::int FROM audit_unsealed WHERE organization_id = $1',
      [organizationId],
    )
  ).rows[0]!.count;

/** As the worker has it, once a minute. */
const newSealing = () => new Sealing(stack.workerConfig, database, newSealer(), clock);

const failuresToSeal = async () => (await auditSealFailures.get()).values[0]!.value;

const sealsOf = async (): Promise<number> =>
  (await stack.admin.query<{ count: number }>('SELECT count(*)::int FROM audit_seal')).rows[0]!.count;

const redate = (table: string, key: string, of: string, time: Date | string) =>
  asSuperuser(stack.admin, (client) =>
    client.query(`UPDATE ${table} SET sealed_at = $2 WHERE ${key} = $1`, [of, time]),
  );

/** Every event has one position, positions have no gap, each root is that of its events, and each entry follows the one before it. */
async function expectWhole(organizationId: string, events: number): Promise<void> {
  const trees = await treesOf(organizationId);
  let [position, previous, time]: [number, Uint8Array, number] = [1, Buffer.alloc(32), 0];
  for (const tree of trees) {
    expect([tree.first, tree.previous]).toEqual([position, previous]);
    expect(tree.time.getTime()).toBeGreaterThanOrEqual(time);
    const names = tree.ids.map((id, index) => ({ id, occurredAt: tree.times[index]! }));
    const found = await database.withOrganizationSql(organizationId, (tx) =>
      eventsNamed(tx, organizationId, names),
    );
    expect(merkleRoot(names.map(({ id }) => eventLeaf(canonicalForm(found.get(id)!))))).toEqual(tree.root);
    expect(hashOf(entryForm({ ...tree, organization: organizationId }))).toEqual(tree.entry);
    [position, previous, time] = [position + tree.size, tree.entry, tree.time.getTime()];
  }
  const ids = trees.flatMap((tree) => tree.ids);
  expect([position - 1, ids.length, new Set(ids).size]).toEqual([events, events, events]);
  expect(await waitingOf(organizationId)).toBe(0);
}

/** Heads are numbered without a gap, each follows the one before it, and none is older. */
async function expectHeads(): Promise<void> {
  const { rows } = await stack.admin.query<{ number: number; time: Date; previous: Buffer; head: Buffer }>(
    'SELECT number::int, sealed_at AS time, previous, head FROM audit_seal ORDER BY number',
  );
  rows.forEach(({ number, time, previous }, index) => {
    expect([number, previous]).toEqual([index + 1, rows[index - 1]?.head ?? Buffer.alloc(32)]);
    expect(time.getTime()).toBeGreaterThanOrEqual(rows[index - 1]?.time.getTime() ?? 0);
  });
  const { rows: late } = await stack.admin.query(
    `SELECT 1 FROM audit_tree t JOIN audit_seal s ON s.number = t.seal_number WHERE s.sealed_at < t.sealed_at`,
  );
  expect(late).toEqual([]);
}

describe('a sealer', () => {
  it('that dies before or after any of its statements loses no event and seals none twice', async () => {
    const tenants = [await insertOrganization(stack.admin), await insertOrganization(stack.admin)];
    let written = 0;
    for (const when of ['before', 'after'] as const)
      for (let step = 1; ; step++) {
        for (const organizationId of tenants) await write(organizationId, 3);
        written += 3;
        const { sealer, steps } = sealerThatDies(step, when);
        const died = await sealer.seal().then(
          () => false,
          (error: unknown) => error instanceof Died,
        );
        if (!died) {
          expect(steps()).toBeLessThan(step);
          break;
        }
        await newSealer().seal();
        for (const organizationId of tenants) await expectWhole(organizationId, written);
        await expectHeads();
      }
  });

  it('finds an event whose transaction commits long after the seal of its minute', async () => {
    const organizationId = await insertOrganization(stack.admin);
    await write(organizationId, 2);
    let commit = (): void => undefined;
    const begun = new Promise<void>((told) => {
      void database.withOrganizationSql(organizationId, async (tx) => {
        const actor = { kind: 'system' } as const;
        await audit.record(tx, { organizationId, actor, action: 'test:late', outcome: 'success' });
        told();
        await new Promise<void>((resolve) => (commit = resolve));
      });
    });
    await begun;
    await newSealer().seal();
    await write(organizationId, 2);
    await newSealer().seal();
    expect((await treesOf(organizationId)).map(({ size }) => size)).toEqual([2, 2]);
    commit();
    while ((await waitingOf(organizationId)) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await newSealer().seal();
    await expectWhole(organizationId, 5);
  });

  it('beside another, while events are written, gives each one position', async () => {
    const organizationId = await insertOrganization(stack.admin);
    const writing = (async () => {
      for (let round = 0; round < 40; round++) await write(organizationId, 5);
    })();
    const sealing = [newSealer(), newSealer()].map(async (sealer) => {
      for (let round = 0; round < 10; round++) await sealer.seal();
    });
    await Promise.all([writing, ...sealing]);
    await newSealer().seal();
    await expectWhole(organizationId, 200);
    await expectHeads();
  });

  it('takes 25,000 events that wait, in several trees', async () => {
    const organizationId = await insertOrganization(stack.admin);
    for (let round = 0; round < 25; round++) await write(organizationId, 1_000);
    await newSealer().seal();
    expect((await treesOf(organizationId)).map(({ size }) => size)).toEqual([10_000, 10_000, 5_000]);
    await expectWhole(organizationId, 25_000);
  });

  it('that cannot seal one organization seals all others, and says so', async () => {
    const [poisoned, healthy] = [
      await insertOrganization(stack.admin),
      await insertOrganization(stack.admin),
    ];
    await write(poisoned, 2);
    await write(healthy, 2);
    // Whatever it is: no tree of it is taken.
    await stack.admin.query(
      `ALTER TABLE audit_tree ADD CONSTRAINT poisoned CHECK (organization_id <> '${poisoned}') NOT VALID`,
    );
    await expect(newSealer().seal()).rejects.toMatchObject({ code: '23514' });
    await expectWhole(healthy, 2);
    expect(await waitingOf(poisoned)).toBe(2);
    await stack.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT poisoned');
    await newSealer().seal();
    await expectWhole(poisoned, 2);
    await expectHeads();
  });

  it('that finds a tree at the end of one organization which nobody has signed seals all others, and says so', async () => {
    const [forged, healthy] = [await insertOrganization(stack.admin), await insertOrganization(stack.admin)];
    for (const organizationId of [forged, healthy]) await write(organizationId, 2);
    await newSealer().seal();
    for (const organizationId of [forged, healthy]) await write(organizationId, 2);
    // The worker's own role may do this, and no head is made over it: it is of a seal that there was.
    await database.withOrganizationSql(
      forged,
      (tx) => tx.$executeRaw`
        INSERT INTO audit_tree SELECT organization_id, 3, 1, 0, sealed_at, root, entry, entry, kid, signature, event_ids[1:1],
          event_times[1:1], sha256(''), first_time, first_time FROM audit_tree WHERE organization_id = ${forged}::uuid`,
    );
    await expect(newSealer().seal()).rejects.toThrow(LedgerRewritten);
    await expectWhole(healthy, 4);
    expect(await waitingOf(forged)).toBe(2);
    await asSuperuser(stack.admin, (client) => client.query('DELETE FROM audit_tree WHERE seal_number = 0'));
    await newSealer().seal();
    await expectWhole(forged, 4);
    await expectHeads();
  });

  it('whose clock goes back makes no seal that is older than the one before it', async () => {
    const organizationId = await insertOrganization(stack.admin);
    const sealer = newSealer();
    for (const travel of [0, 120_000, -240_000, 60_000]) {
      clock.travel(travel);
      await write(organizationId, 2);
      await sealer.seal();
      await newSealer().seal();
    }
    clock.travel(60_000);
    await expectWhole(organizationId, 8);
    await expectHeads();
  });

  it('whose clock is far behind the last seal signs nothing, and says so for as long', async () => {
    const organizationId = await insertOrganization(stack.admin);
    const sealer = newSealer();
    await sealer.seal();
    const [before, failures] = [await sealsOf(), await failuresToSeal()];
    clock.travel(-600_000);
    try {
      await write(organizationId, 2);
      for (const each of [sealer, newSealer()]) await expect(each.seal()).rejects.toThrow(SealAhead);
      // Once a minute it would be; but there is nothing to wait for.
      await expect(newSealing().run()).rejects.toThrow(SealAhead);
      expect(await failuresToSeal()).toBe(failures + 1);
      expect([await sealsOf(), await waitingOf(organizationId)]).toEqual([before, 2]);
      await new AuditGauges(database, { placeNames: [] } as unknown as Anchoring, clock).run();
      expect((await auditSealAgeSeconds.get()).values[0]!.value).toBeGreaterThan(300);
    } finally {
      clock.travel(600_000);
    }
    await sealer.seal();
    await expectWhole(organizationId, 2);
    await expectHeads();
  });

  it('takes no time from a tree that was re-dated', async () => {
    const organizationId = await insertOrganization(stack.admin);
    await write(organizationId, 2);
    await newSealer().seal();
    const [{ time }] = (await treesOf(organizationId)) as [Tree];
    await write(organizationId, 2);
    await redate('audit_tree', 'organization_id', organizationId, '2999-01-01');
    await expect(newSealer().seal()).rejects.toThrow(LedgerRewritten);
    await redate('audit_tree', 'organization_id', organizationId, time);
    expect(await waitingOf(organizationId)).toBe(2);
    await newSealer().seal();
    await expectWhole(organizationId, 4);
    await expectHeads();
    const { rows } = await stack.admin.query(`SELECT 1 FROM audit_seal WHERE sealed_at >= '2999-01-01'`);
    expect(rows).toEqual([]);
  });

  it('is asked to seal, and says what is wrong, whatever time the last head is given', async () => {
    await newSealer().seal();
    const { rows } = await stack.admin.query<{ number: string; time: Date }>(
      'SELECT number, sealed_at AS time FROM audit_seal ORDER BY number DESC LIMIT 1',
    );
    const [{ number, time }] = rows as [{ number: string; time: Date }];
    await newSealing().run(); // not due
    expect(await sealsOf()).toBe(Number(number));
    for (const given of ['2999-01-01', 'infinity', '-infinity', new Date(time.getTime() + 1_000)]) {
      const failures = await failuresToSeal();
      await redate('audit_seal', 'number', number, given);
      await expect(newSealing().run()).rejects.toThrow();
      expect([await failuresToSeal(), await sealsOf()]).toEqual([failures + 1, Number(number)]);
      await redate('audit_seal', 'number', number, time);
    }
    await newSealer().seal();
    await expectHeads();
  });

  it('goes on signing by our key, whatever other one is there', async () => {
    const organizationId = await insertOrganization(stack.admin);
    await write(organizationId, 2);
    const own = new DatabaseService(stack.workerConfig);
    await own.outside.$executeRaw`
      INSERT INTO audit_key (kid, public_key, sealed_private, created_at, mac) VALUES ('x', '', '', '9999-01-01', '')`;
    await own.onApplicationShutdown();
    await newSealer().seal();
    await expectWhole(organizationId, 2);
    await stack.admin.query(`ALTER TABLE audit_key DISABLE TRIGGER USER`);
    await stack.admin.query(`DELETE FROM audit_key WHERE kid = 'x'`);
    await stack.admin.query(`ALTER TABLE audit_key ENABLE TRIGGER USER`);
  });

  it('under another master key seals nothing, and says why', async () => {
    const organizationId = await insertOrganization(stack.admin);
    await write(organizationId, 2);
    const count = async (table: string) =>
      (await stack.admin.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`)).rows[0]!.count;
    const tables = ['audit_tree', 'audit_seal', 'audit_key'];
    const before = await Promise.all(tables.map(count));
    const stranger = newSealer({ ...stack.workerConfig, SCANDOCK_MASTER_KEY: randomBytes(32) });
    await expect(stranger.seal()).rejects.toThrow(WrongMasterKey);
    expect(await Promise.all(tables.map(count))).toEqual(before);
    await newSealer().seal();
    await expectWhole(organizationId, 2);
  });
});

it('two sealers that find no key yet make one', async () => {
  const other = await startStack();
  const own = new DatabaseService(other.workerConfig);
  try {
    await Promise.all([1, 2, 3].map(() => new SealerService(other.workerConfig, own, clock).seal()));
    const { rows } = await other.admin.query('SELECT kid FROM audit_key');
    expect(rows).toHaveLength(1);
  } finally {
    await own.onApplicationShutdown();
    await other.close();
  }
});
