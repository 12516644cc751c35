import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { verifyExport } from '../../../src/modules/audit/verification/export-verifier.js';
import { ExportFile } from '../../../src/modules/audit/worker/export.file.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { Client, eventually } from '../../support/client.js';
import { findFaults, sealKeys } from '../../support/exported.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser } from '../../support/tampered-ledger.js';
import { pause } from '../../support/uploader.js';
import { createWorld, type World } from '../../support/world.js';

/** Where exports begin and end, and what they are made of, when somebody else writes to the tables meanwhile. */
jest.setTimeout(120_000);

const EXPORTS = '/api/v1/audit/exports';

let world: World;
let worker: INestApplicationContext;

beforeAll(async () => {
  world = await createWorld({ AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '300' });
  worker = await world.startWorker();
  // What binds a superuser no more than he likes.
  await world.admin.query('ALTER TABLE audit_tree DROP CONSTRAINT audit_tree_whole');
}, 60_000);
afterAll(() => world.close());

const seal = () => worker.get(SealerService, { strict: false }).seal();
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

interface Ledger {
  organization: string;
  by: Client;
  /** Position of the first of nine events, three in each of three trees, the newest. */
  first: number;
  ids: string[];
}

async function newLedger(): Promise<Ledger> {
  const { organizationId: organization, apiKey } = await world.newTenant();
  await seal();
  const { rows } = await world.admin.query<{ first: number }>(
    'SELECT max(first_position + size)::int AS first FROM audit_tree WHERE organization_id = $1',
    [organization],
  );
  const ids: string[] = [];
  for (const minutes of [
    [60, 50, 40],
    [35, 30, 25],
    [20, 15, 10],
  ]) {
    ids.push(...(await plantEventsAt(world.admin, organization, minutes.map(minutesAgo))));
    await seal();
  }
  return { organization, by: new Client(world.baseUrl, apiKey), first: rows[0]!.first, ids };
}

const bytesOf = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());

async function exported({ by }: Ledger, asked: object) {
  const { id } = (await by.post(EXPORTS, asked)).body;
  const { body } = await eventually(
    () => by.get(`${EXPORTS}/${id}`),
    (answer) => ['done', 'failed'].includes(answer.body.state),
    60_000,
  );
  if (body.state === 'failed') return { body, file: Buffer.alloc(0), manifest: '' };
  const [file, manifest] = [await bytesOf(body.download_url), await bytesOf(body.manifest_url)];
  return { body, file, manifest: manifest.toString() };
}

const verify = async (file: Buffer, manifest: string) =>
  verifyExport(
    { events: Readable.from([file]), manifest: Readable.from([Buffer.from(manifest)]) },
    await sealKeys(world),
  );

/** Runs once while exports are made: when the file of one is whole, and its manifest is not. */
async function beforeTheManifest<T>(meddle: (exportId: string) => Promise<unknown>, work: () => Promise<T>) {
  const file = worker.get(ExportFile, { strict: false });
  const write = file.write.bind(file);
  const spy = jest.spyOn(file, 'write').mockImplementation(async (underWay) => {
    await write(underWay);
    await meddle(underWay.exportId);
  });
  try {
    return await work();
  } finally {
    spy.mockRestore();
  }
}

