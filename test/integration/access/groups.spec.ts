import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { type Api, createApi } from '../../../src/api.js';
import { newId } from '../../../src/platform/database/id.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { ADMIN, signedIn } from '../../support/admin.js';
import { Portal } from '../../support/portal.js';
import { soonStatus } from '../../support/soon.js';
import { createWorld, type World } from '../../support/world.js';
import { People } from './people.js';

jest.setTimeout(120_000);

const GROUPS = `${ADMIN}/groups`;

let world: World;
let people: People;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '1000000', CREDENTIAL_FAILURES_PER_MINUTE: '100000' });
  people = await People.open(world);
});
afterAll(() => world.close());

const ids = ({ items }: { items: { id: string }[] }): string[] => items.map(({ id }) => id);

describe('a group', () => {
  it('is made, found by its name, renamed for the version that was read, and deleted', async () => {
    const name = `Radiology ${randomUUID()}`;
    const made = await people.owner.post(GROUPS, { name });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({ id: expect.any(String), name, created_at: expect.any(String), version: 1 });
    const { id } = made.body;
    const twice = await people.owner.post(GROUPS, { name });
    expect([twice.status, twice.body.code]).toEqual([409, 'already_exists']);
    expect(ids((await people.owner.get(`${GROUPS}?name=${encodeURIComponent(name)}`)).body)).toEqual([id]);

    const renamed = await people.owner.change(`/groups/${id}`, { name: `${name}!` }, 1);
    expect(renamed.body).toEqual({ ...made.body, name: `${name}!`, version: 2 });
    expect(renamed.headers.get('etag')).toBe('"2"');
    const stale = await people.owner.change(`/groups/${id}`, { name }, 1);
    expect([stale.status, stale.body.code]).toEqual([412, 'precondition_failed']);
    await people.owner.group(name);
    const taken = await people.owner.change(`/groups/${id}`, { name });
    expect([taken.status, taken.body.code]).toEqual([409, 'already_exists']);
    expect((await people.owner.change(`/groups/${id}`, { name: `${name}!` })).status).toBe(200); // its own
    expect((await people.owner.call('PATCH', `${GROUPS}/${id}`, { name })).status).toBe(428);
    const read = await people.owner.get(`${GROUPS}/${id}`);
    expect([read.body.version, read.headers.get('etag')]).toEqual([3, '"3"']);

    expect((await people.owner.delete(`${GROUPS}/${id}`)).status).toBe(204);
    for (const answer of [
      await people.owner.get(`${GROUPS}/${id}`),
      await people.owner.delete(`${GROUPS}/${id}`),
      await people.owner.change(`/groups/${id}`, { name }, 9),
      await people.owner.get(`${GROUPS}/${id}/members`),
      await people.add(id, { group_id: id }),
    ])
      expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });

  it('is listed newest first, in pages', async () => {
    const own = await People.open(world);
    const made: string[] = [];
    for (let n = 0; n < 5; n++) made.unshift(await own.owner.group());
    const first = await own.owner.get(`${GROUPS}?limit=3`);
    const second = await own.owner.get(`${GROUPS}?limit=3&cursor=${first.body.next_cursor}`);
    expect([...ids(first.body), ...ids(second.body)]).toEqual(made);
    expect(second.body.next_cursor).toBeUndefined();
  });

  it('that is asked for twice under one key is one', async () => {
    const [name, headers] = [randomUUID(), { 'idempotency-key': randomUUID() }];
    const answers = await Promise.all([1, 2].map(() => people.owner.post(GROUPS, { name }, headers)));
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(answers[0]!.body).toEqual(answers[1]!.body);
  });

  it('takes its members, its places and its roles with it, and the event counts them', async () => {
    const { id: user, calls } = await people.member();
    const inner = await people.group({ user_id: user });
    const group = await people.group({ group_id: inner }, { user_id: (await people.member()).id });
    const [outer, other] = [await people.group({ group_id: group }), await people.group({ group_id: group })];
    await people.bind('reader', { group });
    await people.bind('reader', { group: outer });
    expect((await calls.get('/api/v1/exams')).status).toBe(200);
    const answer = await people.owner.delete(`${GROUPS}/${group}`);
    expect(answer.status).toBe(204);
    expect(
      (await people.eventsOf(answer)).map(({ resource_id, detail }) => ({ resource_id, detail })),
    ).toEqual([{ resource_id: group, detail: { members: 2, memberships: 2, bindings: 1 } }]);
    for (const [id, members] of [
      [outer, 0],
      [other, 0],
      [inner, 1],
    ] as const)
      expect((await people.owner.get(`${GROUPS}/${id}/members`)).body.items).toHaveLength(members);
    expect((await calls.get('/api/v1/exams')).status).toBe(403);
  });
});

