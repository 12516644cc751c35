import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Answer, Client } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { type SignedInStaff, StaffDoor } from '../../support/staff.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const HOUR = 3600 * 1000;
const WHOAMI = '/test-token';
const over = { status: 401, code: 'invalid_grant' };

let world: World;
let door: StaffDoor;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  door = new StaffDoor(world, (await world.newTenant()).organizationId);
});
afterAll(() => world.close());

const told = ({ status, body }: Answer) => ({ status, code: body.code as string });

/** Asks until the access token is refused: a second at most, counted from when a request was sent. */
async function endsSoon(session: Client): Promise<void> {
  for (const changed = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 25))) {
    const late = Date.now() - changed >= 1_000;
    const { status } = await session.get(WHOAMI);
    if (status === 401) return;
    expect({ late, status }).toEqual({ late: false, status: 200 });
  }
}

const reasonOf = async ({ userId }: SignedInStaff): Promise<string | null> => {
  const { rows } = await world.admin.query<{ revoked_reason: string | null }>(
    'SELECT revoked_reason FROM user_session WHERE user_id = $1',
    [userId],
  );
  expect(rows).toHaveLength(1);
  return rows[0]!.revoked_reason;
};

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

describe('a refresh token of staff', () => {
  it('is changed for the next pair, each good in its turn', async () => {
    const staff = await door.signIn('reader');
    const answer = await door.refresh(staff.refreshToken);
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^ey/),
      refresh_token: expect.stringMatching(/^sdr_/),
      expires_in: 900,
      token_type: 'Bearer',
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const next = new Client(world.baseUrl, answer.body.access_token);
    expect((await next.get(WHOAMI)).body.principal.id).toBe(staff.userId);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        organization_id: door.organizationId,
        action: 'sessions:refresh',
        outcome: 'success',
        actor_id: staff.userId,
        patient_ref: null,
      }),
    ]);
    expect((await door.refresh(answer.body.refresh_token)).status).toBe(200);
  });

  it('that is shown again ends its session for everybody within a second', async () => {
    const staff = await door.signIn('reader');
    expect((await staff.get(WHOAMI)).status).toBe(200);
    const { body: next } = await door.refresh(staff.refreshToken);
    const replayed = await door.refresh(staff.refreshToken);
    expect(told(replayed)).toEqual(over);
    await Promise.all([endsSoon(staff), endsSoon(new Client(world.baseUrl, next.access_token))]);
    expect(told(await door.refresh(next.refresh_token))).toEqual(over);
    expect(await reasonOf(staff)).toBe('replayed');
    const [ended, denied] = await eventsOf(replayed);
    expect(ended).toMatchObject({
      action: 'sessions:end',
      detail: { reason: 'replayed' },
      patient_ref: null,
    });
    expect(denied).toMatchObject({ action: 'sessions:refresh', outcome: 'denied', patient_ref: null });
  });

  it('that is shown ten times at once is good for one new one, and ends the session', async () => {
    const staff = await door.signIn('reader');
    const answers = await Promise.all(Array.from({ length: 10 }, () => door.refresh(staff.refreshToken)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await reasonOf(staff)).toBe('replayed');
  });

  it('is good at its own door only, and neither used up nor ended at another', async () => {
    const portal = await Portal.open(world, door.organizationId);
    const other = new StaffDoor(world, (await world.newTenant()).organizationId);
    const staff = await door.signIn('reader');
    const patient = await portal.signIn();
    expect((await portal.refresh(staff.refreshToken)).status).toBe(401);
    expect(told(await other.refresh(staff.refreshToken))).toEqual(over);
    expect(told(await door.refresh(patient.refreshToken))).toEqual(over);
    for (const answer of [
      await portal.logout(staff.refreshToken),
      await other.logout(staff.refreshToken),
      await door.logout(patient.refreshToken),
    ])
      expect(answer.status).toBe(200); // as for any token
    const [next, patients] = [
      await door.refresh(staff.refreshToken),
      await portal.refresh(patient.refreshToken),
    ];
    expect([next.status, patients.status]).toEqual([200, 200]);
    // A used one is no replay where it was never good.
    expect((await portal.refresh(staff.refreshToken)).status).toBe(401);
    expect(told(await door.refresh(patient.refreshToken))).toEqual(over);
    expect((await door.refresh(next.body.refresh_token)).status).toBe(200);
    expect((await portal.refresh(patients.body.refreshToken)).status).toBe(200);
  });
});

describe('a session of staff', () => {
  it('ends by logout within a second; the answer is the same for any token', async () => {
    const staff = await door.signIn('reader');
    const { body: next } = await door.refresh(staff.refreshToken);
    const answer = await door.logout(staff.refreshToken); // the one before the last
    const unknown = await door.logout('sdr_unknown');
    for (const each of [answer, unknown]) {
      expect({ status: each.status, body: each.body }).toEqual({
        status: 200,
        body: { message: 'Signed out.' },
      });
      expect(each.headers.get('cache-control')).toBe('no-store');
    }
    await endsSoon(new Client(world.baseUrl, next.access_token));
    expect(told(await door.refresh(next.refresh_token))).toEqual(over);
    expect(await reasonOf(staff)).toBe('logout');
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({ action: 'sessions:end', outcome: 'success', actor_id: staff.userId }),
    ]);
    expect(await eventsOf(unknown)).toEqual([
      expect.objectContaining({
        organization_id: door.organizationId,
        outcome: 'denied',
        actor_kind: 'anonymous',
        detail: { reason: 'unknown' },
      }),
    ]);
  });

  it('ends when its user is disabled, and with its organization', async () => {
    const disabled = await door.signIn('reader');
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [disabled.userId]);
    await endsSoon(disabled);
    expect(told(await door.refresh(disabled.refreshToken))).toEqual(over);

    const closing = new StaffDoor(world, (await world.newTenant()).organizationId);
    const staff = await closing.signIn('reader');
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      closing.organizationId,
    ]);
    await endsSoon(staff);
    expect(told(await closing.refresh(staff.refreshToken))).toEqual(over);
  });

  it('ends after twelve hours without a refresh', async () => {
    const [early, late] = [await door.signIn('reader'), await door.signIn('reader')];
    world.travel(12 * HOUR - 5_000);
    expect((await door.refresh(early.refreshToken)).status).toBe(200);
    world.travel(6_000);
    expect(told(await door.refresh(late.refreshToken))).toEqual(over);
  });

  it('goes on for seven days when it is used each night, and no longer', async () => {
    let { refreshToken } = await door.signIn('reader');
    for (let turn = 0; turn < 15; turn++) {
      world.travel(11 * HOUR);
      const answer = await door.refresh(refreshToken);
      expect(answer.status).toBe(200);
      refreshToken = answer.body.refresh_token;
    }
    world.travel(3 * HOUR + 1_000);
    expect(told(await door.refresh(refreshToken))).toEqual(over);
  });
});
