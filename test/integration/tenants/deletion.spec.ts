import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { newId } from '../../../src/platform/database/id.js';
import { ExportService } from '../../../src/modules/tenants/worker/export.service.js';
import { TABLES_LEFT_OUT } from '../../../src/modules/tenants/worker/export.rows.js';
import { UnfinishedDeletions } from '../../../src/modules/tenants/worker/unfinished-deletions.js';
import type { Admin } from '../../support/admin.js';
import { Client, eventually } from '../../support/client.js';
import { type Asked, type Lie, LyingStorage } from '../../support/lying-storage.js';
import { type OwnStorage, startOwnStorage } from '../../support/own-storage.js';
import { platformOwner, toldOf } from '../../support/platform.js';
import { createWorld, type World } from '../../support/world.js';
import { inhabit, type Inhabited } from '../../contract/tenants.js';
import { fetchLines, Leaving } from './leaving.js';

jest.setTimeout(60_000);

let storage: OwnStorage;
let liar: LyingStorage;
let world: World;
let worker: INestApplicationContext;
let platform: Admin;

beforeAll(async () => {
  storage = await startOwnStorage();
  liar = await LyingStorage.before(storage.port);
  world = await createWorld({
    S3_ENDPOINT: liar.endpoint,
    RECONCILE_INTERVAL_MS: '300',
    RATE_LIMIT_PER_MINUTE: '100000',
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'no-reply@scandock.example',
  });
  worker = await world.startWorker();
  platform = await platformOwner(world);
}, 60_000);
afterAll(async () => {
  await world.close();
  await liar.close();
  await storage.close();
});
beforeEach(() => {
  [liar.rule, liar.lies] = [() => undefined, 0];
  worker.get(Clock).now = () => new Date();
});

const newLeaving = async (): Promise<Leaving> =>
  new Leaving(world, platform, (await world.newTenant()).organizationId, storage.s3);
const rowOf = async (id: string) =>
  (await world.admin.query('SELECT * FROM organization_deletion WHERE organization_id = $1', [id])).rows[0];
const unfinishedParts = async (id: string): Promise<number> => {
  const request = { Bucket: 'scandock', Prefix: `exports/${id}/` };
  return (await storage.s3.send(new ListMultipartUploadsCommand(request))).Uploads?.length ?? 0;
};
const exporting = ({ path }: Asked): boolean => path.includes('/exports/');
const lieOnce = (which: (asked: Asked) => boolean, lie: Lie): void => {
  liar.rule = (asked) => (which(asked) && liar.lies === 0 ? lie : undefined);
};

