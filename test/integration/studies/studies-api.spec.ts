import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { Client, eventually, put, tokenFor } from '../../support/client.js';
import { Incarnation, MovableClock } from '../../support/incarnation.js';
import { lockWaiters, PATIENT } from '../../support/lock-waiters.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';
import { MINUTE, SECOND, StudyMaker } from './scene.js';

let world: World;
let database: DatabaseService;
let storage: StorageService;
let worker: Incarnation;
let clock: MovableClock;
let tenant: Tenant;
let client: Client;
let study: StudyMaker;

beforeAll(async () => {
  world = await createWorld({}, PATIENT);
  database = new DatabaseService(world.workerConfig);
  storage = new StorageService(world.workerConfig);
});
afterAll(async () => {
  await database.onApplicationShutdown();
  storage.onApplicationShutdown();
  await world.close();
});
beforeEach(async () => {
  clock = new MovableClock();
  worker = new Incarnation({ config: world.workerConfig, database, storage }, clock);
  tenant = await world.newTenant();
  client = await clientOf(tenant);
  study = new StudyMaker();
});

const clientOf = async (of: Tenant) => new Client(world.baseUrl, await tokenFor(world.baseUrl, of));
const verify = (uploadId: string) =>
  worker.verifier.verify({ organizationId: tenant.organizationId, uploadId });
const detail = (query = '') => client.get(`/studies/${study.uid}${query}`);

/** GET /upload and PUT; nobody is told. */
async function send(bytes: Uint8Array, query = '', by = client): Promise<string> {
  const issued = await by.get(`/upload${query}`);
  expect(await put(issued.body.url, bytes)).toBe(200);
  return issued.headers.get('x-upload-id')!;
}

/** The same, landed at this time by the bucket and verified. */
async function register(bytes: Uint8Array, modifiedAt: Date, by = client): Promise<string> {
  const uploadId = await send(bytes, '', by);
  const witness = {
    organizationId: tenant.organizationId,
    actor: { kind: 'system' as const, id: 'reconciler' },
  };
  await worker.landing.land(witness, [{ uploadId, size: bytes.length, etag: '"e"', modifiedAt }]);
  await verify(uploadId);
  return uploadId;
}

describe('GET /studies/{uid}', () => {
  it('tells of each generation what it holds', async () => {
    const begin = Date.now() - 20 * MINUTE;
    const old = study.bytes('a');
    const replaced = await register(old, new Date(begin));
    await register(study.bytes('b'), new Date(begin));
    await worker.reconciler.run();
    expect((await detail()).body).toMatchObject({ generation: 1, generations: 1, state: 'closed' });

    await register(study.bytes('a'), new Date(begin + 10 * MINUTE));
    await register(study.bytes('c', { PatientName: 'Other^Patient' }), new Date(begin + 10 * MINUTE));
    const { body: open } = await detail();
    expect(open).toMatchObject({
      generation: 2,
      generations: 2,
      state: 'open',
      closes_at: new Date(begin + 11 * MINUTE).toISOString(),
      series: [{ modality: 'CT', instances: 3 }],
      conflicts: [
        { attribute: 'PatientName', kind: 'instance', value: 'Other^Patient', sop_uids: [study.sop('c')] },
      ],
    });
    const former = (await detail('?generation=1')).body;
    expect(former).toMatchObject({
      generation: 1,
      generations: 2,
      state: 'superseded',
      series: [{ instances: 2 }],
      conflicts: [],
    });
    expect(former).not.toHaveProperty('closes_at');
    expect((await detail('?generation=3')).status).toBe(404);

    const { body } = await client.get(`/uploads/${replaced}/download`);
    const kept = await fetch(body.download_url as string);
    expect(Buffer.from(await kept.arrayBuffer()).equals(old)).toBe(true);
  });
});

describe('who may replace what another uploaded', () => {
  it('is who has the right: a device has it not', async () => {
    const { organizations } = world;
    const { organizationId } = tenant;
    const device = async (role: 'uploader' | 'coordinator') => {
      const scopes = ['uploads:write', 'uploads:read', 'studies:read', 'studies:write'] as const;
      return clientOf({
        ...tenant,
        ...(await organizations.createClient({ organizationId, name: 'x', role, scopes })),
      });
    };
    const [scanner, other, coordinator] = [
      await device('uploader'),
      await device('uploader'),
      await device('coordinator'),
    ];
    const now = new Date();
    const first = await register(study.bytes('a'), now, scanner);
    const refused = await register(study.bytes('a'), now, other);
    expect((await client.get(`/uploads/${refused}`)).body).toMatchObject({
      state: 'rejected',
      rejection: { rule: 'dicom.conflict' },
    });
    expect((await client.get(`/uploads/${refused}/download`)).status).toBe(404); // quarantined
    const replacing = await register(study.bytes('a'), now, coordinator);
    expect((await client.get(`/uploads/${replacing}`)).body.state).toBe('registered');
    const own = await register(study.bytes('b'), now, scanner);
    await register(study.bytes('b'), now, scanner);
    for (const upload of [first, own])
      expect((await client.get(`/uploads/${upload}`)).body.state).toBe('registered');
  });
});

describe('POST /orders/{id}/close', () => {
  const newOrder = async () => (await client.get('/new-order')).body.order_id as string;
  const events = async () => (await client.get('/api/v1/events')).body.items;

  it('closes as soon as what was PUT is verified, though nobody was told of it', async () => {
    const order = await newOrder();
    const first = await send(study.bytes('a'), `?order_id=${order}`);
    await client.post(`/uploads/${first}/complete`);
    await verify(first);
    const last = await send(study.bytes('b'), `?order_id=${order}`);
    const { body } = await client.post(`/orders/${order}/close`);
    expect(body).toMatchObject({
      order_id: order,
      state: 'processing',
      counts: { landed: 1, registered: 1 },
    });
    clock.travel(SECOND);
    await worker.reconciler.run();
    expect(await events()).toEqual([]);
    await verify(last);
    await worker.reconciler.run();
    // The feed shows what is older than every transaction under way, those of other tests on the same server included.
    const shown = await eventually(events, (items) => items.length > 0);
    expect(shown.map(({ type, data }: any) => [type, data])).toEqual([
      ['study.ready', { study_uid: study.uid, generation: 1, order_ids: [order] }],
    ]);
    expect((await detail()).body).toMatchObject({ state: 'closed', series: [{ instances: 2 }] });
    expect((await client.get(`/status?order_id=${order}`)).body.state).toBe('closed');
  });

  it('is not missed by a study that is being linked to the order just then', async () => {
    const order = await newOrder();
    const only = await send(study.bytes('a'), `?order_id=${order}`);
    await client.post(`/uploads/${only}/complete`);
    const admin = await world.admin.connect();
    try {
      // The close has all but committed when the study comes.
      await admin.query('BEGIN');
      await admin.query('LOCK TABLE audit_event IN SHARE ROW EXCLUSIVE MODE');
      const closing = client.post(`/orders/${order}/close`);
      await lockWaiters(world.admin, 1);
      const verifying = verify(only);
      await lockWaiters(world.admin, 2);
      await admin.query('COMMIT');
      await Promise.all([closing, verifying]);
    } finally {
      admin.release();
    }
    clock.travel(SECOND);
    await worker.reconciler.run();
    expect((await detail()).body).toMatchObject({ state: 'closed' });
  });
});
