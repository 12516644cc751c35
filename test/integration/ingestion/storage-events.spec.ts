import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { basic, Client, put } from '../../support/client.js';
import { ctInstance } from '../../support/dicom-files.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const SECRET = 'a-shared-secret-of-at-least-32-characters';

let world: World;
let tenant: Tenant;
let client: Client;
const bucket = () => new Client(world.baseUrl, SECRET);

beforeAll(async () => {
  world = await createWorld({ STORAGE_EVENTS_SECRET: SECRET }); // no worker: nobody else notices anything
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
});
afterAll(() => world.close());

async function send(): Promise<{ id: string; key: string }> {
  const { body, headers } = await client.get('/upload');
  expect(await put(body.url, ctInstance())).toBe(200);
  return { id: headers.get('x-upload-id')!, key: body.key };
}
const stateOf = async (id: string) => (await client.get(`/uploads/${id}`)).body.state;

const s3 = (...keys: string[]) => ({
  Records: keys.map((key) => ({
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'scandock' }, object: { key: encodeURIComponent(key), size: 1, eTag: 'e' } },
  })),
});

describe('a notification of the bucket', () => {
  it('lands what lies there, whichever way it is told, and only once', async () => {
    const [a, b, c] = [await send(), await send(), await send()];
    expect(await stateOf(a.id)).toBe('issued');
    expect((await bucket().post('/internal/storage-events', s3(a.key))).body).toEqual({ landed: 1 });
    expect((await bucket().post('/internal/storage-events', s3(a.key))).body).toEqual({ landed: 0 });
    const r2 = {
      account: 'x',
      action: 'PutObject',
      bucket: 'scandock',
      object: { key: b.key, size: 1, eTag: 'e' },
      eventTime: '2026-01-01T00:00:00Z',
    };
    const byBasic = new Client(world.baseUrl);
    const answer = await byBasic.post('/internal/storage-events', r2, {
      authorization: basic('bucket', SECRET),
    });
    expect([answer.status, answer.body]).toEqual([200, { landed: 1 }]);
    const sns = JSON.stringify({ Type: 'Notification', Message: JSON.stringify(s3(c.key)) });
    const told = await bucket().post('/internal/storage-events', sns, {
      'content-type': 'text/plain; charset=UTF-8',
    });
    expect(told.body).toEqual({ landed: 1 });
    expect(await Promise.all([a, b, c].map(({ id }) => stateOf(id)))).toEqual(['landed', 'landed', 'landed']);
    const { rows } = await world.admin.query(
      `SELECT actor_kind, actor_id, resource_id FROM audit_event WHERE action = 'uploads:land' AND organization_id = $1 ORDER BY id`,
      [tenant.organizationId],
    );
    expect(rows).toEqual(
      [a, b, c].map(({ id }) => ({ actor_kind: 'system', actor_id: 'bucket', resource_id: id })),
    );
  });

  it('is not believed: what does not lie there has not landed', async () => {
    const { body, headers } = await client.get('/upload');
    expect((await bucket().post('/internal/storage-events', s3(body.key))).body).toEqual({ landed: 0 });
    expect(await stateOf(headers.get('x-upload-id')!)).toBe('issued');
    const strange = s3(
      'objects/x',
      'staging/../x',
      `staging/${tenant.organizationId}/nobody`,
      body.key.replace(/.$/, (last: string) => (last === 'f' ? 'e' : 'f')),
    );
    expect((await bucket().post('/internal/storage-events', strange)).body).toEqual({ landed: 0 });
  });

  it('needs the secret, before anything is looked at', async () => {
    const { id, key } = await send();
    for (const token of [undefined, 'wrong', tenant.apiKey, `${SECRET}x`]) {
      const { status, body } = await new Client(world.baseUrl, token).post(
        '/internal/storage-events',
        s3(key),
      );
      expect([status, body.status]).toEqual([401, 401]);
    }
    expect(await stateOf(id)).toBe('issued');
  });

  it('that is none is 400', async () => {
    for (const body of [
      'x',
      { Records: 'x' },
      { Records: [{ eventName: 'ObjectCreated:Put', s3: { object: { key: 7 } } }] },
    ])
      expect((await bucket().post('/internal/storage-events', body)).status).toBe(400);
  });
});

it('without a configured secret there is no such route', async () => {
  const closed = await createWorld();
  try {
    expect((await new Client(closed.baseUrl, SECRET).post('/internal/storage-events', s3('x'))).status).toBe(
      404,
    );
  } finally {
    await closed.close();
  }
});
