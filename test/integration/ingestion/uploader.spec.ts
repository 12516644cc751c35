import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeZip } from '../../../src/formats/zip/zip.fixture.js';
import { newUid } from '../../../src/demo/phantom.js';
import type { Scope } from '../../../src/platform/authorization/scopes.js';
import { eventually, tokenFor } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { Hospital } from '../../support/hospital.js';
import { createWorld, type World } from '../../support/world.js';

/**
 * A device of the same organization that knows the UID of a study it has nothing to do with: it may not bring anything
 * into it, nor have an order of its own joined to it, nor learn whose it is.
 */
const SCOPES: Scope[] = [
  'uploads:write',
  'uploads:read',
  'orders:write',
  'orders:read',
  'metadata:write',
  'results:read',
];

let world: World;
let hospital: Hospital;
let device: Hospital;
let uid: string;
let orderId: string;
let bytes: Uint8Array;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  await world.startWorker();
  const tenant = await world.newTenant('coordinator');
  const { organizationId } = tenant;
  const credentials = await world.organizations.createClient({
    organizationId,
    name: 'device',
    role: 'uploader',
    scopes: SCOPES,
  });
  hospital = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
  device = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, credentials));
  uid = newUid();
  orderId = await hospital.newOrder({ StudyDescription: 'The hospital’s' });
  bytes = ctInstance({ StudyInstanceUID: uid, PatientName: 'Secret^Sarah' });
  await hospital.deliver(bytes, `?order_id=${orderId}`);
});
afterAll(() => world.close());

const foreign = () => ctInstance({ StudyInstanceUID: uid, PatientName: 'Evil^Eve', PatientID: 'E-666' });
const seen = async () => {
  const { body } = await hospital.get(`/studies/${uid}`);
  return [
    body.attributes.PatientName.value,
    body.attributes.StudyDescription.value,
    body.orders,
    body.series[0].instances,
  ];
};
const untouched = () => ['Secret^Sarah', 'The hospital’s', [orderId], 1];

describe('a device that knows another’s study by its UID', () => {
  it('brings no instance into it, with an order of its own or without', async () => {
    const own = await device.newOrder();
    for (const query of ['', `?order_id=${own}`])
      expect((await device.deliver(foreign(), query)).rejection.rule).toBe('dicom.conflict');
    expect((await device.status(own)).study_uids).toEqual([]);
    expect(await seen()).toEqual(untouched());
  });

  it('learns nothing of whose it is from bytes it has already, and gains no right over them', async () => {
    const own = await device.newOrder();
    const known = await device.deliver(bytes, `?order_id=${own}`);
    expect(known).toMatchObject({ state: 'registered', order_id: own });
    expect(known.result.duplicate_of).toBeUndefined();
    const { body } = await device.get(`/orders/${own}`);
    expect([body.study_uids, body.attributes]).toEqual([[], {}]);
    expect((await device.get(`/results?study_uid=${uid}`)).status).toBe(404);
    const changed = Uint8Array.from(bytes);
    changed[changed.length - 1]! ^= 1;
    expect((await device.deliver(changed)).rejection.rule).toBe('dicom.conflict');
    expect(await seen()).toEqual(untouched());
  });

  it('brings no metadata to its order by a sidecar', async () => {
    const sidecar = Buffer.from(JSON.stringify({ PatientName: 'Evil^Twin' }));
    for (const image of [foreign(), bytes]) {
      await device.deliver(
        writeZip([
          { name: 'a.dcm', data: Buffer.from(image) },
          { name: 'metadata.json', data: sidecar },
        ]),
      );
      expect(await seen()).toEqual(untouched());
    }
  });

  it('closes nothing of it by closing an order of its own', async () => {
    const own = await device.newOrder();
    await device.deliver(bytes, `?order_id=${own}`);
    await device.post(`/orders/${own}/close`);
    await eventually(
      () => device.status(own),
      ({ state }) => state === 'closed',
    );
    expect((await hospital.get(`/studies/${uid}`)).body.state).toBe('open');
  });
});

describe('tags', () => {
  it('are shown by orders only to whose token may read studies', async () => {
    const scoped = async (scope: string) => {
      const tenant = await world.newTenant('owner');
      const all = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant));
      const order = await all.newOrder({ StudyID: '7' });
      await all.deliver(ctInstance({ PatientName: 'Secret^Sarah' }), `?order_id=${order}`);
      const narrow = new Hospital(world.baseUrl, await tokenFor(world.baseUrl, tenant, scope));
      return (await narrow.get(`/orders/${order}`)).body.attributes;
    };
    expect(await scoped('orders:read')).toEqual({ StudyID: { value: '7', origin: 'api' } });
    expect((await scoped('orders:read studies:read')).PatientName.value).toBe('Secret^Sarah');
  });
});

describe('HTTP Basic', () => {
  it('is not taken from another site’s page, whose browser remembers it', async () => {
    const { clientId, clientSecret } = await world.newTenant();
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    const from = (site: string) =>
      fetch(`${world.baseUrl}/new-order`, { headers: { authorization, 'sec-fetch-site': site } });
    expect([
      (await from('cross-site')).status,
      (await from('same-site')).status,
      (await from('none')).status,
    ]).toEqual([401, 401, 200]);
  });
});
