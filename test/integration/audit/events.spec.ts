import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import fc from 'fast-check';
import { FIELDS } from '../../../src/modules/audit/audit-record.fixture.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { SCOPES, type Scope } from '../../../src/platform/authorization/scopes.js';
import { newId } from '../../../src/platform/database/id.js';
import { Client } from '../../support/client.js';
import { plantRandomEvents, type Planted } from '../../support/planted-events.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(240_000);

const EVENTS = '/api/v1/audit/events';

let world: World;
let worker: INestApplicationContext;
let tenant: Tenant;
let other: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld({
    AUDIT_SEAL_INTERVAL_MS: '86400000',
    RECONCILE_INTERVAL_MS: '86400000',
    RATE_LIMIT_PER_MINUTE: '1000000',
  });
  worker = await world.startWorker();
  [tenant, other] = [await world.newTenant(), await world.newTenant()];
  client = new Client(world.baseUrl, tenant.apiKey);
}, 60_000);
afterAll(() => world.close());

interface Item {
  id: string;
  time: string;
}

/** All pages of a search, newest first. @param between what happens after each page */
async function search(query: Record<string, string>, between?: () => Promise<unknown>): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | undefined; ;) {
    const asked = new URLSearchParams({ ...query, ...(cursor && { cursor }) });
    const { status, body } = await client.get(`${EVENTS}?${asked.toString()}`);
    expect({ status, query }).toEqual({ status: 200, query });
    items.push(...(body.items as Item[]));
    cursor = body.next_cursor;
    if (!cursor) return items;
    expect(body.items).toHaveLength(Number(query.limit ?? 20));
    await between?.();
  }
}

/** Columns by parameter. */
const COLUMNS: Record<string, keyof Planted> = FIELDS;

/** What has to be found, in its order. */
function model(events: Planted[], { from, to, limit: _, ...filter }: Record<string, string>): string[] {
  return events
    .filter(({ occurredAt }) => !from || occurredAt >= new Date(from))
    .filter(({ occurredAt }) => !to || occurredAt < new Date(to))
    .filter((event) => Object.entries(filter).every(([name, value]) => event[COLUMNS[name]!] === value))
    .sort((one, two) => {
      const [a, b] = [one, two].map(({ occurredAt, id }) => `${occurredAt.toISOString()} ${id}`);
      return a! < b! ? 1 : -1;
    })
    .map(({ id }) => id);
}

