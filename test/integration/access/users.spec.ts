import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newId } from '../../../src/platform/database/id.js';
import { ADMIN, signedIn } from '../../support/admin.js';
import { Portal } from '../../support/portal.js';
import { createWorld, type World } from '../../support/world.js';
import { People } from './people.js';

jest.setTimeout(60_000);

const USERS = `${ADMIN}/users`;

let world: World;
let people: People;

beforeAll(async () => {
  world = await createWorld({ RATE_LIMIT_PER_MINUTE: '100000', CREDENTIAL_FAILURES_PER_MINUTE: '100000' });
  people = await People.open(world);
});
afterAll(() => world.close());

const newAddress = (): string => `${randomUUID()}@staff.example`;

describe('an invitation', () => {
  it('makes a user of staff, whose address is compared in one form', async () => {
    const email = newAddress();
    const names = { first_name: 'Grace', last_name: 'Hopper' };
    const answer = await people.owner.post(USERS, { email: ` ${email.toUpperCase()}`, ...names });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      kind: 'staff',
      email,
      phone_number: null,
      ...names,
      state: 'enabled',
      created_at: expect.any(String),
      version: 1,
      invitation: 'unavailable', // there is no mail server here
    });
    const [event] = await people.eventsOf(answer);
    expect(event).toMatchObject({
      resource_id: answer.body.id,
      patient_ref: null,
      detail: { invitation: 'unavailable', replayed: false },
    });
    const again = await people.owner.post(USERS, { email });
    expect([again.status, again.body.code]).toEqual([409, 'already_exists']);
    expect(again.text).not.toContain(email);
  });

  it('is of staff: a patient with that address is somebody else', async () => {
    const email = newAddress();
    const portal = await Portal.open(world, people.organizationId);
    const patient = await portal.newPatient({ email });
    const answer = await people.owner.post(USERS, { email });
    expect([answer.status, answer.body.id === patient]).toEqual([201, false]);
    const both = await people.owner.post(`${USERS}/search`, { email: email.toUpperCase() });
    expect(both.body.items.map(({ kind }: { kind: string }) => kind).sort()).toEqual(['patient', 'staff']);
  });

  it('that is repeated under its key makes nobody twice', async () => {
    const email = newAddress();
    const headers = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all([1, 2, 3].map(() => people.owner.post(USERS, { email }, headers)));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const other = await people.owner.post(USERS, { email: newAddress() }, headers);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
  });

  it('of one address from two sides at once succeeds once', async () => {
    const email = newAddress();
    const answers = await Promise.all([1, 2, 3, 4].map(() => people.owner.post(USERS, { email })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  });
});

describe('the list', () => {
  it('is newest first, in pages, and is filtered', async () => {
    const own = await People.open(world);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift(await own.owner.invite());
    const portal = await Portal.open(world, own.organizationId);
    const patient = await portal.newPatient({ email: newAddress() });
    await own.owner.post(`${USERS}/${ids[1]}/disable`);
    const list = async (query: string): Promise<string[]> => {
      const { status, body } = await own.owner.get(`${USERS}?${query}`);
      expect(status).toBe(200);
      return body.items.map(({ id }: { id: string }) => id);
    };
    expect(await list('kind=staff')).toEqual(ids);
    expect(await list('kind=patient')).toEqual([patient]);
    expect(await list('state=disabled')).toEqual([ids[1]]);
    expect((await list('state=enabled')).sort()).toEqual([patient, ...ids.filter((_, n) => n !== 1)].sort());
    const nobody = await own.owner.post(`${USERS}/search`, { email: 'nobody@staff.example' });
    expect(nobody.body).toEqual({ items: [] });
    const pages: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await own.owner.get(`${USERS}?kind=staff&limit=2${cursor}`);
      pages.push(...body.items.map(({ id }: { id: string }) => id));
      if (!body.next_cursor) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(pages).toEqual(ids);
  });

  it('of a group has those of the groups in it, once', async () => {
    const [direct, nested, both] = [await people.member(), await people.member(), await people.member()];
    const inner = await people.group({ user_id: nested.id }, { user_id: both.id });
    const outer = await people.group({ user_id: direct.id }, { user_id: both.id }, { group_id: inner });
    const list = async (group: string, by = people.owner): Promise<string[]> =>
      (await by.get(`${USERS}?group_id=${group}`)).body.items.map(({ id }: { id: string }) => id).sort();
    expect(await list(outer)).toEqual([direct.id, nested.id, both.id].sort());
    expect(await list(inner.toUpperCase())).toEqual([nested.id, both.id].sort());
    expect(await list(newId())).toEqual([]);
    const { body } = await people.owner.get(`${USERS}/${both.id}`);
    expect(body.group_ids).toEqual([inner, outer]);
    // Who may see users and no members of groups learns of none.
    const onlyUsers = await people.role({ operations: ['users:list', 'users:read'], subject: 'User' });
    const { calls } = await people.member(onlyUsers);
    expect(await list(outer, calls)).toEqual([]);
    const seen = await calls.get(`${USERS}/${both.id}`);
    expect([seen.status, 'group_ids' in seen.body]).toEqual([200, false]);
  });
});

