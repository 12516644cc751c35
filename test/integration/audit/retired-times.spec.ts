import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { AuditService } from '../../../src/modules/audit/audit.service.js';
import { retiredMonths } from '../../../src/modules/audit/retired.rows.js';
import { ourSealKeys } from '../../../src/modules/audit/seal.rows.js';
import { provenMonths } from '../../../src/modules/audit/verification/proven-months.js';
import { VerificationService } from '../../../src/modules/audit/verification.service.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { Client, eventually } from '../../support/client.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser, entryOf, putBack, type TreeOf, treesOf } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(120_000);

let world: World;
let tenant: Tenant;
/** That of the month that was retired, and another one. */
let old: TreeOf;
let other: TreeOf;
let verification: VerificationService;

/** A month is retired that a time would be of if what is no time were the first there is. */
beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '300' });
  const worker = await world.startWorker();
  const sealer = worker.get(SealerService, { strict: false });
  const audit = world.api.app.get(AuditService, { strict: false });
  verification = world.api.app.get(VerificationService, { strict: false });
  tenant = await world.newTenant();
  const { organizationId } = tenant;
  await sealer.seal();
  const [event] = await plantEventsAt(world.admin, organizationId, ['1970-01-15T00:00:00Z']);
  await sealer.seal();
  for (let number = 0; number < 3; number++) await audit.append(entryOf(organizationId, number));
  await sealer.seal();
  const trees = await treesOf(world.admin, organizationId);
  [old, other] = [trees.at(-2)!, trees.at(-1)!];
  const client = new Client(world.baseUrl, tenant.apiKey);
  const { id } = (await client.post('/api/v1/audit/exports', { format: 'ndjson' })).body;
  await eventually(
    () => client.get(`/api/v1/audit/exports/${id}`),
    ({ body }) => body.state === 'done',
  );
  const at = new Date();
  await world.admin.query(
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id, scopes, detail)
     VALUES ($1, $2, $3, 'system', 'operator', 'audit:retired', 'success', 'AuditExport', $4, '{}', '{"month": "1970-01", "events": 1}')`,
    [newId(), at, organizationId, id],
  );
  await sealer.seal();
  await asSuperuser(world.admin, async (admin) => {
    await admin.query(
      `INSERT INTO audit_retired (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events, first_position, last_position, retired_at)
       VALUES ($1, '1970-01-01', $2, '', '', sha256(''), 1, $4, $4, $3)`,
      [organizationId, id, at, old.first],
    );
    await admin.query('DELETE FROM audit_event WHERE id = $1', [event]);
  });
}, 120_000);
afterAll(() => world.close());

const proven = () =>
  world.api.app
    .get(DatabaseService, { strict: false })
    .withOrganizationSql(tenant.organizationId, async (tx) =>
      provenMonths(
        {
          database: world.api.app.get(DatabaseService, { strict: false }),
          storage: world.api.app.get(StorageService, { strict: false }),
        },
        await ourSealKeys(tx, world.workerConfig.SCANDOCK_MASTER_KEY),
        tenant.organizationId,
        await retiredMonths(tx, tenant.organizationId),
      ),
    );
const change = (tree: TreeOf, set: string) =>
  asSuperuser(world.admin, (admin) =>
    admin.query(`UPDATE audit_tree SET ${set} WHERE organization_id = $1 AND first_position = $2`, [
      tenant.organizationId,
      tree.first,
    ]),
  );

it('what is no time is not of a month that was retired', async () => {
  expect(await verification.verify(tenant.organizationId, {})).toMatchObject({ valid: true, retired: 1 });
  for (const time of ['infinity', '-infinity'])
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, (admin) =>
        admin.query('DELETE FROM audit_event WHERE id = ANY ($1)', [other.ids]),
      );
      await change(
        other,
        `first_time = '${time}', last_time = '${time}', event_times = array_fill('${time}'::timestamptz, ARRAY[size])`,
      );
      expect(await verification.verify(tenant.organizationId, {})).toMatchObject({
        valid: false,
        first_bad: { seq: other.first, why: expect.stringMatching(/^record: /) },
      });
    });
});

it('a tree with a time that is none proves no month', async () => {
  expect(await proven()).toHaveLength(1);
  await world.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT audit_tree_whole');
  for (const set of [
    `last_time = 'infinity'`,
    `first_time = '-infinity'`,
    `event_times = event_times || 'infinity'::timestamptz`,
    `event_times = event_times || NULL::timestamptz`,
    `event_times = ARRAY[event_times]`,
  ])
    await putBack(world.admin, async () => {
      await change(old, set);
      expect({ set, proven: await proven() }).toEqual({ set, proven: [] });
    });
});
