import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deleteOfExam } from '../../src/modules/uploads/upload.ledger.js';
import { stagingKey } from '../../src/modules/uploads/uploads.keys.js';
import { StudiesService } from '../../src/modules/studies/studies.service.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance } from '../support/dicom-files.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder, statesOf } from '../support/ledger-checks.js';
import { insertExam, insertOrganization, type IssuedExamRows, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { atEveryStep, live, MINUTE, sweepAgain } from './every-step.js';

const DAY = 24 * 60 * MINUTE;

let stack: Stack;
let world: Outside;

beforeAll(async () => {
  stack = await startStack();
  const config = stack.workerConfig;
  world = { config, database: new DatabaseService(config), storage: new StorageService(config) };
});
afterAll(async () => {
  await world.database.onApplicationShutdown();
  world.storage.onApplicationShutdown();
  await stack.close();
});

describe('a worker that dies, or whose call fails, at any of its steps', () => {
  it('settles each upload once, keeps each content once and leaves nothing behind', async () => {
    await atEveryStep(async (fault, name) => {
      const clock = new MovableClock();
      const organizationId = await insertOrganization(stack.admin);
      const good = ctInstance();
      const files = { good, twin: good, bad: ctInstance().subarray(0, -100) };
      const { uploads } = await insertExam(stack.admin, world.database, organizationId, files);
      for (const [name, bytes] of Object.entries(files))
        await stage(stack.s3, organizationId, uploads[name]!, bytes);

      const worker = new Incarnation(world, clock, fault);
      await live(worker, clock);
      const successor = new Incarnation(world, clock);
      await live(successor, clock);
      await sweepAgain(successor, clock);

      const { rows } = await stack.admin.query(
        `SELECT s.name, u.state::text, u.rejection_rule AS rule, u.duplicate, s.filled_by_id = u.id AS fills, u.parked_at AS parked
         FROM upload u JOIN slot s ON s.id = u.slot_id WHERE u.organization_id = $1 ORDER BY s.position`,
        [organizationId],
      );
      const settled = { rule: null, fills: true, parked: null };
      const isFirst = rows[0]?.duplicate === false;
      expect([name(worker), ...rows]).toEqual([
        name(worker),
        { ...settled, name: 'good', state: 'registered', duplicate: !isFirst },
        { ...settled, name: 'twin', state: 'registered', duplicate: isFirst },
        { ...settled, name: 'bad', state: 'rejected', rule: 'dicom.truncated', duplicate: false },
      ]);
      const wrong = await findDisagreements(stack, organizationId, { swept: true });
      expect([name(worker), ...wrong]).toEqual([name(worker)]);
      expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(1);
      return worker;
    });
  }, 120_000);

  it('rejects an object that vanished, in the end, and parks nothing', async () => {
    await atEveryStep(async (fault, name) => {
      const clock = new MovableClock();
      const organizationId = await insertOrganization(stack.admin);
      const file = ctInstance();
      const { uploads } = await insertExam(stack.admin, world.database, organizationId, { file });
      await stage(stack.s3, organizationId, uploads.file!, file);
      const first = new Incarnation(world, clock);
      await first.reconciler.run(); // it lands, and then it is gone
      await world.storage.delete([stagingKey(organizationId, uploads.file!)]);
      await stack.admin.query('UPDATE upload SET failures = 3 WHERE organization_id = $1', [organizationId]);

      const worker = new Incarnation(world, clock, fault);
      clock.travel(20_000);
      await worker.live(1);
      const successor = new Incarnation(world, clock);
      await live(successor, clock);
      await sweepAgain(successor, clock);

      const { rows } = await stack.admin.query(
        'SELECT state::text, rejection_rule AS rule, parked_at AS parked FROM upload WHERE organization_id = $1',
        [organizationId],
      );
      expect([name(worker), rows]).toEqual([
        name(worker),
        [{ state: 'rejected', rule: 'object.missing', parked: null }],
      ]);
      const wrong = await findDisagreements(stack, organizationId, { swept: true });
      expect([name(worker), ...wrong]).toEqual([name(worker)]);
      return worker;
    });
  }, 120_000);

  it('purges what was deleted, whole, and nothing else', async () => {
    await atEveryStep(async (fault, name) => {
      const clock = new MovableClock();
      const organizationId = await insertOrganization(stack.admin);
      const [shared, own] = [ctInstance(), ctInstance()];
      const kept = await insertExam(stack.admin, world.database, organizationId, { shared });
      const gone = await insertExam(stack.admin, world.database, organizationId, {
        shared,
        own,
      });
      const first = new Incarnation(world, clock);
      await stage(stack.s3, organizationId, kept.uploads.shared!, shared);
      await first.live(1);
      await stage(stack.s3, organizationId, gone.uploads.shared!, shared);
      await stage(stack.s3, organizationId, gone.uploads.own!, own);
      await first.live(1);
      expect(await statesOf(stack.admin, organizationId)).toEqual({ registered: 3 });
      await removeExam(organizationId, gone, clock);

      const worker = new Incarnation(world, clock, fault);
      const purge = async (life: Incarnation) => {
        for (const time of [DAY + MINUTE, DAY + MINUTE]) {
          clock.travel(time);
          await life.purge.run().catch(() => undefined);
        }
      };
      await purge(worker);
      const successor = new Incarnation(world, clock);
      await purge(successor);
      await successor.live(1);

      expect([name, await statesOf(stack.admin, organizationId)]).toEqual([
        name,
        { registered: 1, purged: 2 },
      ]);
      const wrong = await findDisagreements(stack, organizationId, { swept: true });
      expect([name(worker), ...wrong]).toEqual([name(worker)]);
      expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(1);
      const { rows } = await stack.admin.query(
        `SELECT sum((detail->>'count')::int)::int AS count FROM audit_event WHERE organization_id = $1 AND action = 'uploads:purge'`,
        [organizationId],
      );
      expect([name(worker), rows]).toEqual([name(worker), [{ count: 2 }]]);
      return worker;
    });
  }, 120_000);
});

async function removeExam(
  organizationId: string,
  { examId }: IssuedExamRows,
  clock: MovableClock,
): Promise<void> {
  await world.database.withOrganization(organizationId, async (tx) => {
    const objects = await tx.upload.findMany({
      where: { slot: { examId } },
      select: { storedObjectId: true },
    });
    await deleteOfExam(tx, organizationId, examId, 'exam deleted', clock.now());
    await new StudiesService().withdrawUnreferenced(
      tx,
      organizationId,
      objects.flatMap(({ storedObjectId }) => storedObjectId ?? []),
    );
  });
}