describe('members', () => {
  it('are staff and groups, each once, latest first, in pages', async () => {
    const group = await people.group();
    const [{ id: user_id }, group_id] = [await people.member(), await people.group()];
    const added = await people.add(group, { user_id });
    expect([added.status, added.body]).toEqual([
      201,
      { id: expect.any(String), user_id, created_at: expect.any(String) },
    ]);
    expect((await people.eventsOf(added))[0]).toMatchObject({
      resource_id: group,
      detail: { member: added.body.id, user: user_id, replayed: false },
    });
    const nested = await people.add(group, { group_id });
    expect(nested.body).toEqual({ id: expect.any(String), group_id, created_at: expect.any(String) });
    for (const member of [{ user_id }, { group_id }]) {
      const again = await people.add(group, member);
      expect([again.status, again.body.code]).toEqual([409, 'already_exists']);
    }
    const whole = await people.owner.get(`${GROUPS}/${group}/members`);
    expect(whole.body).toEqual({ items: [nested.body, added.body] });
    const first = await people.owner.get(`${GROUPS}/${group}/members?limit=1`);
    const second = await people.owner.get(
      `${GROUPS}/${group}/members?limit=1&cursor=${first.body.next_cursor}`,
    );
    expect([...first.body.items, ...second.body.items]).toEqual(whole.body.items);
  });

  it('are not patients, nor whom nobody knows, nor whom the caller may not see', async () => {
    const group = await people.group();
    const portal = await Portal.open(world, people.organizationId);
    const patient = await portal.newPatient({ email: `${randomUUID()}@example.org` });
    const refused = await people.add(group, { user_id: patient });
    expect([refused.status, refused.body.code]).toEqual([409, 'not_staff']);
    for (const member of [{ user_id: newId() }, { group_id: newId() }, { user_id: group }])
      expect((await people.add(group, member)).status).toBe(404);
    const blind = await people.member(
      await people.role({ operations: ['groups:add-member'], subject: 'Group' }),
    );
    for (const member of [{ user_id: blind.id }, { group_id: await people.group() }])
      expect((await people.add(group, member, blind.calls)).status).toBe(404);
  });

  it('are removed from their group, by no other’s route', async () => {
    const { id: user_id } = await people.member();
    const [group, other] = [await people.group(), await people.group()];
    const { id } = (await people.add(group, { user_id })).body;
    expect((await people.owner.delete(`${GROUPS}/${other}/members/${id}`)).status).toBe(404);
    const removed = await people.owner.delete(`${GROUPS}/${group}/members/${id}`);
    expect(removed.status).toBe(204);
    expect((await people.eventsOf(removed))[0]!.detail).toEqual({ member: id, user: user_id });
    expect((await people.owner.delete(`${GROUPS}/${group}/members/${id}`)).status).toBe(404);
  });

  it('that are added twice under one key are added once, and under that key to that group only', async () => {
    const [a, b, member] = [await people.group(), await people.group(), await people.group()];
    const headers = { 'idempotency-key': randomUUID() };
    const add = (group: string) =>
      people.owner.post(`${GROUPS}/${group}/members`, { group_id: member }, headers);
    const [first, second] = [await add(a), await add(a)];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect((await people.eventsOf(second))[0]!.detail).toMatchObject({ replayed: true });
    expect((await add(b)).body.code).toBe('idempotency_mismatch');
  });
});

describe('what a group may do, its members may', () => {
  let second: Api;
  let baseUrl: string;
  beforeAll(async () => {
    const port = await freePort(0);
    second = await createApi({ ...world.config, PORT: port });
    await second.app.listen(port, '127.0.0.1');
    baseUrl = `http://127.0.0.1:${port}`;
  });
  afterAll(() => second.app.close());

  it('by way of two more groups, and within a second no more, in every process', async () => {
    const { id: user_id, calls } = await people.member();
    const there = await signedIn({ ...world, baseUrl }, people.organizationId, user_id);
    const [inner, middle, outer] = [await people.group(), await people.group(), await people.group()];
    await people.bind('reader', { group: outer });
    const membership = (await people.add(middle, { group_id: inner })).body.id;
    await people.add(outer, { group_id: middle });
    for (const by of [calls, there]) expect((await by.get('/api/v1/exams')).status).toBe(403);
    const ask = () => there.get('/api/v1/exams');

    await people.add(inner, { user_id });
    expect((await calls.get('/api/v1/exams')).status).toBe(200); // where it was changed, at once
    await soonStatus(200, ask);

    expect((await people.owner.delete(`${GROUPS}/${middle}/members/${membership}`)).status).toBe(204);
    expect((await calls.get('/api/v1/exams')).status).toBe(403);
    await soonStatus(403, ask);
  });
});

