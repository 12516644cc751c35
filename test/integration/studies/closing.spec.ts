import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { StudiesService } from '../../../src/modules/studies/studies.service.js';
import { findDisagreements } from '../../support/ledger-checks.js';
import { stage } from '../../support/ledger-rows.js';
import { lockWaiters } from '../../support/lock-waiters.js';
import { MINUTE, type Scene, SECOND, StudyMaker, Theatre } from './scene.js';

let theatre: Theatre;
let scene: Scene;
let study: StudyMaker;

beforeAll(async () => {
  theatre = await Theatre.open();
});
afterAll(() => theatre.close());
beforeEach(async () => {
  scene = await theatre.scene();
  study = new StudyMaker();
});

const state = async () => (await scene.submissions(study)).at(-1)!.state;
const stateAt = async (time: number) => {
  await scene.pass(time);
  return state();
};
const ready = () => scene.events('study.ready');

/** Uploads of an organization that landed at this time, and that nobody has verified. */
async function backlog(count: number, time: number, { organizationId } = scene): Promise<void> {
  await theatre.stack.admin.query(
    `INSERT INTO upload (id, organization_id, surface, state, state_changed_at, principal_kind, principal_id, issued_at,
                         url_expires_at, landed_at, landed_size, bucket_modified_at)
     SELECT gen_random_uuid(), $1, 'ingestion', 'landed', t.at, 'api_key', $3, t.at, t.at + interval '15 minutes', t.at, 1, t.at
     FROM generate_series(1, $4), (SELECT $2::timestamptz AS at) AS t`,
    [organizationId, new Date(scene.begin + time), scene.principal, count],
  );
}

describe('uploads that are not verified yet', () => {
  it('keep a study open that they landed before, a thousand of them for a quarter of an hour', async () => {
    await scene.send(study.bytes('a'), 0);
    await backlog(1000, MINUTE - 1);
    for (const time of [MINUTE, 5 * MINUTE, 16 * MINUTE - 1]) expect(await stateAt(time)).toBe('open');
    expect(await ready()).toEqual([]);
    expect(await stateAt(16 * MINUTE)).toBe('closed');
    expect(await ready()).toHaveLength(1);
  });

  it('keep it open until the last of them is verified', async () => {
    await scene.send(study.bytes('a'), 0);
    const [b, other] = [
      await scene.land(study.bytes('b'), 30 * SECOND),
      await scene.land(new StudyMaker().bytes('x'), 40 * SECOND),
    ];
    expect(await stateAt(3 * MINUTE)).toBe('open');
    await scene.verify(b);
    expect(await stateAt(3 * MINUTE)).toBe('open');
    await scene.verify(other);
    expect(await stateAt(3 * MINUTE)).toBe('closed');
    expect(await ready()).toHaveLength(2);
  });

  it.each([
    ['landed later', () => backlog(1, MINUTE)],
    ['belong to another organization', async () => backlog(10, 0, await theatre.scene())],
    [
      'were set aside for a person',
      async () => {
        await backlog(3, 0);
        await scene.query(`UPDATE upload SET parked_at = now(), parked_reason = 'Error' WHERE organization_id = $1
                           AND state = 'landed'`);
      },
    ],
  ])('do not, when they %s', async (_, withBacklog) => {
    await scene.send(study.bytes('a'), 0);
    await withBacklog();
    expect(await stateAt(MINUTE)).toBe('closed');
  });

  it('do not once they are rejected', async () => {
    await scene.send(study.bytes('a'), 0);
    const broken = await scene.land(study.bytes('b').subarray(0, -100), 10 * SECOND);
    expect(await stateAt(MINUTE)).toBe('open');
    await scene.verify(broken);
    expect(await stateAt(MINUTE)).toBe('closed');
  });
});

