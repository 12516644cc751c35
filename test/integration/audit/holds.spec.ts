import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { AccessRows } from '../../support/access-rows.js';
import { Client } from '../../support/client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const HOLDS = '/api/v1/audit/holds';

let world: World;
let tenant: Tenant;
let owner: Client;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant();
  owner = new Client(world.baseUrl, tenant.apiKey);
}, 60_000);
afterAll(() => world.close());

const eventsOf = async (id: string) =>
  (
    await world.admin.query<{ action: string; detail: object }>(
      'SELECT action, detail FROM audit_event WHERE resource_id = $1 ORDER BY id',
      [id],
    )
  ).rows;
const inTheDatabase = (sql: string, id: string): Promise<string> =>
  world.admin.query(sql, [id]).then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

describe('a legal hold', () => {
  it('is placed, listed, read and released, and each change is an event without the matter’s number', async () => {
    const range = { from: '2020-01-01T00:00:00.000Z', to: '2021-01-01T00:00:00.000Z' };
    const placed = await owner.post(HOLDS, { reference: 'Az. 12 O 345/26', ...range });
    const { id } = placed.body;
    expect(placed).toMatchObject({
      status: 201,
      body: { reference: 'Az. 12 O 345/26', ...range, active: true, placed_by: { kind: 'api_key' } },
    });
    const open = (await owner.post(HOLDS, { reference: 'M-2' })).body;
    expect(open).not.toHaveProperty('from');
    expect((await owner.get(`${HOLDS}/${id}`)).body).toEqual(placed.body);

    const released = await owner.post(`${HOLDS}/${id}/release`);
    expect(released).toMatchObject({
      status: 200,
      body: { id, active: false, released_by: { kind: 'api_key' } },
    });
    const ids = async (query: string) =>
      (await owner.get(`${HOLDS}?${query}`)).body.items.map((hold: { id: string }) => hold.id);
    expect(await ids('')).toEqual([open.id, id]);
    expect(await ids('active=true')).toEqual([open.id]);
    expect(await ids('active=false')).toEqual([id]);
    const first = (await owner.get(`${HOLDS}?limit=1`)).body;
    expect(await ids(`limit=1&cursor=${first.next_cursor}`)).toEqual([id]);

    expect(await eventsOf(id)).toEqual([
      { action: 'audit:place-hold', detail: { ...range, replayed: false } },
      { action: 'audit:read-hold', detail: {} },
      { action: 'audit:release-hold', detail: {} },
    ]);
  });

  it('is placed once by a repeated request', async () => {
    const key = { 'idempotency-key': newId() };
    const [one, two] = [
      await owner.post(HOLDS, { reference: 'M-3' }, key),
      await owner.post(HOLDS, { reference: 'M-3' }, key),
    ];
    expect(two.body).toEqual(one.body);
    expect((await owner.post(HOLDS, { reference: 'M-4' }, key)).status).toBe(422);
  });

  it.each([
    [{}],
    [{ reference: '' }],
    [{ reference: 'x'.repeat(101) }],
    [{ reference: 'M\u0000' }],
    [{ reference: 'M', from: '2021-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z' }],
    [{ reference: 'M', from: 'yesterday' }],
    [{ reference: 'M', from: '0000-01-01T00:00:00Z' }],
    [{ reference: 'M', to: '1969-12-31T23:59:59Z' }],
    [{ reference: 'M', to: '9999-12-31T23:59:59-01:00' }],
    [{ reference: 'M', until: '2021-01-01T00:00:00Z' }],
  ])('is refused: %j', async (body) => {
    expect((await owner.post(HOLDS, body)).status).toBe(400);
  });

  it('is released once, and for good, for a superuser as well', async () => {
    const { id } = (await owner.post(HOLDS, { reference: 'M-5' })).body;
    const changes = [
      `UPDATE audit_hold SET to_time = now() WHERE id = $1`,
      `UPDATE audit_hold SET released_at = now(), released_by_kind = 'x', released_by_id = id, reference = 'y' WHERE id = $1`,
      `DELETE FROM audit_hold WHERE id = $1`,
    ];
    for (const sql of changes) expect(await inTheDatabase(sql, id)).toBe('42501');
    expect((await owner.post(`${HOLDS}/${id}/release`)).status).toBe(200);
    expect(await owner.post(`${HOLDS}/${id}/release`)).toMatchObject({
      status: 409,
      body: { code: 'hold_released' },
    });
    const undone = `UPDATE audit_hold SET released_at = NULL, released_by_kind = NULL, released_by_id = NULL WHERE id = $1`;
    expect(await inTheDatabase(undone, id)).toBe('42501');
    expect((await owner.post(`${HOLDS}/${newId()}/release`)).status).toBe(404);
  });

  it('may be seen by an auditor, and placed or released by an owner or an admin only', async () => {
    const { id } = (await owner.post(HOLDS, { reference: 'M-6' })).body;
    const rows = new AccessRows(world, tenant.organizationId);
    const outcomes: Record<string, number[]> = {};
    for (const role of ['admin', 'auditor', 'coordinator', 'reader']) {
      const bearer = await rows.bearer('api_key', SCOPES);
      await rows.bind(await rows.builtIn(role), bearer);
      const client = new Client(world.baseUrl, bearer.token);
      const answers = [
        await client.get(HOLDS),
        await client.get(`${HOLDS}/${id}`),
        await client.post(HOLDS, { reference: 'M' }),
        await client.post(`${HOLDS}/${id}/release`),
      ];
      outcomes[role] = answers.map(({ status }) => status);
    }
    expect(outcomes).toEqual({
      admin: [200, 200, 201, 200],
      auditor: [200, 200, 403, 403],
      coordinator: [403, 403, 403, 403],
      reader: [403, 403, 403, 403],
    });
    const unscoped = await world.newTenant('owner', ['audit:read']);
    expect((await new Client(world.baseUrl, unscoped.apiKey).get(HOLDS)).body.code).toBe(
      'insufficient_scope',
    );
  });
});