describe('a change', () => {
  it('is of the names, for the version that was read', async () => {
    const id = await people.owner.invite();
    const stranger = await people.owner.change(`/users/${newId()}`, { first_name: 'A' }, 7);
    expect([stranger.status, stranger.body.code]).toEqual([404, 'not_found']);
    const blind = await people.owner.call('PATCH', `${USERS}/${id}`, { first_name: 'A' });
    expect([blind.status, blind.body.code]).toEqual([428, 'precondition_required']);
    const changed = await people.owner.change(`/users/${id}`, { first_name: 'Ada' }, 1);
    expect(changed.body).toMatchObject({ first_name: 'Ada', last_name: 'Member', version: 2 });
    expect(changed.headers.get('etag')).toBe('"2"');
    expect((await people.eventsOf(changed))[0]).toMatchObject({ detail: { changed: ['firstName'] } });
    const stale = await people.owner.change(`/users/${id}`, { last_name: 'Byron' }, 1);
    expect([stale.status, stale.body.code]).toEqual([412, 'precondition_failed']);
    const moved = await people.owner.change(`/users/${id}`, { email: newAddress() });
    expect([moved.status, moved.body.code]).toEqual([400, 'validation_error']);
    expect((await people.owner.get(`${USERS}/${id}`)).body).toMatchObject({ version: 2, first_name: 'Ada' });
  });

  it('of a patient is told of the patient', async () => {
    const portal = await Portal.open(world, people.organizationId);
    const id = await portal.newPatient({ email: newAddress() });
    for (const answer of [
      await people.owner.change(`/users/${id}`, { last_name: 'King' }),
      await people.owner.get(`${USERS}/${id}`),
      await people.owner.post(`${USERS}/${id}/disable`),
      await people.owner.post(`${USERS}/${id}/enable`),
    ]) {
      expect(answer.body).toMatchObject({ id, kind: 'patient', last_name: 'King' });
      expect(await people.eventsOf(answer)).toEqual([
        expect.objectContaining({ patient_ref: id, resource_type: 'User', resource_id: id }),
      ]);
    }
  });
});

describe('a disabled user', () => {
  it('is out at once with the token in hand, and comes back by a new session only', async () => {
    const { id, calls } = await people.member('owner');
    expect((await calls.get(USERS)).status).toBe(200);
    const disabled = await people.owner.post(`${USERS}/${id}/disable`);
    expect(disabled.body).toMatchObject({ id, state: 'disabled', version: 2 });
    expect((await calls.get(USERS)).status).toBe(401);
    const { rows } = await world.admin.query(
      'SELECT revoked_at IS NOT NULL AS revoked, revoked_reason FROM user_session WHERE user_id = $1',
      [id],
    );
    expect(rows).toEqual([{ revoked: true, revoked_reason: 'disabled' }]);
    expect((await people.eventsOf(disabled))[0]!.detail).toEqual({ repeated: false, sessions: 1 });

    const again = await people.owner.post(`${USERS}/${id}/disable`);
    expect(again.body).toEqual(disabled.body);
    expect((await people.eventsOf(again))[0]!.detail).toEqual({ repeated: true, sessions: 0 });

    const enabled = await people.owner.post(`${USERS}/${id}/enable`);
    expect(enabled.body).toMatchObject({ state: 'enabled', version: 3 });
    expect((await people.owner.post(`${USERS}/${id}/enable`)).body).toEqual(enabled.body);
    expect((await calls.get(USERS)).status).toBe(401);
    expect((await (await signedIn(world, people.organizationId, id)).get(USERS)).status).toBe(200);
  });

  it('has no session that began just then, once enabled again', async () => {
    const { id } = await people.member('reader');
    await people.owner.post(`${USERS}/${id}/disable`);
    const late = await signedIn(world, people.organizationId, id); // as if it had committed after
    expect((await late.get('/api/v1/exams')).status).toBe(401);
    await people.owner.post(`${USERS}/${id}/enable`);
    expect((await late.get('/api/v1/exams')).status).toBe(401);
  });

  it('who is a patient has neither session nor code, until enabled again', async () => {
    const portal = await Portal.open(world, people.organizationId);
    const email = newAddress();
    const session = await portal.signIn(email);
    expect((await session.get('/api/v1/users/me/files')).status).toBe(200);
    expect((await people.owner.post(`${USERS}/${session.patientId}/disable`)).status).toBe(200);
    expect((await session.get('/api/v1/users/me/files')).status).toBe(401);
    expect((await portal.refresh(session.refreshToken)).status).toBe(401);
    await portal.plantCode(email, session.patientId);
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(401);
    await people.owner.post(`${USERS}/${session.patientId}/enable`);
    expect((await portal.refresh(session.refreshToken)).status).toBe(401);
    expect((await (await portal.signIn(email)).get('/api/v1/users/me/files')).status).toBe(200);
  });

  it('gets rights back from nobody who has not got them', async () => {
    const owner = await people.member('owner');
    const coordinator = await people.member();
    await people.group({ user_id: coordinator.id }).then((group) => people.bind('coordinator', { group }));
    const manager = await people.member(
      await people.role({ operations: ['users:disable', 'users:enable'], subject: 'User' }),
    );
    const admin = await people.member('admin');
    for (const [{ id }, by, status] of [
      [owner, admin, 403],
      [coordinator, manager, 403],
      [coordinator, admin, 200],
      [owner, await people.member('owner'), 200],
    ] as const) {
      expect((await by.calls.post(`${USERS}/${id}/disable`)).status).toBe(200);
      const answer = await by.calls.post(`${USERS}/${id}/enable`);
      expect(answer.status).toBe(status);
      if (status === 403) expect(answer.body.code).toBe('grant_exceeded');
    }
  });
});