describe('nobody gives what they have not got', () => {
  it('by a place in a group, or in one that is in a group that has it', async () => {
    const manager = await people.member(
      await people.role(
        { operations: ['groups:read', 'groups:add-member'], subject: 'Group' },
        { operations: ['users:read'], subject: 'User' },
        { operations: ['exams:list'], subject: 'Exam' },
      ),
    );
    const listers = await people.role({ operations: ['exams:list'], subject: 'Exam' });
    const group = await people.group();
    await people.bind(listers, { group });
    const { id: user_id } = await people.member();
    expect((await people.add(group, { user_id }, manager.calls)).status).toBe(201);
    const outer = await people.group({ group_id: group });
    await people.bind('coordinator', { group: outer });
    for (const member of [{ user_id: manager.id }, { group_id: await people.group() }]) {
      const answer = await people.add(group, member, manager.calls);
      expect([answer.status, answer.body.code]).toEqual([403, 'grant_exceeded']);
    }
    // An admin has all that a coordinator has, and not what an owner has.
    const admin = await people.member('admin');
    expect((await people.add(group, { user_id: manager.id }, admin.calls)).status).toBe(201);
    await people.bind('owner', { group: outer });
    const answer = await people.add(group, { user_id: admin.id }, admin.calls);
    expect([answer.status, answer.body.code]).toEqual([403, 'grant_exceeded']);
  });
});

describe('circles', () => {
  const refusal = async (group: string, group_id: string) => {
    const { status, body } = await people.add(group, { group_id });
    return [status, body.code];
  };

  it('of one, of two and of three are refused', async () => {
    const [a, b, c] = [await people.group(), await people.group(), await people.group()];
    expect(await refusal(a, a)).toEqual([409, 'group_circle']);
    await people.add(a, { group_id: b });
    expect(await refusal(b, a)).toEqual([409, 'group_circle']);
    await people.add(b, { group_id: c });
    expect(await refusal(c, a)).toEqual([409, 'group_circle']);
    expect((await people.add(a, { group_id: c })).status).toBe(201); // a second way is none
  });

  it('that two would close together are not closed: one of them gets through', async () => {
    for (let round = 0; round < 5; round++) {
      const groups = await Promise.all([1, 2, 3].map(() => people.group()));
      const answers = await Promise.all(
        groups.map((group, index) => people.add(group, { group_id: groups[(index + 1) % 3]! })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409]);
      const [a, b] = [await people.group(), await people.group()];
      const pair = await Promise.all([people.add(a, { group_id: b }), people.add(b, { group_id: a })]);
      expect(pair.map(({ status }) => status).sort()).toEqual([201, 409]);
      expect(pair.find(({ status }) => status === 409)!.body.code).toBe('group_circle');
    }
  });

  it('are never there, nor more than ten levels, whatever is added and removed in whatever order', async () => {
    const SIZE = 13;
    const step = fc.record({
      outer: fc.nat(SIZE - 1),
      inner: fc.nat(SIZE - 1),
      remove: fc.boolean(),
      // Half of the steps lengthen a chain, or it would hardly get ten long.
      chain: fc.boolean(),
    });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 45 }), async (steps) => {
        const own = await People.open(world);
        const groups = await Promise.all(Array.from({ length: SIZE }, () => own.group()));
        const edges = new Map<string, string>();
        for (const { outer, inner, remove, chain } of steps) {
          const to = chain ? (outer + 1) % SIZE : inner;
          const edge = `${outer} ${to}`;
          const known = edges.get(edge);
          if (known !== undefined) {
            if (!remove) continue;
            await own.owner.delete(`${GROUPS}/${groups[outer]}/members/${known}`);
            edges.delete(edge);
            continue;
          }
          const expected = wouldBe([...edges.keys(), edge]);
          const { status, body } = await own.add(groups[outer]!, { group_id: groups[to]! });
          expect(status === 201 ? 'fine' : body.code).toBe(expected);
          if (status === 201) edges.set(edge, body.id);
          else if (expected === 'group_circle') refused++;
        }
      }),
      { numRuns: 12 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('and more than ten levels are refused, from above, from below and between', async () => {
    const chain = async (length: number): Promise<string[]> => {
      const groups = [await people.group()];
      while (groups.length < length) groups.unshift(await people.group({ group_id: groups[0]! }));
      return groups; // outermost first
    };
    const ten = await chain(10);
    expect(await refusal(ten.at(-1)!, await people.group())).toEqual([409, 'groups_too_deep']);
    expect(await refusal(await people.group(), ten[0]!)).toEqual([409, 'groups_too_deep']);
    expect((await people.add(ten[0]!, { group_id: await people.group() })).status).toBe(201);
    const [five, six] = [await chain(5), await chain(6)];
    expect(await refusal(five.at(-1)!, six[0]!)).toEqual([409, 'groups_too_deep']);
    expect((await people.add(five.at(-2)!, { group_id: six[0]! })).status).toBe(201); // ten
    expect(await refusal(ten.at(-1)!, ten[0]!)).toEqual([409, 'group_circle']);
  });
});