async function as(role: string, organization: string, work: (client: PoolClient) => Promise<unknown>) {
  const client = await world.admin.connect();
  try {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    await client.query(`SELECT set_config('app.organization_id', $1, true)`, [organization]);
    await work(client);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

describe('an export of an interval', () => {
  it('lists the tree that was sealed before it, and what is sealed later is in none', async () => {
    const ledger = await newLedger();
    await pause(2); // or the seal is of this very millisecond
    const from = new Date().toISOString();
    const [id] = await plantEventsAt(world.admin, ledger.organization, [new Date().toISOString()]);
    await seal();
    const { file, manifest } = await exported(ledger, { format: 'ndjson', from });
    expect(file.toString()).toContain(id!);
    const { manifest: said, faults } = findFaults(file, manifest, await sealKeys(world));
    expect(faults).toEqual([]);
    expect(said.trees[0]!.tree.first).toBe(ledger.first + 6);
    expect(said.trees[0]!.held).toEqual([]);
    const later = manifest.split('\n').filter((_, line) => line !== 1);
    expect(await verify(file, later.join('\n'))).toMatchObject({
      valid: false,
      first_bad: { manifest_line: 2, why: expect.stringMatching(/^removed/) },
    });
  });

  it('whose statement is put before a newer head is not valid', async () => {
    const ledger = await newLedger();
    const older = await exported(ledger, { format: 'ndjson' });
    const times = [minutesAgo(1), minutesAgo(0)];
    const later = await plantEventsAt(world.admin, ledger.organization, times);
    await seal();
    const newer = await exported(ledger, { format: 'ndjson' });
    expect(later.every((id) => newer.file.includes(id) && !older.file.includes(id))).toBe(true);
    const [before, after] = [older, newer].map(({ manifest }) => manifest.trimEnd().split('\n')) as [
      string[],
      string[],
    ];
    const trees = after.slice(before.length - 1, -1).map((line) => {
      const { tree, kid, signature } = JSON.parse(line);
      return JSON.stringify({ tree, kid, signature, held: [], proof: [tree.root] });
    });
    expect(trees.length).toBeGreaterThan(0);
    const spliced = [...before.slice(0, -1), ...trees, after.at(-1)].join('\n');
    expect(await verify(older.file, spliced)).toMatchObject({
      valid: false,
      first_bad: { why: expect.stringMatching(/^head/) },
    });
  });
});

describe('a ledger', () => {
  it.each(['ndjson', 'csv'])(
    'that has lost its beginning is not exported as %s as if it had not',
    async (format) => {
      const ledger = await newLedger();
      await asSuperuser(world.admin, async (admin) => {
        await admin.query('DELETE FROM audit_event WHERE organization_id = $1 AND id <> ALL ($2)', [
          ledger.organization,
          ledger.ids.slice(3),
        ]);
        await admin.query('DELETE FROM audit_tree WHERE organization_id = $1 AND first_position <= $2', [
          ledger.organization,
          ledger.first,
        ]);
      });
      const { body } = await exported(ledger, { format });
      expect(body).toMatchObject({ state: 'failed', failure: 'ledger_damaged', first_bad: { seq: 1 } });
    },
  );

  const move = ({ organization, first }: Ledger) =>
    asSuperuser(world.admin, (admin) =>
      admin.query(
        `UPDATE audit_tree SET sealed_at = '2020-01-01', first_time = '2020-01-01', last_time = '2020-01-01'
         WHERE organization_id = $1 AND first_position <= $2`,
        [organization, first],
      ),
    );

  it.each([{}, { filters: { action: 'uploads:expire' } }])(
    'whose trees say that they were sealed before the interval is not exported without them, %j',
    async (filters) => {
      const ledger = await newLedger();
      await move(ledger);
      const { body } = await exported(ledger, { format: 'ndjson', from: minutesAgo(120), ...filters });
      expect(body).toMatchObject({ state: 'failed', failure: 'ledger_damaged' });
    },
  );

  it.each<[string, string, string]>([
    ['began late', `sealed_at = '2020-01-01', first_time = '2020-01-01', last_time = '2020-01-01'`, '<='],
    ['ended early', 'seal_number = 9000000', '>'],
  ])('that looked as if it %s when an export was claimed is not exported so', async (_, change, which) => {
    const ledger = await newLedger();
    const { organization, first } = ledger;
    await asSuperuser(world.admin, async (admin) => {
      await admin.query('CREATE TABLE kept AS SELECT * FROM audit_tree WHERE organization_id = $1', [
        organization,
      ]);
      await admin.query(
        `UPDATE audit_tree SET ${change} WHERE organization_id = $1 AND first_position ${which} $2`,
        [organization, first],
      );
    });
    const restored = () =>
      asSuperuser(world.admin, (admin) =>
        admin.query(
          `UPDATE audit_tree t SET sealed_at = k.sealed_at, first_time = k.first_time, last_time = k.last_time,
             seal_number = k.seal_number
           FROM kept k WHERE t.organization_id = k.organization_id AND t.first_position = k.first_position`,
        ),
      );
    const { body } = await beforeTheManifest(restored, () =>
      exported(ledger, { format: 'ndjson', from: minutesAgo(120) }),
    );
    await world.admin.query('DROP TABLE kept');
    expect(body).toMatchObject({ state: 'failed', failure: 'ledger_damaged' });
  });

  it('whose head is of somebody else is not exported', async () => {
    const ledger = await newLedger();
    const flipped = () =>
      asSuperuser(world.admin, (admin) =>
        admin.query(
          `UPDATE audit_seal SET signature = set_byte(signature, 0, 255 - get_byte(signature, 0))
           WHERE number = (SELECT max(number) FROM audit_seal)`,
        ),
      );
    await flipped();
    const { body } = await exported(ledger, { format: 'csv' });
    await flipped();
    expect(body).toMatchObject({ state: 'failed', failure: 'ledger_damaged' });
  });
});

describe('who writes to the tables of exports meanwhile', () => {
  it('has no positions signed that the file does not hold', async () => {
    const ledger = await newLedger();
    const { organization, first } = ledger;
    const rewrite = (exportId: string) =>
      as('scandock_worker', organization, (client) =>
        client.query(
          `WITH gone AS (DELETE FROM audit_export_part WHERE organization_id = $1 AND export_id = $2 RETURNING *)
           INSERT INTO audit_export_part (organization_id, export_id, number, etag, bytes, rows, sha256, next_position, held, months)
           SELECT organization_id, export_id, number + 1, etag, bytes, rows, sha256, next_position, $3, months FROM gone`,
          [organization, exportId, [first, first + 3]],
        ),
      );
    const { body, file, manifest } = await beforeTheManifest(rewrite, () =>
      exported(ledger, { format: 'csv', from: minutesAgo(22), to: minutesAgo(5) }),
    );
    expect(body.state).toBe('done');
    expect(await verify(file, manifest)).toMatchObject({
      valid: true,
      events: 3,
      export: { first: first + 6, last: first + 8 },
    });
  });

  it('has nothing written, and nothing ended, of somebody else', async () => {
    const [mine, theirs] = [await newLedger(), await newLedger()];
    const storage = worker.get(StorageService, { strict: false });
    const key = `exports/${theirs.organization}/audit/${newId()}.csv`;
    const { started } = await storage.beginMultipart(key);
    const id = newId();
    await as('scandock_app', mine.organization, (client) =>
      client.query(
        `INSERT INTO audit_export (organization_id, id, format, filters, state, requested_by_kind, requested_by_id,
                                   created_at, progressed_at, multipart_key, multipart_id)
         VALUES ($1, $2, 'csv', '{}', 'queued', 'client', $3, now(), '2020-01-01', $4, $5)`,
        [mine.organization, id, randomUUID(), key, started.id],
      ),
    );
    const { body } = await eventually(
      () => mine.by.get(`${EXPORTS}/${id}`),
      (answer) => ['done', 'failed'].includes(answer.body.state),
      60_000,
    );
    expect(body.state).toBe('done');
    expect((await bytesOf(body.download_url)).toString()).toContain(mine.ids[0]!);
    expect(await storage.head(key)).toBeUndefined();
    const goesOn = storage.resumeMultipart(started, []);
    await goesOn.add(Buffer.from('theirs'));
    await goesOn.complete();
    expect((await storage.head(key))?.size).toBe('theirs'.length);
  });
});