describe('searching the ledger', () => {
  let planted: Planted[];
  let known: Set<string>;
  const times = (): string[] => planted.map(({ occurredAt }) => occurredAt.toISOString());

  beforeAll(async () => {
    planted = await plantRandomEvents(world.admin, tenant.organizationId, 500);
    await plantRandomEvents(world.admin, other.organizationId, 500);
    known = new Set(planted.map(({ id }) => id));
  });

  /** Reading adds to what is read: the events of this test's own calls are left out. */
  const found = async (query: Record<string, string>, between?: () => Promise<unknown>) =>
    (await search(query, between)).map(({ id }) => id).filter((id) => known.has(id));

  it.each(Object.entries(COLUMNS))(
    'finds by %s what has that value, and nothing else',
    async (name, column) => {
      const values = new Set(planted.map((event) => event[column] as string | null));
      let all = 0;
      for (const value of [...values].filter((each) => each !== null).slice(0, 12)) {
        const query = { [name]: value, limit: '100' };
        const items = await found(query);
        expect({ query, items }).toEqual({ query, items: model(planted, query) });
        all += items.length;
      }
      expect(all).toBeGreaterThan(0);
      expect(values.size).toBeGreaterThan(2);
      if (name in { actor_kind: 1, outcome: 1 }) return;
      expect(await found({ [name]: newId() })).toEqual([]);
    },
  );

  it('takes ids of rows in capitals, too', async () => {
    const id = planted.find(({ resourceId }) => resourceId)!.resourceId!;
    expect(await found({ resource_id: id.toUpperCase() })).toEqual(model(planted, { resource_id: id }));
  });

  it('finds by any combination, in pages of any size, what a model finds, in its order', async () => {
    const filters = fc.record(
      {
        ...Object.fromEntries(
          Object.entries(COLUMNS).map(([name, column]) => [
            name,
            fc.constantFrom(...new Set(planted.map((event) => event[column]).filter(Boolean))),
          ]),
        ),
        from: fc.constantFrom(...times()),
        to: fc.constantFrom(...times()),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<Record<string, string>>;
    // Of one event, so that a combination is not always of nothing.
    const ofOne = fc
      .tuple(fc.constantFrom(...planted), fc.subarray(Object.keys(COLUMNS), { maxLength: 3 }))
      .map(([event, names]) =>
        Object.fromEntries(
          names.filter((name) => event[COLUMNS[name]!]).map((name) => [name, event[COLUMNS[name]!]]),
        ),
      ) as fc.Arbitrary<Record<string, string>>;
    const limits = fc.constantFrom('1', '2', '7', '20', '99', '100');
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(filters, ofOne), limits, async (filter, limit) => {
        const { from, to } = filter;
        fc.pre(!from || !to || from < to);
        const expected = model(planted, filter);
        const query = { ...filter, limit: expected.length > 60 ? '50' : limit };
        const ids = await found(query);
        expect({ query, ids }).toEqual({ query, ids: expected });
        hits += ids.length;
      }),
      { numRuns: 80 },
    );
    expect(hits).toBeGreaterThan(300);
  });

  it('loses and repeats nothing while events arrive', async () => {
    const before = new Set(planted.map(({ id }) => id));
    const items = await search({ limit: '30', actor_kind: 'user' }, () =>
      plantRandomEvents(world.admin, tenant.organizationId, 5, { at: new Date(), actorKind: 'user' }),
    );
    const ids = items.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => before.has(id))).toEqual(model(planted, { actor_kind: 'user' }));
  });

  it('tells all there is to an event, and no more', async () => {
    const event = planted.find(({ studyRef, patientRef, actorId }) => studyRef && patientRef && actorId)!;
    const { body } = await client.get(`${EVENTS}/${event.id}`);
    const item = {
      id: event.id,
      time: event.occurredAt.toISOString(),
      actor: { kind: event.actorKind, id: event.actorId, label: 'Label' },
      action: event.action,
      outcome: event.outcome,
      resource: { type: event.resourceType, id: event.resourceId },
      patient: event.patientRef,
      study: event.studyRef,
      request_id: event.requestId,
      trace_id: 'trace',
      ip: '::1',
      user_agent: 'agent',
      scopes: ['orders:read'],
      detail: { count: 1 },
    };
    expect(body).toEqual({ ...item, sealed: false });
    const next = new Date(event.occurredAt.getTime() + 1).toISOString();
    const { body: page } = await client.get(`${EVENTS}?from=${item.time}&to=${next}&limit=100`);
    expect(page.items.find(({ id }: Item) => id === event.id)).toEqual(item);
  });

  it('finds an event by its id, however far its time is from that of the id', async () => {
    for (const { id } of planted.slice(0, 60)) {
      const { status, body } = await client.get(`${EVENTS}/${id.toUpperCase()}`);
      expect([status, body.id]).toEqual([200, id]);
    }
  });

  it('shows nothing of another organization, whose events are as if there were none', async () => {
    const stranger = new Client(world.baseUrl, other.apiKey);
    const said = async (id: string) => {
      const { status, text } = await stranger.get(`${EVENTS}/${id}`);
      return { status, text: text.replace(/"requestId":"[^"]*"/, '').replaceAll(id, '') };
    };
    const absent = await said(newId());
    expect(absent.status).toBe(404);
    for (const { id } of planted.slice(0, 10)) expect(await said(id)).toEqual(absent);
    for (const [name, column] of Object.entries(COLUMNS)) {
      const value = planted.map((event) => event[column] as string | null).find(Boolean)!;
      const { body } = await stranger.get(`${EVENTS}?${name}=${value}&limit=100`);
      // Its own events of having asked for them above do name them, as what was asked for.
      const shown = (body.items as Item[]).map(({ id }) => id);
      expect(planted.filter(({ id }) => shown.includes(id))).toEqual([]);
    }
  });

  it('writes an event itself', async () => {
    const answer = await client.get(`${EVENTS}?outcome=denied`);
    const requestId = answer.headers.get('x-request-id')!;
    const { body } = await client.get(`${EVENTS}?request_id=${requestId}`);
    expect(body.items).toEqual([
      expect.objectContaining({
        action: 'audit:list-events',
        outcome: 'success',
        resource: { type: 'AuditEvent', id: null },
        actor: { kind: 'api_key', id: expect.any(String), label: 'key' },
      }),
    ]);
  });
});