/** What the newest of these edges, `outer inner`, should be answered with: by looking at every way there is. */
function wouldBe(edges: string[]): 'fine' | 'group_circle' | 'groups_too_deep' {
  const within = new Map<string, string[]>();
  for (const edge of edges) {
    const [outer, inner] = edge.split(' ') as [string, string];
    within.set(outer, [...(within.get(outer) ?? []), inner]);
  }
  const depth = (group: string, way: string[]): number => {
    if (way.includes(group)) return Infinity;
    return 1 + Math.max(0, ...(within.get(group) ?? []).map((inner) => depth(inner, [...way, group])));
  };
  const deepest = Math.max(...[...within.keys()].map((group) => depth(group, [])));
  return deepest === Infinity ? 'group_circle' : deepest > 10 ? 'groups_too_deep' : 'fine';
}

describe('the last owner stays', () => {
  it('when a membership would be removed, or a group deleted', async () => {
    const own = await People.open(world);
    const { id: user_id, calls } = await own.member();
    const inner = await own.group();
    const { id } = (await own.add(inner, { user_id })).body;
    const outer = await own.group();
    const nested = (await own.add(outer, { group_id: inner })).body.id;
    await own.dethrone();
    await own.bind('owner', { group: outer });
    for (const path of [`${inner}/members/${id}`, `${outer}/members/${nested}`, inner, outer]) {
      const answer = await calls.delete(`${GROUPS}/${path}`);
      expect({ path, answer: [answer.status, answer.body.code] }).toEqual({
        path,
        answer: [409, 'last_owner'],
      });
    }
    expect((await calls.get(`${GROUPS}/${inner}/members`)).body.items).toHaveLength(1);
    const other = await calls.invite();
    expect((await own.add(outer, { user_id: other }, calls)).status).toBe(201);
    expect((await calls.delete(`${GROUPS}/${inner}`)).status).toBe(204);
    expect((await calls.get(GROUPS)).status).toBe(403); // they were one by that group
  });

  it('when two remove each other from a group at once: one of them does', async () => {
    for (let round = 0; round < 5; round++) {
      const own = await People.open(world);
      const members = [await own.member(), await own.member()];
      const group = await own.group();
      const places: string[] = [];
      for (const { id } of members) places.push((await own.add(group, { user_id: id })).body.id);
      await own.dethrone();
      await own.bind('owner', { group });
      const answers = await Promise.all(
        members.map(({ calls }, n) => calls.delete(`${GROUPS}/${group}/members/${places[1 - n]}`)),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 204)).toHaveLength(1);
      expect([403, 409]).toContain(statuses.find((status) => status !== 204));
    }
  });
});

describe('bad input is a 400', () => {
  it.each([
    ['no name', {}],
    ['an empty name', { name: '' }],
    ['a blank name', { name: ' ' }],
    ['a control character', { name: 'a\u0000' }],
    ['a name that is too long', { name: 'a'.repeat(101) }],
    ['what is not known', { name: 'a', roles: [] }],
  ])('made with %s', async (_, body) => {
    for (const answer of [
      await people.owner.post(GROUPS, body),
      await people.owner.change(`/groups/${await people.group()}`, body),
    ])
      expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });

  it.each([
    ['nobody', {}],
    ['both', { user_id: newId(), group_id: newId() }],
    ['an id that is none', { user_id: '1' }],
    ['an address', { email: 'a@staff.example' }],
    ['a client', { client_id: newId() }],
  ])('a member that is %s', async (_, body) => {
    const answer = await people.owner.post(`${GROUPS}/${await people.group()}/members`, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });
});
