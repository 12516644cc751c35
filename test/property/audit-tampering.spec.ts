import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { INestApplicationContext } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { VerificationService } from '../../src/modules/audit/verification.service.js';
import { rootOver } from '../../src/modules/audit/seal.js';
import { LedgerRewritten } from '../../src/modules/audit/worker/next-head.js';
import { SealerService } from '../../src/modules/audit/worker/sealer.service.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import {
  alter,
  asSuperuser,
  COLUMNS,
  entryOf,
  putBack,
  replaceLeaf,
  signWithOwnKey,
  type TreeOf,
  treesOf,
} from '../support/tampered-ledger.js';
import { createWorld, type World } from '../support/world.js';

jest.setTimeout(600_000);

let world: World;
let worker: INestApplicationContext;
let sealer: SealerService;
let audit: AuditService;
let verification: VerificationService;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '86400000' });
  // What binds a superuser no more than he likes.
  await world.admin.query('ALTER TABLE audit_event DROP CONSTRAINT audit_event_time');
  await world.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT audit_tree_whole');
  worker = await world.startWorker();
  sealer = worker.get(SealerService, { strict: false });
  audit = world.api.app.get(AuditService, { strict: false });
  verification = world.api.app.get(VerificationService, { strict: false });
}, 120_000);
afterAll(() => world.close());

/** As of a process that has just begun. */
const newSealer = () =>
  new SealerService(world.workerConfig, worker.get(DatabaseService, { strict: false }), new Clock());

/** What a superuser found: an organization's ledger of several seals. */
interface Scene {
  organizationId: string;
  trees: TreeOf[];
  /** Where to: a tree, and an event in it. */
  tree: TreeOf;
  index: number;
  /** Another event of the same tree, after the first. */
  other: number;
  seq: number;
  id: string;
}

interface Expected {
  code: string;
  seq?: number | undefined;
  id?: string;
  seal?: number;
}

type Tampering = (client: PoolClient, scene: Scene) => Promise<Expected | undefined>;

const inTree =
  (column: string, value: string): Tampering =>
  async (client, { organizationId, tree }) => {
    await client.query(
      `UPDATE audit_tree SET ${column} = ${value} WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first],
    );
    return { code: 'forged', seq: tree.first };
  };
/** Of events that are gone a tree says what cannot be. */
const unreadable =
  (...changes: string[]): Tampering =>
  async (client, { organizationId, tree, index }) => {
    await client.query('DELETE FROM audit_event WHERE id = ANY ($1)', [tree.ids]);
    await client.query(
      `UPDATE audit_tree SET ${changes.join(', ').replaceAll('$place', String(index + 1))} WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first],
    );
    return { code: 'record', seq: tree.first };
  };
const inHead =
  (column: string, value: string): Tampering =>
  async (client, { tree }) => {
    await client.query(`UPDATE audit_seal SET ${column} = ${value} WHERE number = $1`, [tree.seal]);
    return { code: 'head', seal: tree.seal };
  };
