import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { candidates } from '../../../src/modules/audit/retention/month-exports.js';
import { monthNamed } from '../../../src/modules/audit/retention/month.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { insertOrganization } from '../../support/ledger-rows.js';
import { createWorld, type World } from '../../support/world.js';

const MAY = monthNamed('2019-05')!;

let world: World;
let organizationId: string;

beforeAll(async () => {
  world = await createWorld();
  organizationId = await insertOrganization(world.admin);
});
afterAll(() => world.close());

/** A tree over one event. */
const plantTree = (position: number, seal: number, time: string) =>
  world.admin.query(
    `INSERT INTO audit_tree (organization_id, first_position, size, seal_number, sealed_at, root, previous, entry, kid, signature,
                             event_ids, event_times, leaves, first_time, last_time)
     VALUES ($1, $2, 1, $3, $4, '', '', '', 'k', '', ARRAY[$5::uuid], ARRAY[$4::timestamptz], sha256(''), $4, $4)`,
    [organizationId, position, seal, time, newId()],
  );

/** An export of all up to a head. */
async function plantExport(seal: number, changes: { rows?: number; format?: string; to?: string } = {}) {
  const id = newId();
  const { rows = 1, format = 'ndjson', to = null } = changes;
  await world.admin.query(
    `INSERT INTO audit_export (organization_id, id, format, to_time, filters, state, requested_by_kind, requested_by_id, created_at,
                               progressed_at, finished_at, seal_number, rows, written, manifest_sha256)
     VALUES ($1, $2, $3::audit_export_format, $4, '{}', 'done', 'client', $1, now(), now(), now(), $5, $6, true, sha256(''))`,
    [organizationId, id, format, to, seal, rows],
  );
  return id;
}

const found = async () =>
  (
    await world.api.app
      .get(DatabaseService, { strict: false })
      .withOrganization(organizationId, (tx) => candidates(tx, organizationId, MAY))
  ).map(({ id }) => id);

it('exports that were made before the month was sealed hide none that has all of it', async () => {
  await plantTree(1, 10, '2019-05-02T00:00:00Z');
  await plantTree(2, 20, '2019-05-31T23:59:00Z');
  await plantTree(3, 30, '2019-06-10T00:00:00Z');
  for (const seal of [10, 11, 12, 19]) await plantExport(seal); // the fewest events, and not all of them
  expect(await found()).toEqual([]);
  const first = await plantExport(20, { rows: 2 });
  const newest = await plantExport(40, { rows: 3 });
  await plantExport(40, { format: 'csv' });
  await plantExport(40, { to: '2019-05-31T00:00:00Z' });
  expect(await found()).toEqual([newest, first]);
});

it('no more than twenty are looked at', async () => {
  for (let seal = 50; seal < 75; seal++) await plantExport(seal);
  expect(await found()).toHaveLength(20);
});
