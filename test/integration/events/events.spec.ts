import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type OutboxEntry, OutboxService } from '../../../src/modules/events/outbox.service.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import type { SqlTransaction } from '../../../src/platform/database/sql-transaction.js';
import { StorageService } from '../../../src/platform/storage/storage.service.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { Client, eventually, tokenFor } from '../../support/client.js';
import { Incarnation, MovableClock } from '../../support/incarnation.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const DAY = 24 * 3_600_000;

let world: World;
let database: DatabaseService;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld();
  database = new DatabaseService(world.workerConfig);
});
afterAll(async () => {
  await database.onApplicationShutdown();
  await world.close();
});
beforeEach(async () => {
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, await tokenFor(world.baseUrl, tenant));
});

const outbox = new OutboxService(new Clock());
const event = (order_id: string): OutboxEntry => ({ type: 'order.failed', data: { order_id } });
const emitIn = (tx: SqlTransaction, ...orders: string[]) =>
  outbox.emit(tx, tenant.organizationId, orders.map(event));
const emit = (...orders: string[]) =>
  database.withOrganizationSql(tenant.organizationId, (tx) => emitIn(tx, ...orders));

interface Page {
  orders: string[];
  cursor: string | null;
}
async function read(after: string | null = null, limit = 100): Promise<Page> {
  const query = after === null ? '' : `&after=${encodeURIComponent(after)}`;
  const { status, body } = await client.get(`/api/v1/events?limit=${limit}${query}`);
  expect(status).toBe(200);
  return { orders: body.items.map(({ data }: any) => data.order_id), cursor: body.next_cursor };
}

/** A transaction that stays open until it is told what to do. */
async function begun(...orders: string[]): Promise<{ end(how: 'commit' | 'rollback'): Promise<void> }> {
  let end!: (how: 'commit' | 'rollback') => void;
  const ending = new Promise<string>((resolve) => (end = resolve));
  let written!: () => void;
  const isWritten = new Promise<void>((resolve) => (written = resolve));
  const done = database
    .withOrganizationSql(tenant.organizationId, async (tx) => {
      await emitIn(tx, ...orders);
      written();
      if ((await ending) === 'rollback') throw new Error('rolled back');
    })
    .catch(() => undefined);
  await isWritten;
  return {
    end: (how) => {
      end(how);
      return done;
    },
  };
}