describe('what the reconciler has not seen', () => {
  it('is not closed by: what is PUT while it lists', async () => {
    await scene.send(study.bytes('a'), 0);
    scene.clock.time = scene.begin + MINUTE - 1;
    const { storage } = theatre.outside;
    const { list } = storage;
    try {
      // The minute ends while staging is being listed.
      storage.list = async function* (...asked) {
        yield* list.apply(storage, asked);
        scene.clock.time += SECOND;
      };
      await scene.worker.reconciler.run();
    } finally {
      storage.list = list;
    }
    expect(await state()).toBe('open');
    await scene.worker.reconciler.run();
    expect(await state()).toBe('closed');
  });

  it('is not closed by: an organization whose objects could not be landed; others are', async () => {
    const neighbour = await theatre.scene();
    const theirs = new StudyMaker();
    await scene.send(study.bytes('a'), 0);
    await neighbour.send(theirs.bytes('a'), 0);
    const bytes = study.bytes('b');
    const b = await scene.issue();
    await stage(theatre.stack.s3, scene.organizationId, b, bytes);
    const time = scene.begin + 2 * MINUTE;
    scene.clock.time = time;

    const [worker, { organizationId }] = [scene.anotherWorker(), scene];
    const { land } = worker.landing;
    worker.landing.land = (witness, facts) =>
      witness.organizationId === organizationId
        ? Promise.reject(new Error('refused'))
        : land.call(worker.landing, witness, facts);
    await worker.reconciler.run();
    expect([await state(), await ready()]).toEqual(['open', []]);
    expect(await neighbour.events('study.ready')).toHaveLength(1);

    worker.landing.land = land;
    await worker.reconciler.run();
    expect(await state()).toBe('open'); // the other one has landed, and is waited for
    await scene.verify(b);
    expect(await scene.shown(study, 1)).toMatchObject({ b });
  });

  it('is not closed by: a time that was moved since it was found due', async () => {
    await scene.send(study.bytes('a'), 0);
    const later = await scene.land(study.bytes('b'), 61 * SECOND);
    await backlog(1, 62 * SECOND);
    const client = await theatre.stack.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'study', $1::text, $2::text), 0))`,
        [scene.organizationId, study.uid],
      );
      scene.clock.time = scene.begin + 10 * MINUTE;
      const verifying = scene.verify(later); // waits for the study, and the reconciler behind it
      await lockWaiters(theatre.stack.admin, 1, 'advisory');
      const passing = scene.worker.reconciler.run();
      await lockWaiters(theatre.stack.admin, 2, 'advisory');
      await client.query('COMMIT');
      await Promise.all([verifying, passing]);
    } finally {
      client.release();
    }
    expect(await scene.submissions(study)).toMatchObject([{ state: 'open', closes: 121 * SECOND }]);
    expect(await ready()).toEqual([]);
  });
});

describe('an order that is closed', () => {
  it('closes its studies now', async () => {
    const orderId = await scene.newOrder();
    await scene.send(study.bytes('a'), 0, { orderId });
    await scene.closeOrder(orderId, SECOND);
    expect(await stateAt(SECOND)).toBe('closed');
    expect(await ready()).toEqual([{ study_uid: study.uid, generation: 1, order_ids: [orderId] }]);
  });

  it('closes them when what has landed is verified, and not before', async () => {
    const orderId = await scene.newOrder();
    await scene.send(study.bytes('a'), 0, { orderId });
    const b = await scene.land(study.bytes('b'), 900, { orderId });
    await scene.closeOrder(orderId, SECOND);
    expect(await stateAt(2 * SECOND)).toBe('open');
    await scene.verify(b);
    expect(await stateAt(3 * SECOND)).toBe('closed');
    expect(await ready()).toHaveLength(1);
  });

  it('does not wait for the idle minute of what is verified when it is closed already', async () => {
    const orderId = await scene.newOrder();
    const only = await scene.land(study.bytes('a'), 0, { orderId });
    await scene.closeOrder(orderId, SECOND);
    await scene.verify(only);
    expect(await stateAt(2 * SECOND)).toBe('closed');
  });

  it('has instances that came without an order, too, if they landed before', async () => {
    const { orderId } = await scene.upload(await scene.send(study.bytes('a'), 0));
    const [before, after] = [
      await scene.land(study.bytes('b'), 900),
      await scene.land(study.bytes('c'), 1100),
    ];
    await scene.closeOrder(orderId!, SECOND);
    await scene.verify(before);
    expect((await scene.upload(before)).orderId).toBe(orderId);
    expect(await scene.submissions(study)).toMatchObject([{ closes: SECOND }]);
    await scene.verify(after);
    expect((await scene.upload(after)).orderId).not.toBe(orderId);
    expect(await scene.submissions(study)).toMatchObject([{ closes: 1100 + MINUTE }]);
  });

  it('leaves the studies of other orders alone', async () => {
    await scene.send(study.bytes('a'), 0);
    const orderId = await scene.newOrder();
    await scene.send(new StudyMaker().bytes('x'), 0, { orderId });
    await scene.closeOrder(orderId, SECOND);
    expect(await stateAt(SECOND)).toBe('open');
  });
});

it('a study whose exam is deleted is not closed any more, and takes no other with it', async () => {
  const upload = await scene.send(study.bytes('a'), 0, { exam: true });
  const other = new StudyMaker();
  await scene.send(other.bytes('a'), 0);
  const objects = await scene.query<{ id: string }>(
    'SELECT stored_object_id AS id FROM upload WHERE organization_id = $1 AND id = $2',
    [upload],
  );
  await theatre.outside.database.withOrganization(scene.organizationId, async (tx) => {
    await tx.$executeRaw`UPDATE upload SET state = 'deleted', deleted_at = now(), deleted_reason = 'x', study_id = NULL WHERE id = ${upload}::uuid`;
    await new StudiesService().withdrawUnreferenced(
      tx,
      scene.organizationId,
      objects.map(({ id }) => id),
    );
  });
  await scene.pass(MINUTE);
  expect((await ready()).map(({ study_uid }) => study_uid)).toEqual([other.uid]);
  expect(await findDisagreements(theatre.stack, scene.organizationId)).toEqual([]);
});
