import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findDisagreements } from '../../support/ledger-checks.js';
import { stage } from '../../support/ledger-rows.js';
import { lockWaiters } from '../../support/lock-waiters.js';
import { MINUTE, type Scene, SECOND, StudyMaker, Theatre } from './scene.js';

const HOUR = 60 * MINUTE;

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

const broken = () => study.bytes('broken').subarray(0, -100);
const orderOf = async (upload: string) => (await scene.upload(upload)).orderId;
const failures = () => scene.events('order.failed');
const isFailed = async (orderId: string) => (await scene.orders()).find(({ id }) => id === orderId)!.failed;

describe('the order of an instance', () => {
  it('is the one it was uploaded for, whatever others its study has', async () => {
    const [first, second] = [await scene.newOrder(), await scene.newOrder()];
    const a = await scene.send(study.bytes('a'), 0, { orderId: first });
    const b = await scene.send(study.bytes('b'), 0, { orderId: second });
    expect([await orderOf(a), await orderOf(b)]).toEqual([first, second]);
    await scene.pass(MINUTE);
    expect(await scene.events('study.ready')).toEqual([
      { study_uid: study.uid, generation: 1, order_ids: expect.arrayContaining([first, second]) },
    ]);
  });

  it('else its study’s newest that is open', async () => {
    const older = await scene.newOrder();
    await scene.send(study.bytes('a'), 0, { orderId: older });
    scene.clock.time += SECOND;
    const newer = await scene.newOrder();
    await scene.send(study.bytes('b'), SECOND, { orderId: newer });
    expect(await orderOf(await scene.send(study.bytes('c'), SECOND))).toBe(newer);
    await scene.closeOrder(newer, 2 * SECOND);
    expect(await orderOf(await scene.send(study.bytes('d'), 3 * SECOND))).toBe(older);
    await scene.closeOrder(older, 4 * SECOND);
    const made = await orderOf(await scene.send(study.bytes('e'), 5 * SECOND));
    expect(await scene.orders()).toContainEqual({ id: made, origin: 'assembled', failed: false });
    expect([older, newer]).not.toContain(made);
    // What brings nothing new asks for nothing new.
    const bytes = study.bytes('f');
    const first = await scene.send(bytes, 5 * SECOND);
    await scene.closeOrder(made!, 6 * SECOND);
    expect(await orderOf(first)).toBe(made);
    expect(await orderOf(await scene.send(bytes, 7 * SECOND))).toBe(made);
    expect(await scene.orders()).toHaveLength(3);
  });

  it('else one that is made for it, which the others of its study join: twenty at once, by four workers', async () => {
    const uploads = await Promise.all(
      Array.from({ length: 20 }, (_, index) => scene.land(study.bytes(`${index}`), 0)),
    );
    const workers = Array.from({ length: 4 }, () => scene.anotherWorker());
    uploads.forEach((uploadId, index) =>
      workers[index % 4]!.queued.set(uploadId, { organizationId: scene.organizationId, uploadId }),
    );
    await Promise.all(workers.map((worker) => worker.drain()));
    expect(new Set(await Promise.all(uploads.map(orderOf))).size).toBe(1);
    expect(await scene.orders()).toEqual([{ id: expect.anything(), origin: 'assembled', failed: false }]);
    expect(Object.keys(await scene.shown(study, 1))).toHaveLength(20);
    expect(await findDisagreements(theatre.stack, scene.organizationId)).toEqual([]);
  });

  it('is none for an exam’s', async () => {
    const upload = await scene.send(study.bytes('a'), 0, { exam: true });
    expect([await orderOf(upload), await scene.orders()]).toEqual([null, []]);
    await scene.pass(MINUTE);
    expect(await scene.events('study.ready')).toEqual([
      { study_uid: study.uid, generation: 1, order_ids: [] },
    ]);
  });

  it('is one a study in one transaction', async () => {
    const other = new StudyMaker();
    const uploads = [
      await scene.land(study.bytes('a'), 0),
      await scene.land(other.bytes('a'), 0),
      await scene.land(study.bytes('b'), 0),
    ];
    await scene.verifyTogether(...uploads);
    const [a, theirs, b] = await Promise.all(uploads.map(orderOf));
    expect(a).toBe(b);
    expect(theirs).not.toBe(a);
  });
});