describe('the feed', () => {
  it('goes on from the cursor, page by page, and stays where it is while nothing happens', async () => {
    expect(await read()).toEqual({ orders: [], cursor: null });
    for (const order of ['1', '2']) await emit(order);
    await emit('3', '4', '5');
    const first = await eventually(
      () => read(null, 2),
      ({ orders }) => orders.length === 2,
    );
    expect(first.orders).toEqual(['1', '2']);
    const second = await eventually(
      () => read(first.cursor, 2),
      ({ orders }) => orders.length === 2,
    );
    const third = await read(second.cursor, 2);
    expect([...second.orders, ...third.orders].sort()).toEqual(['3', '4', '5']);
    expect(await read(third.cursor)).toEqual({ orders: [], cursor: third.cursor });
    expect((await read()).orders).toEqual(['1', '2', ...second.orders, ...third.orders]);
    await emit('6');
    const next = await eventually(
      () => read(third.cursor),
      ({ orders }) => orders.length > 0,
    );
    expect(next.orders).toEqual(['6']);
  });

  it('says what happened and when, in ids and codes', async () => {
    await emit('1');
    const { body } = await eventually(
      () => client.get('/api/v1/events'),
      ({ body }) => body.items.length > 0,
    );
    expect(body.items).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        type: 'order.failed',
        occurred_at: expect.stringMatching(/^\d{4}-.*Z$/),
        data: { order_id: '1' },
      },
    ]);
  });

  it('does not miss what commits late: who polls waits for it', async () => {
    await emit('read before');
    const { cursor } = await eventually(
      () => read(),
      ({ orders }) => orders.length === 1,
    );
    const slow = await begun('slow');
    await emit('fast');
    for (let poll = 0; poll < 3; poll++) expect(await read(cursor)).toEqual({ orders: [], cursor });
    await slow.end('commit');
    const { orders } = await eventually(
      () => read(cursor),
      ({ orders }) => orders.length > 0,
    );
    expect(orders).toEqual(['slow', 'fast']);
  });

  it('does not wait for what is rolled back', async () => {
    const never = await begun('never');
    await emit('later');
    expect((await read()).orders).toEqual([]);
    await never.end('rollback');
    const { orders } = await eventually(
      () => read(),
      ({ orders }) => orders.length > 0,
    );
    expect(orders).toEqual(['later']);
  });

  it('does not miss an event whose id and time are older than what was read', async () => {
    const id = newId();
    await emit('newer');
    const { cursor } = await eventually(
      () => read(),
      ({ orders }) => orders.length === 1,
    );
    await database.withOrganizationSql(
      tenant.organizationId,
      (tx) => tx.$executeRaw`
        INSERT INTO outbox_event (id, organization_id, type, occurred_at, data)
        VALUES (${id}::uuid, ${tenant.organizationId}::uuid, 'order.failed', now() - interval '1 hour', '{"order_id":"older"}')`,
    );
    const { orders } = await eventually(
      () => read(cursor),
      ({ orders }) => orders.length > 0,
    );
    expect(orders).toEqual(['older']);
  });

  it('shows each of 90 transactions once, in one order, to everybody who polls meanwhile', async () => {
    const numbers = Array.from({ length: 90 }, (_, number) => `${number}`);
    let writing = true;
    const writers = Array.from({ length: 6 }, async () => {
      for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
        const one = await begun(number);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        await one.end(Math.random() < 0.2 ? 'rollback' : 'commit');
      }
    });
    const readers = Array.from({ length: 3 }, async (_, reader) => {
      const seen: string[] = [];
      for (let cursor: string | null = null, last = false; !last;) {
        last = !writing;
        for (let page = await read(cursor, 7 + reader); ; page = await read(cursor, 7 + reader)) {
          seen.push(...page.orders);
          cursor = page.cursor;
          if (page.orders.length === 0) break;
        }
      }
      return seen;
    });
    await Promise.all(writers);
    const { rows } = await world.admin.query<{ order: string }>(
      `SELECT data->>'order_id' AS order FROM outbox_event WHERE organization_id = $1 ORDER BY transaction_id, id`,
      [tenant.organizationId],
    );
    await eventually(
      () => read(),
      ({ orders }) => orders.length === rows.length,
    );
    writing = false;
    const all = rows.map(({ order }) => order);
    for (const seen of await Promise.all(readers)) expect(seen).toEqual(all);
  });

  it('keeps events for thirty days', async () => {
    await emit('old');
    await eventually(
      () => read(),
      ({ orders }) => orders.length === 1,
    );
    const [clock, storage] = [new MovableClock(), new StorageService(world.workerConfig)];
    const worker = new Incarnation({ config: world.workerConfig, database, storage }, clock);
    clock.travel(29 * DAY);
    await worker.reconciler.run();
    const { orders, cursor } = await read();
    expect(orders).toEqual(['old']);
    clock.travel(2 * DAY);
    await worker.reconciler.run();
    storage.onApplicationShutdown();
    expect((await read()).orders).toEqual([]);
    await emit('new');
    expect(
      (
        await eventually(
          () => read(cursor),
          ({ orders }) => orders.length > 0,
        )
      ).orders,
    ).toEqual(['new']);
  });
});

describe('who may read', () => {
  it('is the organization itself: another one’s cursor shows nothing of it', async () => {
    await emit('ours');
    const { cursor } = await eventually(
      () => read(),
      ({ orders }) => orders.length === 1,
    );
    await emit('ours too');
    await eventually(
      () => read(cursor),
      ({ orders }) => orders.length === 1,
    );
    const other = new Client(world.baseUrl, await tokenFor(world.baseUrl, await world.newTenant()));
    for (const query of ['', `?after=${encodeURIComponent(cursor!)}`])
      expect((await other.get(`/api/v1/events${query}`)).body.items).toEqual([]);
  });

  it('is who has the scope', async () => {
    const without = await world.newTenant(
      'owner',
      SCOPES.filter((scope) => scope !== 'orders:read'),
    );
    const token = await tokenFor(world.baseUrl, without);
    const refused = await new Client(world.baseUrl, token).get('/api/v1/events');
    expect([refused.status, refused.body.code]).toEqual([403, 'insufficient_scope']);
    expect((await new Client(world.baseUrl).get('/api/v1/events')).status).toBe(401);
  });

  it.each([
    'after=x',
    'after=',
    `after=${Buffer.from('["1"]').toString('base64url')}`,
    'limit=0',
    'limit=101',
    'before=x',
  ])('and asks rightly: not ?%s', async (query) => {
    const { status, body } = await client.get(`/api/v1/events?${query}`);
    expect([status, body.code]).toEqual([400, 'validation_error']);
  });
});
