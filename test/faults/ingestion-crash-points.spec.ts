import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { insertIssued } from '../../src/modules/uploads/upload.issue.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance, ctSeries } from '../support/dicom-files.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder } from '../support/ledger-checks.js';
import { insertOrganization, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { atEveryStep, FAULTS, faultsAt, live, MINUTE, sweepAgain } from './every-step.js';

const PRINCIPAL = { kind: 'api_key' as const, id: newId() };

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

interface Sent {
  name: string;
  bytes: Uint8Array;
  orderId?: string;
}

/** What a client does: a URL for each, and the PUT. Returns the ids, in order. */
async function send(organizationId: string, files: Sent[]): Promise<string[]> {
  const issuedAt = new Date();
  const uploads = files.map(({ name, orderId }) => ({
    id: newId(),
    surface: 'ingestion' as const,
    principal: PRINCIPAL,
    name,
    ...(orderId && { orderId }),
  }));
  const validity = { issuedAt, urlExpiresAt: new Date(issuedAt.getTime() + 15 * MINUTE) };
  await world.database.withOrganizationSql(organizationId, (tx) =>
    insertIssued(tx, organizationId, validity, uploads),
  );
  for (const [index, { bytes }] of files.entries())
    await stage(stack.s3, organizationId, uploads[index]!.id, bytes);
  return uploads.map(({ id }) => id);
}

async function newOrder(organizationId: string): Promise<string> {
  const id = randomUUID();
  await stack.admin.query(
    `INSERT INTO "order" (organization_id, id, origin, created_by_id, created_at) VALUES ($1, $2, 'created', $3, now())`,
    [organizationId, id, PRINCIPAL.id],
  );
  return id;
}

async function query<Row>(sql: string, organizationId: string): Promise<Row[]> {
  const { rows } = await stack.admin.query(sql, [organizationId]);
  return rows as Row[];
}

/** What those who wait were told, in any order. */
async function told(organizationId: string): Promise<string[]> {
  const events = await query<{ type: string; what: string }>(
    `SELECT type, coalesce(data->>'study_uid', data->>'rule', data->>'order_id') AS what FROM outbox_event
     WHERE organization_id = $1`,
    organizationId,
  );
  return events.map(({ type, what }) => `${type} ${what}`).sort();
}

describe('a worker that dies, or whose call fails, at any of its steps', () => {
  it('assembles the same studies and orders, tells of each once and leaves nothing behind', async () => {
    await atEveryStep(async (fault, name) => {
      const clock = new MovableClock();
      const organizationId = await insertOrganization(stack.admin);
      const [order, hopeless] = [await newOrder(organizationId), await newOrder(organizationId)];
      const StudyInstanceUID = newUid();
      const [first, second] = ctSeries(2);
      const zip = writeZip([
        { name: 'a/1.dcm', data: first! },
        { name: 'a/2.dcm', data: second! },
        { name: 'readme.txt', data: 'viewer' },
      ]);
      await send(organizationId, [
        { name: 'archive', bytes: zip },
        { name: 'image', bytes: ctInstance({ StudyInstanceUID }), orderId: order },
        { name: 'broken', bytes: ctInstance().subarray(0, -100), orderId: hopeless },
      ]);

      const worker = new Incarnation(world, clock, fault);
      await live(worker, clock);
      const successor = new Incarnation(world, clock);
      await live(successor, clock);
      await sweepAgain(successor, clock);

      const uploads = await query(
        `SELECT declared_name AS name, state::text, rejection_rule AS rule, parked_at AS parked, duplicate FROM upload
         WHERE organization_id = $1 ORDER BY declared_name`,
        organizationId,
      );
      const settled = { state: 'registered', rule: null, parked: null, duplicate: false };
      expect([name(worker), ...uploads]).toEqual([
        name(worker),
        { ...settled, name: 'a/1.dcm' },
        { ...settled, name: 'a/2.dcm' },
        { ...settled, name: 'archive' },
        { ...settled, name: 'broken', state: 'rejected', rule: 'dicom.truncated' },
        { ...settled, name: 'image' },
      ]);
      const studies = await query<{ uid: string; order: string; origin: string }>(
        `SELECT st.study_instance_uid AS uid, s.generation, s.state::text, o.id AS order, o.origin::text
         FROM submission s JOIN study st ON st.id = s.study_id JOIN order_study os ON os.study_id = st.id
         JOIN "order" o ON o.organization_id = st.organization_id AND o.id = os.order_id
         WHERE s.organization_id = $1 ORDER BY o.origin`,
        organizationId,
      );
      const closed = { generation: 1, state: 'closed' };
      expect([name(worker), ...studies]).toEqual([
        name(worker),
        { ...closed, uid: StudyInstanceUID, order, origin: 'created' },
        { ...closed, uid: expect.any(String), order: expect.any(String), origin: 'assembled' },
      ]);
      expect([name(worker), ...(await told(organizationId))]).toEqual([
        name(worker),
        `order.failed ${hopeless}`,
        ...studies.map(({ uid }) => `study.ready ${uid}`).sort(),
        'upload.rejected dicom.truncated',
      ]);
      const wrong = await findDisagreements(stack, organizationId, { swept: true });
      expect([name(worker), ...wrong]).toEqual([name(worker)]);
      expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(4);
      return worker;
    });
  }, 300_000);

  it('leaves a study that another worker settles the other half of whole', async () => {
    for (let step = 1, struck = true; struck; step++) {
      struck = false;
      for (const kind of faultsAt(step, FAULTS)) {
        const clock = new MovableClock();
        const organizationId = await insertOrganization(stack.admin);
        const files = ctSeries(8).map((bytes, index) => ({ name: `${index}`, bytes }));
        const uploads = await send(organizationId, files);
        const [mortal, other] = [
          new Incarnation(world, clock, { kind, step }),
          new Incarnation(world, clock),
        ];
        await other.reconciler.run(); // all has landed
        uploads.forEach((uploadId, index) =>
          (index % 2 ? mortal : other).queued.set(uploadId, { organizationId, uploadId }),
        );
        for (const uploadId of mortal.queued.keys()) other.queued.delete(uploadId);
        await Promise.all([drainAtOnce(mortal), drainAtOnce(other)]);
        clock.travel(20_000);
        await Promise.all([mortal.live(1), other.live(1)]);
        clock.travel(2 * 60 * MINUTE);
        await Promise.all([mortal.live(1), other.live(1)]);
        await other.live(1);
        await sweepAgain(other, clock);

        const name = `${kind} at step ${step}: ${mortal.struck ?? 'none'}`;
        const found = await query(
          `SELECT (SELECT count(*)::int FROM instance i WHERE i.organization_id = $1 AND superseded_in IS NULL AND generation = 1) AS instances,
                  (SELECT count(*)::int FROM study WHERE organization_id = $1) AS studies,
                  (SELECT count(*)::int FROM "order" WHERE organization_id = $1) AS orders,
                  (SELECT string_agg(state::text, ' ') FROM submission WHERE organization_id = $1) AS submissions`,
          organizationId,
        );
        expect([name, found]).toEqual([
          name,
          [{ instances: 8, studies: 1, orders: 1, submissions: 'closed' }],
        ]);
        const wrong = await findDisagreements(stack, organizationId, { swept: true });
        expect([name, ...wrong]).toEqual([name]);
        expect(await told(organizationId)).toHaveLength(1);
        struck ||= mortal.struck !== undefined;
      }
    }
  }, 300_000);
});

/** As a worker with more than one job at a time does. */
async function drainAtOnce(worker: Incarnation): Promise<void> {
  await Promise.all(Array.from({ length: 3 }, () => worker.drain()));
}