describe('the export', () => {
  let tenant: Inhabited;
  let leaving: Leaving;
  let before: Record<string, number>;
  let told: any;
  let file: Awaited<ReturnType<typeof fetchLines>>;
  let manifest: Awaited<ReturnType<typeof fetchLines>>;

  beforeAll(async () => {
    tenant = await inhabit(world);
    await world.admin.query('DELETE FROM organization_deletion WHERE organization_id = $1', [
      tenant.organizationId,
    ]);
    // More than two pages of one table.
    await world.admin.query(
      `INSERT INTO revoked_token (organization_id, jti, revoked_at, expires_at)
       SELECT $1, gen_random_uuid(), now(), now() + interval '1 day' FROM generate_series(1, 450)`,
      [tenant.organizationId],
    );
    leaving = new Leaving(world, platform, tenant.organizationId, storage.s3);
    before = await leaving.counts();
    const answer = await leaving.request();
    expect([answer.status, answer.body.state]).toEqual([202, 'requested']);
    told = await leaving.reaches('exported');
    file = await fetchLines(told.download_url);
    manifest = await fetchLines(told.manifest_url);
  }, 60_000);

  it('holds every row of every table that is not left out, in one file with its digest', () => {
    const counts: Record<string, number> = {};
    for (const { table } of file.lines) counts[table] = (counts[table] ?? 0) + 1;
    const events = counts.audit_event;
    const rows = Object.fromEntries(Object.entries(counts).filter(([table]) => !table.startsWith('audit_')));
    const { audit_event: _, ...expected } = before;
    for (const table of TABLES_LEFT_OUT) delete expected[table];
    expect(rows).toEqual({ organization: 1, ...expected });
    expect(rows.revoked_token).toBeGreaterThan(450);
    expect(events).toBeGreaterThanOrEqual(before.audit_event!);
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
    expect(new Set(file.lines.map((line) => JSON.stringify(line))).size).toBe(file.lines.length);
    expect(told.export).toEqual({
      rows: file.lines.length,
      bytes: expect.any(Number),
      sha256: file.sha256,
      exported_at: expect.any(String),
    });
    const { left_out, export: exported } = manifest.lines[0].manifest;
    expect(exported).toMatchObject({ rows: file.lines.length, sha256: file.sha256, tables: counts });
    expect(left_out.tables).toEqual(TABLES_LEFT_OUT);
  });

  it('holds whole rows, their bytes as base64', async () => {
    const { rows } = await world.admin.query(
      `SELECT id, encode(sha256, 'base64') AS sha256, size::int FROM stored_object WHERE organization_id = $1`,
      [tenant.organizationId],
    );
    const exported = file.lines.filter(({ table }) => table === 'stored_object').map(({ row }) => row);
    for (const row of rows)
      expect(exported.find(({ id }) => id === row.id)).toMatchObject({ sha256: row.sha256, size: row.size });
    const [role] = file.lines.filter(({ table, row }) => table === 'role' && row.id === tenant.roleId);
    expect(role.row.rules).toEqual([{ operations: ['exams:read'], subject: 'Exam' }]);
  });

  it('holds no secret, no hash of one, no sealed key', async () => {
    const { left_out } = manifest.lines[0].manifest;
    expect(left_out.columns).toEqual(
      expect.arrayContaining([
        'api_key.key_hash',
        'api_key.previous_key_hash',
        'identity_provider.sealed_secret',
        'idempotency_key.key_hash',
        'share_link.password_hash',
        'share_link.token_hash',
      ]),
    );
    for (const { row } of file.lines)
      expect(Object.keys(row).filter((column) => /hash|secret|sealed/.test(column))).toEqual([]);
    const { rows } = await world.admin.query<{ hash: Buffer }>(
      `SELECT secret_hash AS hash FROM client_key WHERE organization_id = $1
       UNION ALL SELECT key_hash FROM api_key WHERE organization_id = $1
       UNION ALL SELECT token_hash FROM share_link WHERE organization_id = $1
       UNION ALL SELECT token_hash FROM refresh_token WHERE organization_id = $1`,
      [tenant.organizationId],
    );
    expect(rows.length).toBeGreaterThanOrEqual(5);
    for (const { hash } of rows)
      for (const form of ['hex', 'base64'] as const) expect(file.text).not.toContain(hash.toString(form));
    for (const secret of [tenant.apiKey, tenant.clientSecret, tenant.shareToken, tenant.portalKey])
      expect(file.text).not.toContain(secret);
  });

  it('names every verified object, which can be fetched before the purge', async () => {
    const { rows } = await world.admin.query(
      `SELECT key, size::int, encode(sha256, 'hex') AS sha256 FROM stored_object WHERE organization_id = $1 ORDER BY id`,
      [tenant.organizationId],
    );
    expect(rows.length).toBeGreaterThan(5);
    expect(manifest.lines.slice(1).map(({ object }) => object)).toEqual(rows);
    const keys = await leaving.keys();
    expect(keys).toEqual(expect.arrayContaining(rows.map(({ key }: { key: string }) => key)));
  });

  it('is told in both ledgers, as its request was', async () => {
    const { rows } = await world.admin.query(
      `SELECT organization_id, actor_kind, action FROM audit_event
       WHERE resource_id = $1 AND action LIKE 'organizations:%' AND action <> 'organizations:read-deletion'
       ORDER BY organization_id, occurred_at, id`,
      [tenant.organizationId],
    );
    const steps = [
      { actor_kind: 'system', action: 'organizations:create' },
      { actor_kind: 'client', action: 'organizations:request-deletion' },
      { actor_kind: 'system', action: 'organizations:exported' },
    ];
    for (const organization_id of [PLATFORM_ORGANIZATION, tenant.organizationId])
      expect(rows.filter((row) => row.organization_id === organization_id)).toEqual(
        steps.map((step) => expect.objectContaining(step)),
      );
  });

  it('is not cached, and is behind a URL that lasts 900 s', async () => {
    const answer = await leaving.deletion();
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(new URL(answer.body.download_url).searchParams.get('X-Amz-Expires')).toBe('900');
  });
});

