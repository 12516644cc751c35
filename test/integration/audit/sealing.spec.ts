import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { merkleRoot } from '../../../src/formats/merkle/merkle-tree.js';
import { canonicalForm } from '../../../src/modules/audit/audit.canonical.js';
import { eventsNamed } from '../../../src/modules/audit/ledger.rows.js';
import { entryForm, eventLeaf, headForm, isSigned, newestLeaf } from '../../../src/modules/audit/seal.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { Client } from '../../support/client.js';
import { sealKeys } from '../../support/exported.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

interface Tree {
  first_position: string;
  size: number;
  seal_number: string;
  sealed_at: Date;
  root: Buffer;
  previous: Buffer;
  entry: Buffer;
  kid: string;
  signature: Buffer;
  event_ids: string[];
  event_times: Date[];
  leaves: Buffer;
}

let world: World;
let worker: INestApplicationContext;
let sealer: SealerService;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  // Only when the test says so.
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '86400000' });
  worker = await world.startWorker();
  sealer = worker.get(SealerService, { strict: false });
  [tenant, other] = [await world.newTenant(), await world.newTenant()];
}, 60_000);
afterAll(() => world.close());

const act = async (who: Tenant, times: number) => {
  const client = new Client(world.baseUrl, who.apiKey);
  await Promise.all(Array.from({ length: times }, () => client.get('/api/v1/exams')));
};
const treesOf = async ({ organizationId }: Tenant) =>
  (
    await world.admin.query<Tree>(
      `SELECT *, event_ids::text[] FROM audit_tree WHERE organization_id = $1 ORDER BY first_position`,
      [organizationId],
    )
  ).rows;
const waiting = async () =>
  (await world.admin.query<{ count: number }>('SELECT count(*)::int FROM audit_unsealed')).rows[0]!.count;

describe('sealing', () => {
  it('gives every event a position without gaps, under signed roots that are chained', async () => {
    await act(tenant, 5);
    const first = await sealer.seal();
    expect(await waiting()).toBe(0);
    await act(tenant, 3);
    await act(other, 2);
    expect(await sealer.seal()).toBe(first + 1);
    const trees = await treesOf(tenant);
    const trusted = await sealKeys(world);
    let [position, previous]: [number, Uint8Array] = [1, Buffer.alloc(32)];
    for (const tree of trees) {
      expect([Number(tree.first_position), tree.previous]).toEqual([position, previous]);
      const names = tree.event_ids.map((id, index) => ({ id, occurredAt: tree.event_times[index]! }));
      const events = await worker
        .get(DatabaseService)
        .withOrganizationSql(tenant.organizationId, (tx) => eventsNamed(tx, tenant.organizationId, names));
      const leaves = names.map(({ id }) => eventLeaf(canonicalForm(events.get(id)!)));
      expect(Buffer.concat(leaves)).toEqual(tree.leaves);
      const form = entryForm({
        organization: tenant.organizationId,
        seal: Number(tree.seal_number),
        time: tree.sealed_at,
        first: position,
        size: tree.size,
        root: merkleRoot(leaves),
        previous,
      });
      expect(isSigned(trusted, form, tree)).toBe(true);
      expect(createHash('sha256').update(form).digest()).toEqual(tree.entry);
      [position, previous] = [position + tree.size, tree.entry];
    }
    const { rows } = await world.admin.query<{ count: number }>(
      'SELECT count(*)::int FROM audit_event WHERE organization_id = $1',
      [tenant.organizationId],
    );
    expect(position).toBe(rows[0]!.count + 1);
  });

  it('makes a head over the newest entry of every organization, when nothing has happened as well', async () => {
    const number = await sealer.seal();
    const { rows } = await world.admin.query<{
      number: string;
      sealed_at: Date;
      previous: Buffer;
      root: Buffer;
      head: Buffer;
      kid: string;
      signature: Buffer;
    }>('SELECT * FROM audit_seal ORDER BY number');
    expect(rows.map((row) => Number(row.number))).toEqual(Array.from({ length: number }, (_, at) => at + 1));
    const trusted = await sealKeys(world);
    for (const [index, row] of rows.entries()) {
      expect(row.previous).toEqual(rows[index - 1]?.head ?? Buffer.alloc(32));
      expect(
        isSigned(
          trusted,
          headForm({ seal: index + 1, time: row.sealed_at, previous: row.previous, root: row.root }),
          row,
        ),
      ).toBe(true);
    }
    const newest = await world.admin.query<{ organization_id: string; entry: Buffer }>(
      `SELECT DISTINCT ON (organization_id) organization_id, entry FROM audit_tree ORDER BY organization_id, first_position DESC`,
    );
    expect(newest.rows.length).toBeGreaterThanOrEqual(2);
    expect(merkleRoot(newest.rows.map((row) => newestLeaf(row.organization_id, row.entry)))).toEqual(
      rows.at(-1)!.root,
    );
  });
});
