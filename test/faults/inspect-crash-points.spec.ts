import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { pdf } from '../../src/formats/document/document.fixture.js';
import { insertFile } from '../../src/modules/inspect/inspect.rows.js';
import { insertIssued } from '../../src/modules/uploads/upload.issue.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { StorageService } from '../../src/platform/storage/storage.service.js';
import { Incarnation, MovableClock, type Outside } from '../support/incarnation.js';
import { findDisagreements, keysUnder } from '../support/ledger-checks.js';
import { insertOrganization, stage } from '../support/ledger-rows.js';
import { type Stack, startStack } from '../support/stack.js';
import { atEveryStep, live, sweepAgain } from './every-step.js';

const TYPE = 'application/pdf';
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

/** A file with an attempt for each of these contents, all of which were PUT. */
async function declare(organizationId: string, right: Buffer, ...sent: Buffer[]): Promise<string> {
  const [id, now] = [newId(), new Date()];
  const sha256 = createHash('sha256').update(right).digest();
  const file = { name: 'a.pdf', contentType: TYPE, size: right.length, sha256 };
  const uploads = sent.map((bytes) => ({ uploadId: newId(), bytes }));
  await world.database.withOrganization(organizationId, async (tx) => {
    await insertFile(tx, organizationId, { ...file, id, assetId: null, createdBy: PRINCIPAL }, now);
    const validity = { issuedAt: now, urlExpiresAt: new Date(now.getTime() + 900_000) };
    await insertIssued(
      tx,
      organizationId,
      validity,
      uploads.map(({ uploadId }) => ({
        ...file,
        id: uploadId,
        surface: 'inspect' as const,
        principal: PRINCIPAL,
        inspectFileId: id,
      })),
    );
  });
  for (const { uploadId, bytes } of uploads) await stage(stack.s3, organizationId, uploadId, bytes);
  return id;
}

it('a worker that dies at any of its steps leaves each file with the bytes it was declared by, or pending', async () => {
  await atEveryStep(async (fault, name) => {
    const clock = new MovableClock();
    const organizationId = await insertOrganization(stack.admin);
    const [right, wrong] = [pdf('right'), pdf('wrong')];
    const twice = await declare(organizationId, right, right, right);
    const never = await declare(organizationId, right, wrong);

    const worker = new Incarnation(world, clock, fault);
    await live(worker, clock);
    const successor = new Incarnation(world, clock);
    await live(successor, clock);
    await sweepAgain(successor, clock);

    const { rows } = await stack.admin.query(
      `SELECT f.id, o.sha256 = f.sha256 AS right, array_agg(a.state::text ORDER BY a.id) AS attempts,
              f.completed_at IS NOT NULL AS completed
       FROM inspect_file f
       LEFT JOIN upload u ON u.organization_id = f.organization_id AND u.id = f.upload_id AND u.inspect_file_id = f.id
       LEFT JOIN stored_object o ON o.organization_id = f.organization_id AND o.id = u.stored_object_id
       JOIN upload a ON a.organization_id = f.organization_id AND a.inspect_file_id = f.id
       WHERE f.organization_id = $1 GROUP BY f.organization_id, f.id, o.id ORDER BY f.id`,
      [organizationId],
    );
    expect([name(worker), ...rows]).toEqual([
      name(worker),
      { id: twice, right: true, attempts: ['registered', 'registered'], completed: true },
      { id: never, right: null, attempts: ['rejected'], completed: false },
    ]);
    const disagreements = await findDisagreements(stack, organizationId, { swept: true });
    expect([name(worker), ...disagreements]).toEqual([name(worker)]);
    expect(await keysUnder(stack.s3, `objects/${organizationId}/`)).toHaveLength(1);
    return worker;
  });
}, 120_000);
