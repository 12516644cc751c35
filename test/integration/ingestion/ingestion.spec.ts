import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUid } from '../../../src/demo/phantom.js';
import { Client, eventually, put, tokenFor } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { createWorld, type World } from '../../support/world.js';

let world: World;
let client: Client;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  await world.startWorker();
  client = new Client(world.baseUrl, await tokenFor(world.baseUrl, await world.newTenant()));
});
afterAll(() => world.close());

const status = async (orderId: string) => (await client.get(`/status?order_id=${orderId}`)).body;

/** GET /upload, PUT; returns the upload's id. */
async function send(bytes: Uint8Array, query = ''): Promise<string> {
  const issued = await client.get(`/upload${query}`);
  expect(issued.status).toBe(200);
  expect(Object.keys(issued.body).sort()).toEqual(['key', 'url']);
  expect(await put(issued.body.url, bytes, { 'content-type': 'application/dicom' })).toBe(200);
  return issued.headers.get('x-upload-id')!;
}
const settled = (uploadId: string) =>
  eventually(
    async () => (await client.get(`/uploads/${uploadId}`)).body,
    ({ state }) => ['registered', 'rejected'].includes(state as string),
  );

describe('the five steps of the hospital', () => {
  it('token, order, URL, PUT, metadata: a complete study, by nobody’s hand', async () => {
    const order = await client.get('/new-order');
    expect(order.status).toBe(200);
    expect(order.body).toEqual({ order_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/) });
    const { order_id } = order.body;
    expect(await status(order_id)).toMatchObject({ state: 'open', study_uids: [] });

    const StudyInstanceUID = newUid();
    const ids = await Promise.all(
      Array.from({ length: 3 }, () => send(ctInstance({ StudyInstanceUID }), `?order_id=${order_id}`)),
    );
    const uploads = await Promise.all(ids.map(settled));
    for (const upload of uploads)
      expect(upload).toMatchObject({
        state: 'registered',
        surface: 'ingestion',
        order_id,
        result: { kind: 'dicom', study_uid: StudyInstanceUID },
      });
    expect(await status(order_id)).toMatchObject({
      state: 'processing',
      study_uids: [StudyInstanceUID],
      submission: { generation: 1, state: 'open' },
      counts: { registered: 3, landed: 0, rejected: 0 },
      missing_metadata: [],
      rejected: [],
    });
    const patched = await client.call('PATCH', `/add-metadata?order_id=${order_id}`, {
      PatientName: 'Doe^Jane',
    });
    expect(patched.body).toMatchObject({
      attributes: { PatientName: { value: 'Doe^Jane', origin: 'api', tag_value: 'Test^Patient' } },
    });
    const closed = await client.post(`/orders/${order_id}/close`);
    expect(closed.status).toBe(200);
    await eventually(
      () => status(order_id),
      ({ state }) => state === 'closed',
    );
    expect((await client.get(`/orderId?study_uid=${StudyInstanceUID}`)).body).toEqual({
      order_ids: [order_id],
    });
    const { body: study } = await client.get(`/studies/${StudyInstanceUID}`);
    expect(study).toMatchObject({ state: 'closed', generation: 1, orders: [order_id] });
    expect(study.conflicts).toEqual([
      { attribute: 'PatientName', kind: 'overlay', value: 'Doe^Jane', tag_value: 'Test^Patient' },
    ]);
    // The feed shows what is older than every transaction under way, those of other tests on the same server included.
    const { body: events } = await eventually(
      () => client.get('/api/v1/events'),
      ({ body }) => body.items.length > 0,
    );
    expect(events.items.map(({ type, data }: any) => [type, data.study_uid])).toEqual([
      ['study.ready', StudyInstanceUID],
    ]);
  });

  it('finds the order of an instance by its study, else makes one', async () => {
    const StudyInstanceUID = newUid();
    const ids = await Promise.all(Array.from({ length: 20 }, () => send(ctInstance({ StudyInstanceUID }))));
    const orders = new Set((await Promise.all(ids.map(settled))).map(({ order_id }) => order_id));
    expect(orders.size).toBe(1);
    expect((await client.get(`/orderId?study_uid=${StudyInstanceUID}`)).body.order_ids).toEqual([...orders]);
  });

  it('takes the caller’s own order id once', async () => {
    const order_id = randomUUID();
    expect((await client.post('/new-order', { order_id, PatientID: 'P-9' })).body).toEqual({ order_id });
    const again = await client.post('/new-order', { order_id });
    expect([again.status, again.body.code]).toEqual([409, 'order_exists']);
    expect((await client.get(`/orders/${order_id}`)).body.attributes).toEqual({
      PatientID: { value: 'P-9', origin: 'api' },
    });
  });
});