describe('an order fails', () => {
  it('when all that came for it was rejected, and says so once', async () => {
    const orderId = await scene.newOrder();
    const first = await scene.land(broken(), 0, { orderId });
    const second = await scene.land(broken(), 0, { orderId });
    await scene.verify(first);
    expect(await failures()).toEqual([]);
    await scene.verify(second);
    expect([await failures(), await isFailed(orderId)]).toEqual([[{ order_id: orderId }], true]);
    await scene.send(broken(), MINUTE, { orderId });
    expect(await failures()).toHaveLength(1);
    expect((await scene.events('upload.rejected')).map(({ order_id }) => order_id)).toEqual(
      Array.from({ length: 3 }, () => orderId),
    );
  });

  it('when the last two are rejected at once, by two transactions', async () => {
    const orderId = await scene.newOrder();
    const uploads = [await scene.land(broken(), 0, { orderId }), await scene.land(broken(), 0, { orderId })];
    const client = await theatre.stack.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM "order" WHERE id = $1 FOR UPDATE', [orderId]);
      // Both have rejected theirs before either can ask what is left.
      const { organizationId } = scene;
      const verified = uploads.map((uploadId) =>
        scene.anotherWorker().verifier.verify({ organizationId, uploadId }),
      );
      await lockWaiters(theatre.stack.admin, 2);
      await client.query('COMMIT');
      await Promise.all(verified);
    } finally {
      client.release();
    }
    expect(await failures()).toEqual([{ order_id: orderId }]);
  });

  it('when the last URL that was still open expires, and not before', async () => {
    const orderId = await scene.newOrder();
    const open = await scene.issue({ orderId });
    await scene.send(broken(), 0, { orderId });
    await scene.pass(15 * MINUTE);
    expect(await failures()).toEqual([]);
    await scene.pass(16 * MINUTE + SECOND);
    expect(await failures()).toEqual([{ order_id: orderId }]);
    await scene.pass(17 * MINUTE);
    expect(await failures()).toHaveLength(1);

    // The PUT had begun in time after all.
    const bytes = study.bytes('a');
    await stage(theatre.stack.s3, scene.organizationId, open, bytes);
    await scene.notice(open, bytes.length, 17 * MINUTE);
    await scene.verify(open);
    expect(await isFailed(orderId)).toBe(false);
  });

  it('not when nothing ever came', async () => {
    const orderId = await scene.newOrder();
    await scene.issue({ orderId });
    await scene.pass(2 * HOUR);
    expect([await failures(), await isFailed(orderId)]).toEqual([[], false]);
  });

  it('not while something is registered, and no longer when something is', async () => {
    const orderId = await scene.newOrder();
    await scene.send(broken(), 0, { orderId });
    expect(await isFailed(orderId)).toBe(true);
    await scene.send(study.bytes('a'), SECOND, { orderId });
    expect(await isFailed(orderId)).toBe(false);
    await scene.send(broken(), 2 * SECOND, { orderId });
    expect([await isFailed(orderId), await failures()]).toEqual([false, [{ order_id: orderId }]]);
  });

  it('not by its reports: neither does one that is refused fail it, nor one that is taken mend it', async () => {
    const orderId = await scene.newOrder();
    await scene.issue({ orderId });
    await scene.query(
      `INSERT INTO upload (id, organization_id, order_id, surface, state, state_changed_at, principal_kind, principal_id, issued_at,
                           url_expires_at, rejected_at, rejection_rule, rejection_message)
       VALUES (gen_random_uuid(), $1, $2, 'results', 'rejected', now(), 'api_key', gen_random_uuid(), now(), now(), now(), 'x', 'x')`,
      [orderId],
    );
    await scene.pass(HOUR);
    expect([await failures(), await isFailed(orderId)]).toEqual([[], false]);
  });
});