describe('what is no search', () => {
  it.each([
    ['colour=red', 'colour'],
    ['outcome=maybe', 'outcome'],
    ['actor_kind=robot', 'actor_kind'],
    ['action=', 'action'],
    ['action=%00', 'action'],
    [`request_id=${'x'.repeat(201)}`, 'request_id'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['cursor=x', 'cursor'],
    ['from=yesterday', 'from'],
    ['from=1969-12-31T23:59:59Z', 'from'],
    ['to=2026-02-30T00:00:00Z', 'to'],
    ['to=2026-01-01', 'to'],
    ['to=2026-01-01T00:00:00.0001Z', 'to'],
    ['from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z', 'to'],
    ['from=2026-01-02T00:00:00%2B02:00&to=2026-01-01T22:00:00Z', 'to'],
    ['action=a&action=b', 'action'],
    ['from=x&limit=0&patient=', 'from limit patient'],
  ])('%s', async (query, named) => {
    const { status, text, body } = await client.get(`${EVENTS}?${query}`);
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'validation_error' });
    for (const name of named.split(' ')) expect(text).toContain(name);
  });

  it('an id that is none', async () => {
    expect((await client.get(`${EVENTS}/1`)).status).toBe(400);
  });
});

describe('who may read the ledger', () => {
  const ask = async (role: string, scopes: readonly Scope[]): Promise<number[]> => {
    const { organizationId } = tenant;
    const given = { organizationId, name: role, role, scopes } as Parameters<
      World['organizations']['createApiKey']
    >[0];
    const by = new Client(world.baseUrl, await world.organizations.createApiKey(given));
    const { rows } = await world.admin.query<{ id: string }>(
      'SELECT id FROM audit_event WHERE organization_id = $1 LIMIT 1',
      [organizationId],
    );
    return [(await by.get(EVENTS)).status, (await by.get(`${EVENTS}/${rows[0]!.id}`)).status];
  };
  it.each(['owner', 'admin', 'auditor'])('%s may', async (role) => {
    expect(await ask(role, ['audit:read'])).toEqual([200, 200]);
  });
  it.each(['coordinator', 'uploader', 'reader'])('%s may not', async (role) => {
    expect(await ask(role, SCOPES)).toEqual([403, 403]);
  });
  it('nobody may without the scope', async () => {
    expect(
      await ask(
        'auditor',
        SCOPES.filter((scope) => scope !== 'audit:read'),
      ),
    ).toEqual([403, 403]);
  });
});

describe('the seal of an event', () => {
  const seal = () => worker.get(SealerService, { strict: false }).seal();
  const read = async (id: string) => (await client.get(`${EVENTS}/${id}`)).body;

  it('is told once there is one, with its place in the ledger', async () => {
    const requestId = (await client.get(EVENTS)).headers.get('x-request-id')!;
    const { body } = await client.get(`${EVENTS}?request_id=${requestId}`);
    const { id } = body.items[0];
    const open = await read(id);
    expect([open.sealed, open.seal]).toEqual([false, undefined]);
    const number = await seal();
    const { rows } = await world.admin.query<{ position: number; sealed_at: Date }>(
      `SELECT (first_position + array_position(event_ids, $2::uuid) - 1)::int AS position, sealed_at FROM audit_tree
       WHERE organization_id = $1 AND $2::uuid = ANY (event_ids)`,
      [tenant.organizationId, id],
    );
    expect(await read(id)).toMatchObject({
      sealed: true,
      seal: { number, position: rows[0]!.position, sealed_at: rows[0]!.sealed_at.toISOString() },
    });
  });

  it('is found among all whose times it lies between, also when it came late', async () => {
    await seal();
    const at = new Date();
    const make = async (time: Date) =>
      (await plantRandomEvents(world.admin, tenant.organizationId, 1, { at: time, queued: true }))[0]!.id;
    const earlier = (seconds: number) => new Date(at.getTime() - seconds * 1000);
    const first = [await make(earlier(50)), await make(earlier(10))];
    const one = await seal();
    const late = [await make(earlier(30)), await make(earlier(40)), await make(earlier(9))];
    const two = await seal();
    for (const [number, ids] of [
      [one, first],
      [two, late],
    ] as const)
      for (const id of ids) expect(await read(id)).toMatchObject({ sealed: true, seal: { number } });
    const places = await Promise.all([...first, ...late].map(async (id) => (await read(id)).seal.position));
    expect(new Set(places).size).toBe(5);
  });
});
