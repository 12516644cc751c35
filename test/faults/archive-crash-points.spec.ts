import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newUid } from '../../src/demo/phantom.js';
import { elementsFrom, writeDicom } from '../../src/formats/dicom/write.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { insertIssued } from '../../src/modules/uploads/upload.issue.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { ctInstance } from '../support/dicom-files.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder } from '../support/ledger-checks.js';
import { insertOrganization, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { atEveryStep } from './every-step.js';

const TWO_HOURS = 2 * 3600_000;

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

const StudyInstanceUID = newUid();
const image = (facts: object = {}) => ctInstance({ StudyInstanceUID, ...facts });
const twin = image();
/** Two images, one of them twice, and a directory that is found out only when it has been written. */
const good = writeZip([
  { name: 'a', data: twin },
  { name: 'b', data: image() },
  { name: 'a again', data: twin },
  {
    name: 'index',
    data: writeDicom({
      elements: elementsFrom({ SOPClassUID: '1.2.840.10008.1.3.10', SOPInstanceUID: newUid() }),
    }),
  },
]);
/** What is wrong with it is the last thing that is seen. */
const bad = writeZip([
  { name: 'a', data: image() },
  { name: 'b', data: ctInstance() },
]);

async function upload(organizationId: string, now: Date): Promise<{ good: string; bad: string }> {
  const ids = { good: newId(), bad: newId() };
  const principal = { kind: 'client' as const, id: newId() };
  const validity = { issuedAt: now, urlExpiresAt: new Date(now.getTime() + 900_000) };
  await world.database.withOrganizationSql(organizationId, (tx) =>
    insertIssued(
      tx,
      organizationId,
      validity,
      Object.values(ids).map((id) => ({ id, surface: 'ingestion', principal })),
    ),
  );
  await stage(stack.s3, organizationId, ids.good, good);
  await stage(stack.s3, organizationId, ids.bad, bad);
  return ids;
}

it('a worker that dies, or whose call fails, at any step of reading archives settles each once and leaves nothing behind', async () => {
  const steps = await atEveryStep(async (fault, name) => {
    const clock = new MovableClock();
    const organizationId = await insertOrganization(stack.admin);
    const ids = await upload(organizationId, clock.now());
    const worker = new Incarnation(world, clock, fault);
    await worker.live(1);
    const successor = new Incarnation(world, clock);
    for (const pause of [20_000, TWO_HOURS, TWO_HOURS]) {
      clock.travel(pause); // what stands still is queued again; copies are given up, and swept once more
      await successor.live(1);
    }

    const { rows } = await stack.admin.query(
      `SELECT u.declared_name AS name, u.state::text, u.rejection_rule AS rule, u.duplicate FROM upload u
         WHERE u.organization_id = $1 ORDER BY u.parent_id NULLS FIRST, u.id`,
      [organizationId],
    );
    const settled = { name: null, state: 'registered', rule: null, duplicate: false };
    expect([name(worker), ...rows]).toEqual([
      name(worker),
      settled,
      { ...settled, state: 'rejected', rule: 'zip.mixed-studies' },
      { ...settled, name: 'a' },
      { ...settled, name: 'b' },
      { ...settled, name: 'a again', duplicate: true },
    ]);
    const wrong = await findDisagreements(stack, organizationId, { swept: true });
    expect([name(worker), ...wrong]).toEqual([name(worker)]);
    expect(await keysUnder(stack.s3, `objects/${organizationId}/${ids.bad}/`)).toEqual([]);
    expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(3);
    return worker;
  });
  expect(steps).toBeGreaterThan(15);
}, 240_000);