const swap =
  (columns: string[]): Tampering =>
  async (client, { organizationId, tree, index, other, seq }) => {
    if (index === other) return undefined;
    const swapped = columns.map(
      (column) =>
        `${column} = (SELECT array_agg(v ORDER BY CASE n WHEN $3::int THEN $4::int WHEN $4::int THEN $3::int ELSE n END)
                      FROM unnest(${column}) WITH ORDINALITY AS e(v, n))`,
    );
    await client.query(
      `UPDATE audit_tree SET ${swapped.join(', ')} WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first, index + 1, other + 1],
    );
    return { code: 'reordered', seq };
  };
const swapLeaves = async (client: PoolClient, { organizationId, tree, index, other }: Scene) => {
  const from = (at: number) => `substr(leaves, ${32 * at + 1}, 32)`;
  await client.query(
    `UPDATE audit_tree SET leaves = overlay(overlay(leaves PLACING ${from(other)} FROM ${32 * index + 1} FOR 32)
       PLACING ${from(index)} FROM ${32 * other + 1} FOR 32) WHERE organization_id = $1 AND first_position = $2`,
    [organizationId, tree.first],
  );
};
const copyEvent = async (client: PoolClient, id: string): Promise<string> => {
  const added = newId();
  await client.query(
    `INSERT INTO audit_event SELECT (e).* FROM (SELECT jsonb_populate_record(e, jsonb_build_object('id', $2::text)) AS e
       FROM audit_event e WHERE e.id = $1) AS e`,
    [id, added],
  );
  return added;
};
const queue = (client: PoolClient, organizationId: string, id: string) =>
  client.query(
    `INSERT INTO audit_unsealed SELECT organization_id, occurred_at, id FROM audit_event WHERE organization_id = $1 AND id = $2`,
    [organizationId, id],
  );
const endOf = (trees: TreeOf[]): number => trees.at(-1)!.first + trees.at(-1)!.size;
const removeTrees = async (client: PoolClient, { organizationId }: Scene, gone: TreeOf[]) => {
  await client.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position = ANY ($2)', [
    organizationId,
    gone.map(({ first }) => first),
  ]);
  await client.query('DELETE FROM audit_event WHERE organization_id = $1 AND id = ANY ($2)', [
    organizationId,
    gone.flatMap(({ ids }) => ids),
  ]);
};

const TAMPERINGS: Record<string, Tampering> = {
  nothing: () => Promise.resolve(undefined),
  ...Object.fromEntries(
    COLUMNS.map((column): [string, Tampering] => [
      `${column} altered`,
      async (client, { seq, id }) => {
        await alter(client, id, column);
        return { code: 'altered', seq, id };
      },
    ]),
  ),
  'given to another organization': async (client, { seq, id }) => {
    await client.query('UPDATE audit_event SET organization_id = $2 WHERE id = $1', [id, newId()]);
    return { code: 'removed', seq, id };
  },
  'another id': async (client, { seq, id }) => {
    await client.query('UPDATE audit_event SET id = $2 WHERE id = $1', [id, newId()]);
    return { code: 'removed', seq, id };
  },
  're-dated': async (client, { seq, id }) => {
    await client.query(
      `UPDATE audit_event SET occurred_at = occurred_at - interval '40 days' WHERE id = $1`,
      [id],
    );
    return { code: 're-dated', seq, id };
  },
  're-dated to no time at all': async (client, { seq, id }) => {
    await client.query(`UPDATE audit_event SET occurred_at = 'infinity' WHERE id = $1`, [id]);
    return { code: 're-dated', seq, id };
  },
  're-dated in the tree as well': async (client, { organizationId, tree, index, seq, id }) => {
    await client.query(`UPDATE audit_event SET occurred_at = occurred_at + interval '1 ms' WHERE id = $1`, [
      id,
    ]);
    await client.query(
      `UPDATE audit_tree SET event_times[$3] = event_times[$3] + interval '1 ms' WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first, index + 1],
    );
    return { code: 'altered', seq, id };
  },
  removed: async (client, { seq, id }) => {
    await client.query('DELETE FROM audit_event WHERE id = $1', [id]);
    return { code: 'removed', seq, id };
  },
  added: async (client, { id }) => ({ code: 'added', id: await copyEvent(client, id) }),
  'queued again': async (client, { organizationId, seq, id }) => {
    await queue(client, organizationId, id);
    return { code: 'duplicated', seq, id };
  },
  'added, with another one queued in its place': async (client, { organizationId, seq, id }) => {
    await copyEvent(client, id);
    await queue(client, organizationId, id);
    return { code: 'duplicated', seq, id };
  },
  'one queued that is not there': async (client, { organizationId }) => {
    const id = newId();
    await client.query('INSERT INTO audit_unsealed VALUES ($1, now(), $2)', [organizationId, id]);
    return { code: 'removed', id };
  },
  'ids swapped': swap(['event_ids']),
  'ids and times swapped': swap(['event_ids', 'event_times']),
  'ids, times and leaves swapped': async (client, scene) => {
    const expected = await swap(['event_ids', 'event_times'])(client, scene);
    if (expected) await swapLeaves(client, scene);
    return expected;
  },
  'a leaf replaced': async (client, { organizationId, tree, index, seq, id }) => {
    await replaceLeaf(client, organizationId, tree, index);
    return { code: 'record', seq, id };
  },
  'a leaf replaced, and its event altered': async (client, { organizationId, tree, index, id }) => {
    await replaceLeaf(client, organizationId, tree, index);
    await alter(client, id, 'action');
    return { code: 'altered', seq: tree.first };
  },
  'a root': inTree('root', `sha256('x')`),
  'a previous': inTree('previous', `sha256('x')`),
  'a signature': inTree('signature', `sha512('x')`),
  'a kid': inTree('kid', `'x'`),
  'a seal number': inTree('seal_number', 'seal_number + 1'),
  'a time of sealing': inTree('sealed_at', `'infinity'`),
  'a time of sealing before all others': inTree('sealed_at', `'2000-01-01'`),
  'a time of sealing after all others': inTree('sealed_at', `'2100-01-01'`),
  'another tree’s signature': async (client, { organizationId, trees, tree }) => {
    const from = trees.find((each) => each !== tree);
    if (!from) return undefined;
    await client.query(
      `UPDATE audit_tree t SET signature = o.signature FROM audit_tree o WHERE t.organization_id = $1 AND t.first_position = $2
         AND o.organization_id = $1 AND o.first_position = $3`,
      [organizationId, tree.first, from.first],
    );
    return { code: 'forged', seq: tree.first };
  },
  'a tree signed by a key of his own': async (client, { organizationId, tree }) => {
    await signWithOwnKey(client, organizationId, tree);
    return { code: 'forged', seq: tree.first };
  },
  'an entry’s hash': async (client, { organizationId, tree }) => {
    await client.query(
      `UPDATE audit_tree SET entry = sha256('x') WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first],
    );
    return { code: 'record', seq: tree.first };
  },
  'a tree’s times': async (client, { organizationId, tree }) => {
    await client.query(
      `UPDATE audit_tree SET first_time = 'infinity' WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, tree.first],
    );
    return { code: 'record', seq: tree.first };
  },
  'times that are none': unreadable(
    `event_times = array_fill('infinity'::timestamptz, ARRAY[size])`,
    `first_time = 'infinity'`,
    `last_time = 'infinity'`,
  ),
  'a time before all times': unreadable(`event_times[$place] = '-infinity'`),
  'a time that a Date does not reach': unreadable(`event_times[$place] = '294276-01-01'`),
  'a time that is missing': unreadable('event_times[$place] = NULL'),
  'a time too few': unreadable('event_times = event_times[2:]'),
  'a time too many': unreadable('event_times = event_times || event_times[1]'),
  'times within times': unreadable('event_times = ARRAY[event_times]'),
  'an id that is missing': unreadable('event_ids[$place] = NULL'),
  'ids within ids': unreadable('event_ids = ARRAY[event_ids]', 'event_times = ARRAY[event_times]'),
  'added at no time at all': async (client, { id }) => {
    const added = await copyEvent(client, id);
    await client.query(`UPDATE audit_event SET occurred_at = 'infinity' WHERE id = $1`, [added]);
    return { code: 'added', id: added };
  },
  'the last trees cut off, and the last one kept where no walk gets to': async (client, scene) => {
    const { organizationId, trees, tree } = scene;
    const last = trees.at(-1)!;
    await removeTrees(client, scene, trees.slice(trees.indexOf(tree), -1));
    await client.query('DELETE FROM audit_event WHERE id = ANY ($1)', [last.ids]);
    await client.query(
      `UPDATE audit_tree SET first_position = 9007199254740993 WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, last.first],
    );
    return { code: tree.first === 1 ? 'removed' : 'forged', seq: tree.first };
  },
  'a tree removed with its events': async (client, scene) => {
    await removeTrees(client, scene, [scene.tree]);
    if (scene.trees.length === 1 || scene.tree === scene.trees.at(-1)) return { code: 'truncated' };
    return { code: 'removed', seq: scene.tree.first };
  },
  'the last trees cut off, with their events': async (client, scene) => {
    await removeTrees(client, scene, scene.trees.slice(scene.trees.indexOf(scene.tree)));
    return { code: 'truncated' };
  },
  'the last trees cut off, without their events': async (client, scene) => {
    const gone = scene.trees.slice(scene.trees.indexOf(scene.tree));
    await client.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position >= $2', [
      scene.organizationId,
      scene.tree.first,
    ]);
    return { code: 'added', id: [...gone.flatMap(({ ids }) => ids)].sort()[0]! };
  },
  'a head’s time': inHead('sealed_at', `sealed_at + interval '1 ms'`),
  'a head’s previous': inHead('previous', `sha256('x')`),
  'a head’s root': inHead('root', `sha256('x')`),
  'a head’s hash': inHead('head', `sha256('x')`),
  'a head’s signature': inHead('signature', `sha512('x')`),
};

/** What is changed so that the ledger can go on from it: what is left is consistent in itself, and waits to be sealed again. */
const RESTARTS: Record<string, (client: PoolClient, scene: Scene) => Promise<unknown>> = {
  'the last trees cut off, their events queued again and one of them altered': async (client, scene) => {
    await cutTrees(client, scene);
    await alter(client, scene.id, 'action');
  },
  'the last trees cut off, one of their events removed, the others queued again': async (client, scene) => {
    await client.query('DELETE FROM audit_event WHERE id = $1', [scene.id]);
    await cutTrees(client, scene);
  },
  'all trees cut off, their events queued again': (client, scene) =>
    cutTrees(client, { ...scene, tree: scene.trees[0]! }),
  'the newest tree removed with its events': (client, scene) =>
    removeTrees(client, scene, [scene.trees.at(-1)!]),
  'the head before made to be over what is left': async (client, scene) => {
    await cutTrees(client, scene);
    const { rows } = await client.query<{ organization_id: string; entry: Buffer }>(
      'SELECT * FROM audit_newest_entries((SELECT max(number) FROM audit_seal))',
    );
    const left = rows.map(({ organization_id: organization, entry }) => ({ organization, entry }));
    await client.query(
      'UPDATE audit_seal SET root = $1 WHERE number = (SELECT max(number) FROM audit_seal)',
      [rootOver(left)],
    );
  },
  'a tree put in that follows from nothing': (client, { organizationId, trees }) =>
    client.query(
      `INSERT INTO audit_tree SELECT organization_id, $2, size, (SELECT max(number) + 1 FROM audit_seal), sealed_at, root,
         previous, entry, kid, signature, event_ids, event_times, leaves, first_time, last_time
       FROM audit_tree WHERE organization_id = $1 AND first_position = $3`,
      [organizationId, endOf(trees), trees.at(-1)!.first],
    ),
  'a tree that nobody signed put in over the newest, as the entry of an older one': async (client, scene) => {
    const { organizationId, trees, tree } = scene;
    await client.query(
      `INSERT INTO audit_tree SELECT n.organization_id, $2, 1, (SELECT max(number) + 1 FROM audit_seal), n.sealed_at, n.root, n.entry,
         o.entry, 'x', '', ARRAY[gen_random_uuid()], ARRAY[now()], sha256(''), now(), now()
       FROM audit_tree n JOIN audit_tree o ON o.organization_id = n.organization_id AND o.first_position = $4
       WHERE n.organization_id = $1 AND n.first_position = $3`,
      [organizationId, endOf(trees), trees.at(-1)!.first, tree.first],
    );
  },
  'such a tree, by the worker’s role, under the signature of the newest': async (client, scene) => {
    await asWorker(client, scene.organizationId);
    await client.query(
      `INSERT INTO audit_tree SELECT organization_id, $2, 1, (SELECT max(number) + 1 FROM audit_seal), sealed_at, root, entry,
         sha256('x'), kid, signature, event_ids[1:1], event_times[1:1], sha256(''), first_time, first_time
       FROM audit_tree WHERE organization_id = $1 AND first_position = $3`,
      [scene.organizationId, endOf(scene.trees), scene.trees.at(-1)!.first],
    );
  },
  'the entry of the newest tree said to be an older one, while an event waits': async (client, scene) => {
    const { organizationId, trees } = scene;
    await client.query(
      `UPDATE audit_tree SET entry = sha256('x') WHERE organization_id = $1 AND first_position = $2`,
      [organizationId, trees.at(-1)!.first],
    );
    await letOneWait(client, scene);
  },
};

const asWorker = async (client: PoolClient, organizationId: string) => {
  await client.query('SET LOCAL ROLE scandock_worker');
  await client.query(`SELECT set_config('app.organization_id', $1, true)`, [organizationId]);
};
const letOneWait = (client: PoolClient, { organizationId, id }: Scene) =>
  copyEvent(client, id).then((added) => queue(client, organizationId, added));

/** The trees from the scene's on, whose events wait for their seal again. */
async function cutTrees(client: PoolClient, { organizationId, tree }: Scene): Promise<void> {
  await client.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position >= $2', [
    organizationId,
    tree.first,
  ]);
  await client.query(
    `INSERT INTO audit_unsealed SELECT organization_id, occurred_at, id FROM audit_event e WHERE organization_id = $1
       AND NOT EXISTS (SELECT 1 FROM audit_tree t WHERE t.organization_id = $1 AND e.id = ANY (t.event_ids))`,
    [organizationId],
  );
}

async function ledgerOf(sizes: number[]): Promise<string> {
  const organizationId = newId();
  for (const size of sizes) {
    await Promise.all(
      Array.from({ length: size }, (_, number) => audit.append(entryOf(organizationId, number))),
    );
    await sealer.seal();
  }
  return organizationId;
}

describe('a ledger that a superuser has tampered with', () => {
  const ledgers = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
    tree: fc.nat(),
    index: fc.nat(),
    other: fc.nat(),
  });

  it.each(Object.keys(TAMPERINGS))('%s', async (name) => {
    await fc.assert(
      fc.asyncProperty(ledgers, async ({ sizes, ...at }) => {
        const organizationId = await ledgerOf(sizes);
        const trees = await treesOf(world.admin, organizationId);
        const tree = trees[at.tree % trees.length]!;
        const [one, two] = [at.index % tree.size, at.other % tree.size];
        const [index, other] = [Math.min(one, two), Math.max(one, two)];
        const scene = {
          organizationId,
          trees,
          tree,
          index,
          other,
          seq: tree.first + index,
          id: tree.ids[index]!,
        };
        const all = sizes.reduce((sum, size) => sum + size);
        const before = await verification.verify(organizationId, {});
        expect(before).toMatchObject({ valid: true, events: all, seals: trees.length, unsealed: 0 });
        expect(endOf(trees)).toBe(all + 1);
        await putBack(world.admin, async () => {
          const expected = await asSuperuser(world.admin, (client) => TAMPERINGS[name]!(client, scene));
          const found = await verification.verify(organizationId, {});
          if (!expected) {
            fc.pre(name === 'nothing'); // there is no other one to take, in this ledger
            return expect(found.valid).toBe(true);
          }
          const { code, ...place } = expected;
          expect(found.first_bad).toMatchObject({ why: expect.stringMatching(`^${code}: `), ...place });
          expect(found.valid).toBe(false);
        });
      }),
      { numRuns: 4 },
    );
  });

  it.each(Object.keys(RESTARTS))('%s: nothing is sealed on top of it', async (name) => {
    await fc.assert(
      fc.asyncProperty(ledgers, async ({ sizes, ...at }) => {
        const organizationId = await ledgerOf(sizes);
        const trees = await treesOf(world.admin, organizationId);
        const tree = trees[at.tree % trees.length]!;
        const index = at.index % tree.size;
        const place = { tree, index, other: index, seq: tree.first + index, id: tree.ids[index]! };
        await putBack(world.admin, async () => {
          await asSuperuser(world.admin, (client) =>
            RESTARTS[name]!(client, { organizationId, trees, ...place }),
          );
          for (const each of [sealer, newSealer()])
            await expect(each.seal()).rejects.toThrow(LedgerRewritten);
          expect(await verification.verify(organizationId, {})).toMatchObject({ valid: false });
        });
        expect(await sealer.seal()).toBeGreaterThan(0);
      }),
      { numRuns: 2 },
    );
  });

  it('an event removed, and all times of its tree with it: found in each interval that it was of', async () => {
    const organizationId = await ledgerOf([3, 3]);
    const [, tree] = await treesOf(world.admin, organizationId);
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, async (client) => {
        await client.query('DELETE FROM audit_event WHERE id = ANY ($1)', [tree!.ids]);
        await client.query(
          `UPDATE audit_tree SET first_time = '1970-01-01', last_time = '1970-01-01',
             event_times = array_fill('1970-01-01'::timestamptz, ARRAY[size])
           WHERE organization_id = $1 AND first_position = $2`,
          [organizationId, tree!.first],
        );
      });
      const from = new Date(Date.now() - 60_000).toISOString();
      const to = new Date(Date.now() + 60_000).toISOString();
      for (const interval of [{}, { from }, { to }, { from, to }])
        expect(await verification.verify(organizationId, interval)).toMatchObject({
          valid: false,
          first_bad: { seq: tree!.first, why: expect.stringMatching(/^removed: /) },
        });
    });
  });
});