describe('the last owner stays', () => {
  it('who is one by themselves', async () => {
    const own = await People.open(world);
    const { id, calls } = await own.member('owner');
    await own.dethrone();
    await own.bind('owner', { user: id });
    const answer = await calls.post(`${USERS}/${id}/disable`);
    expect([answer.status, answer.body.code]).toEqual([409, 'last_owner']);
    expect((await calls.get(`${USERS}/${id}`)).body.state).toBe('enabled'); // and is signed in still
  });

  it('who is one by a group in a group', async () => {
    const own = await People.open(world);
    const { id, calls } = await own.member();
    const outer = await own.group({ group_id: await own.group({ user_id: id }) });
    await own.dethrone();
    await own.bind('owner', { group: outer });
    const answer = await calls.post(`${USERS}/${id}/disable`);
    expect([answer.status, answer.body.code]).toEqual([409, 'last_owner']);
    const second = await calls.invite();
    await own.bind('owner', { user: second });
    expect((await calls.post(`${USERS}/${id}/disable`)).status).toBe(200);
  });

  it('when two put each other out at once: one of them does', async () => {
    for (let round = 0; round < 5; round++) {
      const own = await People.open(world);
      const [a, b] = [await own.member(), await own.member()];
      await own.dethrone();
      for (const { id } of [a, b]) await own.bind('owner', { user: id });
      const answers = await Promise.all([
        a.calls.post(`${USERS}/${b.id}/disable`),
        b.calls.post(`${USERS}/${a.id}/disable`),
      ]);
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect([401, 409]).toContain(statuses.find((status) => status !== 200));
      const { rows } = await world.admin.query<{ left: number }>(
        'SELECT count(*)::int AS left FROM "user" WHERE organization_id = $1 AND disabled_at IS NULL',
        [own.organizationId],
      );
      expect(rows).toEqual([{ left: 1 }]);
    }
  });
});

describe('bad input is a 400', () => {
  it.each([
    ['no address', {}],
    ['what is no address', { email: 'grace' }],
    ['two addresses', { email: 'a@staff.example, b@staff.example' }],
    ['a line break in an address', { email: 'a@staff.example\nBcc: b@staff.example' }],
    ['an address that is too long', { email: `${'a'.repeat(64)}@${'b'.repeat(240)}.example` }],
    ['a control character in a name', { email: 'a@staff.example', first_name: 'A\u0007' }],
    ['a blank before a name', { email: 'a@staff.example', last_name: ' A' }],
    ['a name that is too long', { email: 'a@staff.example', last_name: 'A'.repeat(101) }],
    ['a kind', { email: 'a@staff.example', kind: 'patient' }],
    ['an organization', { email: 'a@staff.example', organization_id: newId() }],
    ['a list', []],
  ])('invited with %s', async (_, body) => {
    const answer = await people.owner.post(USERS, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });

  it.each([
    'kind=owner',
    'email=grace@staff.example', // in no URL
    'state=gone',
    'group_id=1',
    'limit=0',
    'limit=101',
    'cursor=x',
    'name=a',
  ])('listed by %s', async (query) => {
    const answer = await people.owner.get(`${USERS}?${query}`);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });

  it('changed with nothing, or under an id that is none', async () => {
    const id = await people.owner.invite();
    for (const answer of [
      await people.owner.change(`/users/${id}`, {}),
      await people.owner.change(`/users/${id}`, { first_name: '' }),
      await people.owner.change(`/users/1`, { first_name: 'A' }),
      await people.owner.post(`${USERS}/1/disable`),
    ])
      expect([answer.status, answer.body.code]).toEqual([400, 'validation_error']);
  });
});