describe('a deletion', () => {
  it('disables the organization at once, and is asked for once', async () => {
    const { organizationId, apiKey } = await world.newTenant();
    const leaving = new Leaving(world, platform, organizationId);
    const key = new Client(world.baseUrl, apiKey);
    expect((await key.get('/api/v1/me')).status).toBe(200);
    const first = await leaving.request();
    expect((await key.get('/api/v1/me')).status).toBe(401);
    const second = await leaving.request();
    expect([second.status, second.body.id]).toEqual([202, first.body.id]);
    expect((await toldOf(world.admin, second))[organizationId]!.detail).toMatchObject({ repeated: true });
    expect((await leaving.view()).state).toBe('deleting');
    expect(await leaving.enable()).toMatchObject({ status: 409, body: { code: 'being_deleted' } });
    await leaving.reaches('exported');
  });

  it('is called off: the organization stays disabled until it is enabled, and may be deleted anew', async () => {
    const leaving = await newLeaving();
    const { body: first } = await leaving.request();
    await leaving.reaches('exported');
    const answer = await leaving.cancel();
    expect([answer.status, answer.text]).toEqual([204, '']);
    const told = await toldOf(world.admin, answer);
    expect(Object.keys(told).sort()).toEqual([PLATFORM_ORGANIZATION, leaving.id].sort());
    expect((await leaving.deletion()).status).toBe(404);
    expect((await leaving.cancel()).status).toBe(404);
    expect((await leaving.purge()).status).toBe(404);
    expect((await leaving.view()).state).toBe('disabled');
    expect((await leaving.enable()).body.state).toBe('enabled');
    const { body: second } = await leaving.request();
    expect(second.id).not.toBe(first.id);
    await leaving.reaches('exported');
  });

  it('that was called off while it was being exported leaves nothing half-written', async () => {
    const leaving = await newLeaving();
    liar.rule = (asked) =>
      exporting(asked) && asked.query.has('partNumber') ? { kind: 'delay', milliseconds: 1_000 } : undefined;
    await leaving.request();
    await leaving.reaches('exporting');
    expect((await leaving.cancel()).status).toBe(204);
    await eventually(
      () => unfinishedParts(leaving.id),
      (parts) => parts === 0,
    );
    expect(await leaving.keys()).toEqual([]);
  });

  it('of an organization nobody has, or that is not being deleted, is not found', async () => {
    for (const leaving of [new Leaving(world, platform, newId()), await newLeaving()]) {
      for (const answer of [await leaving.deletion(), await leaving.cancel(), await leaving.purge()])
        expect(answer.status).toBe(404);
    }
    expect((await new Leaving(world, platform, newId()).request()).status).toBe(404);
  });

  it.each<[string, (asked: Asked) => boolean, Lie]>([
    ['a part was refused', ({ query }) => query.has('partNumber'), { kind: 'pretend', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }], // prettier-ignore
    ['its completion was refused', ({ method, query }) => method === 'POST' && query.has('uploadId'), { kind: 'pretend', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }], // prettier-ignore
    [
      'the bucket has something else',
      ({ method }) => method === 'HEAD',
      { kind: 'pretend', status: 200, body: '' },
    ],
  ])('goes on by itself when %s', async (_, which, lie) => {
    const leaving = await newLeaving();
    lieOnce((asked) => exporting(asked) && which(asked), lie);
    await leaving.request();
    const told = await leaving.reaches('exported');
    expect(liar.lies).toBe(1);
    expect(told.failure).toBeNull();
    expect((await fetchLines(told.download_url)).sha256).toBe(told.export.sha256);
    expect((await rowOf(leaving.id)).attempts).toBeGreaterThan(1);
    expect(await unfinishedParts(leaving.id)).toBe(0);
  });

  it('says what its last attempt failed with, and is tried again', async () => {
    const leaving = await newLeaving();
    liar.rule = (asked) =>
      exporting(asked)
        ? { kind: 'pretend', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
        : undefined;
    await leaving.request();
    const { body } = await eventually(
      () => leaving.deletion(),
      (answer) => answer.body.failure !== null,
    );
    expect([body.state, body.failure]).toEqual(['exporting', 'AccessDenied']);
    expect(await leaving.purge()).toMatchObject({ status: 409, body: { code: 'not_exported' } });
    liar.rule = () => undefined;
    worker.get(Clock).now = () => new Date(Date.now() + 10 * 60_000); // its four tries may be over
    await leaving.reaches('exported');
  });

  it('is found again when its job was lost, or its worker died half-way', async () => {
    const [lost, died] = [await newLeaving(), await newLeaving()];
    for (const [{ id }, state] of [
      [lost, 'requested'],
      [died, 'exporting'],
    ] as const)
      await world.admin.query(
        `INSERT INTO organization_deletion (id, organization_id, state, requested_by_kind, requested_by_id, requested_at,
                                            progressed_at, multipart_key, multipart_id)
         VALUES ($2, $1, $3, 'client', $2, now(), now(), $4, 'nobody-knows')`,
        [id, newId(), state, `exports/${id}/half`],
      );
    await worker.get(UnfinishedDeletions, { strict: false }).run();
    expect((await rowOf(lost.id)).state).toBe('requested'); // not before it has stood still
    worker.get(Clock).now = () => new Date(Date.now() + 61_000);
    await lost.reaches('exported');
    await died.reaches('exported');
  });

  it('is exported once, however often and by however many it is done', async () => {
    const leaving = await newLeaving();
    const { body } = await leaving.request();
    const { export: first } = await leaving.reaches('exported');
    const service = worker.get(ExportService, { strict: false });
    const deletion = { organizationId: leaving.id, deletionId: body.id as string };
    await Promise.all([service.export(deletion), service.export(deletion)]);
    expect((await leaving.deletion()).body.export).toEqual(first);
    await world.admin.query(
      `UPDATE organization_deletion SET state = 'requested', export_key = NULL, exported_at = NULL WHERE organization_id = $1`,
      [leaving.id],
    );
    await Promise.all([
      service.export(deletion).catch(() => undefined),
      service.export(deletion).catch(() => undefined),
    ]);
    await service.export(deletion); // where the two had cleared away each other's parts
    const told = await leaving.reaches('exported');
    expect((await fetchLines(told.download_url)).sha256).toBe(told.export.sha256);
    expect(await unfinishedParts(leaving.id)).toBe(0);
  });
});
