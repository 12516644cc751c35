import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Pool } from 'pg';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { newId } from '../../../src/platform/database/id.js';
import { OrganizationPurge } from '../../../src/modules/tenants/worker/organization.purge.js';
import type { Admin } from '../../support/admin.js';
import { Client, eventually } from '../../support/client.js';
import { type Asked, type Lie, LyingStorage } from '../../support/lying-storage.js';
import { type OwnStorage, startOwnStorage } from '../../support/own-storage.js';
import { ORGANIZATIONS, platformOwner, toldOf } from '../../support/platform.js';
import { createWorld, type World } from '../../support/world.js';
import { digestRows, inhabit, type Inhabited } from '../../contract/tenants.js';
import { Leaving } from './leaving.js';

jest.setTimeout(120_000);

const DENIED = { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
const MINUTE = 60_000;

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

const isDelete = ({ method, query }: Asked): boolean => method === 'POST' && query.has('delete');
const later = (minutes: number): void => {
  worker.get(Clock).now = () => new Date(Date.now() + minutes * MINUTE);
};
const rowOf = async (id: string) =>
  (await world.admin.query('SELECT * FROM organization_deletion WHERE organization_id = $1', [id])).rows[0];

const releaseHolds = ({ organizationId }: { organizationId: string }) =>
  world.admin.query(
    `UPDATE audit_hold SET released_at = now(), released_by_kind = 'user', released_by_id = gen_random_uuid()
     WHERE organization_id = $1 AND released_at IS NULL`,
    [organizationId],
  );

/**
 * A tenant whose studies have closed, which they do by themselves a minute after the last landing: what compares its rows
 * to the letter, or counts them, must not have that happen in between.
 */
async function inhabitedAtRest(): Promise<Inhabited> {
  const tenant = await inhabit(world);
  later(2);
  const look = async () => {
    const open = await world.admin.query(
      `SELECT 1 FROM submission WHERE organization_id = $1 AND state = 'open'`,
      [tenant.organizationId],
    );
    return { open: open.rows.length, rows: await digestRows(world.admin, tenant.organizationId) };
  };
  let last = '';
  await eventually(
    async () => {
      const [before, now] = [last, await look()];
      last = JSON.stringify(now);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return now.open === 0 && before === last;
    },
    (atRest) => atRest,
  );
  worker.get(Clock).now = () => new Date();
  return tenant;
}

/** Exported, and ready for its purge. */
async function exported(tenant: { organizationId: string }): Promise<Leaving> {
  await world.admin.query('DELETE FROM organization_deletion WHERE organization_id = $1', [
    tenant.organizationId,
  ]);
  await releaseHolds(tenant);
  const leaving = new Leaving(world, platform, tenant.organizationId, storage.s3);
  await leaving.request();
  await leaving.reaches('exported');
  return leaving;
}

describe('the purge', () => {
  let neighbour: Inhabited;
  let neighbours: { rows: Record<string, string>; keys: string[] };
  const digestNeighbour = async () => ({
    rows: await digestRows(world.admin, neighbour.organizationId),
    keys: await new Leaving(world, platform, neighbour.organizationId, storage.s3).keys(),
  });

  beforeAll(async () => {
    neighbour = await inhabitedAtRest();
    neighbours = await digestNeighbour();
  }, 120_000);

  it('leaves the ledger, a tombstone and the export, whatever breaks off; and touches nothing of a neighbour', async () => {
    const leaving = await exported(await inhabitedAtRest());
    const before = await leaving.counts();
    expect(Object.entries(before).filter(([, count]) => count === 0)).toEqual([]);
    const deletion = { organizationId: leaving.id, deletionId: (await leaving.deletion()).body.id as string };
    // Late for the export, in time for the purge: nobody's upload, and bytes nobody has a row of.
    for (const prefix of ['staging', 'objects'])
      await storage.s3.send(
        new PutObjectCommand({ Bucket: 'scandock', Key: `${prefix}/${leaving.id}/${newId()}`, Body: 'late' }),
      );

    // The bucket refuses, then takes it and says otherwise; then the database is away.
    liar.rule = (asked): Lie | undefined => {
      if (!isDelete(asked)) return undefined;
      if (liar.lies === 0) return { kind: 'pretend', ...DENIED };
      return liar.lies === 1 ? { kind: 'hush' } : undefined;
    };
    const fault = `CREATE FUNCTION refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.organization_id = '${leaving.id}' THEN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END IF; RETURN OLD; END $$;
      CREATE TRIGGER refuse_some BEFORE DELETE ON study FOR EACH ROW EXECUTE FUNCTION refuse_some()`;
    await world.admin.query(fault);
    const asked = await leaving.purge();
    expect([asked.status, asked.body.state]).toEqual([202, 'purging']);
    await eventually(
      () => leaving.deletion(),
      ({ body }) => body.failure === '53100',
    );
    expect(liar.lies).toBe(2);
    const between = await leaving.counts();
    expect(between.share_link).toBe(0); // some of it is gone
    expect(between.study).toBe(before.study);
    await world.admin.query('DROP TRIGGER refuse_some ON study; DROP FUNCTION refuse_some()');

    const purges = worker.get(OrganizationPurge, { strict: false });
    await Promise.all([purges.purge(deletion), purges.purge(deletion)]);
    const { emptied_at } = await rowOf(leaving.id);
    expect(emptied_at).toBeInstanceOf(Date);
    expect(await leaving.view()).toMatchObject({ state: 'deleting', name: 'Tenant' });
    const { audit_event, organization_deletion, ...rest } = await leaving.counts();
    expect(Object.entries(rest).filter(([, count]) => count > 0)).toEqual([]);
    expect(audit_event).toBeGreaterThanOrEqual(before.audit_event!);
    expect(organization_deletion).toBe(1);

    // What came while that went on is removed as well.
    const straggler = { Bucket: 'scandock', Key: `objects/${leaving.id}/${newId()}/1` };
    await storage.s3.send(new PutObjectCommand({ ...straggler, Body: 'late' }));
    await purges.purge(deletion);
    await storage.s3.send(new HeadObjectCommand(straggler));
    // Of this one alone, so that nobody's time to sign in or to upload is over.
    const late = { now: () => new Date(Date.now() + 21 * MINUTE) };
    Reflect.set(purges, 'clock', late);
    await purges.purge(deletion);
    const done = await leaving.reaches('purged');
    expect(await leaving.keys()).toEqual([
      `exports/${leaving.id}/${deletion.deletionId}.manifest.ndjson.gz`,
      `exports/${leaving.id}/${deletion.deletionId}.ndjson.gz`,
    ]);
    expect(done.purge).toEqual({
      objects: expect.any(Number),
      rows: expect.any(Number),
      requested_at: expect.any(String),
      purged_at: expect.any(String),
    });
    const { audit_event: _, organization_deletion: __, ...purged } = before;
    expect(done.purge.rows).toBe(Object.values(purged).reduce((sum, count) => sum + count, 0));
    expect(await leaving.view()).toMatchObject({ state: 'purged', name: '', required_metadata: [] });
    await purges.purge(deletion);
    expect((await rowOf(leaving.id)).purged_rows).toBe(String(done.purge.rows));

    const { rows } = await world.admin.query(
      `SELECT organization_id, count(*)::int AS events FROM audit_event
       WHERE resource_id = $1 AND action IN ('organizations:purge', 'organizations:purged') GROUP BY 1 ORDER BY 1`,
      [leaving.id],
    );
    expect(rows).toEqual([
      { organization_id: PLATFORM_ORGANIZATION, events: 2 },
      { organization_id: leaving.id, events: 2 },
    ]);
    Reflect.set(purges, 'clock', worker.get(Clock));
    expect(await digestNeighbour()).toEqual(neighbours);
  });

  it('is for good', async () => {
    const leaving = await exported(await world.newTenant());
    await leaving.purge();
    await eventually(
      () => rowOf(leaving.id),
      ({ emptied_at }) => emptied_at !== null,
    );
    for (const answer of [await leaving.cancel()])
      expect(answer).toMatchObject({ status: 409, body: { code: 'purge_begun' } });
    expect((await leaving.purge()).status).toBe(202); // asked again, while it goes on
    expect(await leaving.enable()).toMatchObject({ status: 409, body: { code: 'being_deleted' } });
    const rename = () =>
      platform.call('PATCH', `${ORGANIZATIONS}/${leaving.id}`, { name: 'Other' }, { 'if-match': '*' });
    expect(await rename()).toMatchObject({ status: 409, body: { code: 'purge_begun' } });
    later(21);
    await leaving.reaches('purged');
    expect(await leaving.purge('')).toMatchObject({ status: 409, body: { code: 'purge_begun' } });
    expect(await leaving.enable()).toMatchObject({ status: 409, body: { code: 'being_deleted' } });
    expect(await rename()).toMatchObject({ status: 409, body: { code: 'purge_begun' } });
    // As the next migration does.
    await world.admin.query('GRANT EXECUTE ON FUNCTION organization_ids() TO scandock_app');
    await world.organizations.refreshBuiltInRoles();
    await world.admin.query('REVOKE EXECUTE ON FUNCTION organization_ids() FROM scandock_app');
    expect((await leaving.counts()).role).toBe(0);
  });

  it('wants the name of the organization, and an export', async () => {
    const leaving = await exported(await world.newTenant());
    for (const name of ['tenant', 'Tenant ', '', leaving.id]) {
      const answer = await leaving.purge(name);
      expect({ name, status: answer.status }).toEqual({ name, status: 400 });
    }
    expect((await rowOf(leaving.id)).state).toBe('exported');
    const answer = await leaving.purge();
    expect(answer.status).toBe(202);
    expect(Object.keys(await toldOf(world.admin, answer)).sort()).toEqual(
      [PLATFORM_ORGANIZATION, leaving.id].sort(),
    );
  });

  it('waits until every legal hold on the ledger is released', async () => {
    const tenant = await world.newTenant();
    const placed = await new Client(world.baseUrl, tenant.apiKey).post('/api/v1/audit/holds', {
      reference: '17 O 4',
    });
    expect(placed.status).toBe(201);
    const leaving = new Leaving(world, platform, tenant.organizationId, storage.s3);
    await leaving.request();
    await leaving.reaches('exported');
    expect(await leaving.purge()).toMatchObject({ status: 409, body: { code: 'legal_hold' } });
    expect((await rowOf(leaving.id)).state).toBe('exported');
    await releaseHolds(tenant);
    expect((await leaving.purge()).status).toBe(202);
  });

  it('keeps the rows as long as the bucket keeps their bytes', async () => {
    const leaving = await exported(await inhabitedAtRest());
    const before = await leaving.counts();
    liar.rule = (asked) =>
      isDelete(asked)
        ? {
            kind: 'pretend',
            status: 200,
            body: `<DeleteResult><Error><Key>objects/${leaving.id}/kept</Key><Code>AccessDenied</Code></Error></DeleteResult>`,
          }
        : undefined;
    await leaving.purge();
    await eventually(
      () => leaving.deletion(),
      ({ body }) => body.failure === 'ObjectsKept',
    );
    const { audit_event: _, ...rows } = await leaving.counts();
    const { audit_event: __, ...expected } = before;
    expect(rows).toEqual(expected);
    liar.rule = () => undefined;
    later(2);
    await eventually(
      () => rowOf(leaving.id),
      ({ emptied_at }) => emptied_at !== null,
    );
  });
});

describe('the function that deletes rows', () => {
  let app: Pool;
  let asWorker: Pool;
  beforeAll(() => {
    app = new Pool({ connectionString: world.environment.DATABASE_URL!, max: 1 });
    asWorker = new Pool({ connectionString: world.workerEnvironment.DATABASE_URL!, max: 1 });
  });
  afterAll(async () => {
    await app.end();
    await asWorker.end();
  });

  const call = (pool: Pool, inside: string, wanted: string): Promise<string> =>
    pool
      .query(
        `BEGIN; SELECT set_config('app.organization_id', '${inside}', true); SELECT purge_organization('${wanted}', 10)`,
      )
      .then(
        () => 'done',
        (error: { code: string }) => error.code,
      )
      .finally(() => pool.query('ROLLBACK'));

  it('is the worker’s, of an organization whose purge was asked for, inside of it', async () => {
    const [purging, other] = [await exported(await world.newTenant()), await world.newTenant()];
    liar.rule = (asked) => (isDelete(asked) ? { kind: 'pretend', ...DENIED } : undefined);
    expect(await call(asWorker, purging.id, purging.id)).toBe('42501'); // exported only
    await world.admin.query(
      `UPDATE organization_deletion SET state = 'purging', purge_requested_at = now(), progressed_at = now() + interval '1 day'
       WHERE organization_id = $1`,
      [purging.id],
    );
    expect(await call(asWorker, purging.id, purging.id)).toBe('done');
    expect(await call(app, purging.id, purging.id)).toBe('42501');
    expect(await call(asWorker, other.organizationId, other.organizationId)).toBe('42501');
    expect(await call(asWorker, other.organizationId, purging.id)).toBe('42501');
    expect(await call(asWorker, purging.id, other.organizationId)).toBe('42501');
  });
});
