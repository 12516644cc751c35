import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Answer } from '../../support/client.js';
import { Portal, PortalClient, type Session } from '../../support/portal.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const DAY = 24 * 3600 * 1000;
const WHOAMI = '/test-token';
const UNAUTHORIZED = {
  status: 401,
  body: { status: 401, success: false, error: 'Invalid or expired token', code: 'VALIDATION_ERROR' },
};

let world: World;
let portal: Portal;

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '10000' });
  portal = await Portal.open(world, (await world.newTenant()).organizationId);
});
afterAll(() => world.close());

const told = ({ status, body }: Answer) => ({ status, body });

/** Asks until the access token is refused: a second at most, counted from when a request was sent. */
async function endsSoon(session: PortalClient): Promise<void> {
  for (const changed = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 25))) {
    const late = Date.now() - changed >= 1_000;
    const { status } = await session.get(WHOAMI);
    if (status === 401) return;
    expect({ late, status }).toEqual({ late: false, status: 200 });
  }
}

const withToken = (accessToken: string): PortalClient =>
  new PortalClient(world, portal.organizationId, portal.apiKey, accessToken);

async function rowOf({ patientId }: Session) {
  const { rows } = await world.admin.query<{ id: string; revoked_reason: string | null; live: number }>(
    `SELECT s.id, s.revoked_reason,
            (SELECT count(*)::int FROM refresh_token r WHERE r.session_id = s.id AND r.replaced_at IS NULL) AS live
     FROM user_session s WHERE s.user_id = $1`,
    [patientId],
  );
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

describe('a refresh token', () => {
  it('is changed for the next pair, each good in its turn', async () => {
    const session = await portal.signIn();
    let token = session.refreshToken;
    for (let turn = 0; turn < 3; turn++) {
      const answer = await portal.refresh(token);
      expect(told(answer)).toEqual({
        status: 200,
        body: {
          status: 200,
          success: true,
          accessToken: expect.stringMatching(/^ey/),
          refreshToken: expect.stringMatching(/^sdr_[A-Za-z0-9]{43}$/),
          expiresIn: 900,
        },
      });
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.body.refreshToken).not.toBe(token);
      expect((await withToken(answer.body.accessToken).get(WHOAMI)).body.principal.id).toBe(
        session.patientId,
      );
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          action: 'sessions:refresh',
          outcome: 'success',
          actor_kind: 'user',
          actor_id: session.patientId,
          patient_ref: session.patientId,
        }),
      ]);
      token = answer.body.refreshToken;
    }
    expect(await rowOf(session)).toMatchObject({ live: 1, revoked_reason: null });
  });

  it('that is shown again ends its session for everybody within a second', async () => {
    const session = await portal.signIn();
    const { body: next } = await portal.refresh(session.refreshToken);
    expect((await session.get(WHOAMI)).status).toBe(200);
    const replayed = await portal.refresh(session.refreshToken);
    expect(told(replayed)).toEqual(UNAUTHORIZED);
    expect(replayed.headers.get('www-authenticate')).toBe('Bearer');
    await Promise.all([endsSoon(session), endsSoon(withToken(next.accessToken))]);
    expect(told(await portal.refresh(next.refreshToken))).toEqual(UNAUTHORIZED);
    const { id } = await rowOf(session);
    const of = {
      resource_id: id,
      patient_ref: session.patientId,
      outcome: 'denied',
      actor_kind: 'anonymous',
    };
    expect(await eventsOf(replayed)).toEqual([
      expect.objectContaining({ ...of, action: 'sessions:end', detail: { reason: 'replayed' } }),
      expect.objectContaining({
        ...of,
        action: 'sessions:refresh',
        detail: { status: 401, code: 'invalid_grant' },
      }),
    ]);
    const again = await portal.refresh(session.refreshToken);
    expect((await eventsOf(again)).map(({ action }) => action)).toEqual(['sessions:refresh']);
  });

  it('of one session does not end the patient’s other one', async () => {
    const email = 'two@example.org';
    const [phone, laptop] = [await portal.signIn(email), await portal.signIn(email)];
    await portal.refresh(phone.refreshToken);
    await portal.refresh(phone.refreshToken);
    await endsSoon(phone);
    expect((await laptop.get(WHOAMI)).status).toBe(200);
    expect((await portal.refresh(laptop.refreshToken)).status).toBe(200);
  });

  it('that is shown ten times at once is good for one new one, and ends the session', async () => {
    const session = await portal.signIn();
    const answers = await Promise.all(Array.from({ length: 10 }, () => portal.refresh(session.refreshToken)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200))
      expect(told(answer)).toEqual(UNAUTHORIZED);
    expect(await rowOf(session)).toMatchObject({ live: 1, revoked_reason: 'replayed' });
    expect(told(await portal.refresh(won[0]!.body.refreshToken))).toEqual(UNAUTHORIZED);
    await endsSoon(withToken(won[0]!.body.accessToken));
  });

  it('is good at the portal it was got at only, and is not used up elsewhere', async () => {
    const session = await portal.signIn();
    const [beside, foreign] = [
      await Portal.open(world, portal.organizationId),
      await Portal.open(world, (await world.newTenant()).organizationId),
    ];
    for (const other of [beside, foreign])
      expect(told(await other.refresh(session.refreshToken))).toEqual(UNAUTHORIZED);
    expect((await foreign.logout(session.refreshToken)).status).toBe(200); // and does nothing
    expect((await portal.refresh(session.refreshToken)).status).toBe(200);
    expect(told(await foreign.refresh(session.refreshToken))).toEqual(UNAUTHORIZED); // replayed, but not theirs
    expect((await rowOf(session)).revoked_reason).toBeNull();
  });

  it.each([
    ['unknown', 'sdr_0000000000000000000000000000000000000000000'],
    ['no token at all', 'x'],
    ['an access token', 'ey.ey.x'],
  ])('is refused when it is %s', async (_, token) => {
    const answer = await portal.refresh(token);
    expect(told(answer)).toEqual(UNAUTHORIZED);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        organization_id: portal.organizationId,
        action: 'sessions:refresh',
        outcome: 'denied',
        actor_kind: 'anonymous',
        patient_ref: null,
      }),
    ]);
  });

  it.each([
    {},
    { refresh_token: '' },
    { refresh_token: 1 },
    { refresh_token: 'x', more: 1 },
    { refreshToken: 'x' },
  ])('is asked for as it should be, else a 400: %j', async (body) => {
    for (const route of ['refresh-token', 'logout']) {
      const { status } = await portal.post(`/api/v1/users/auth/${route}`, body);
      expect({ route, status }).toEqual({ route, status: 400 });
    }
  });
});

describe('a session', () => {
  it('ends by logout within a second, whichever of its tokens is shown; the answer is always the same', async () => {
    const session = await portal.signIn();
    const { body: next } = await portal.refresh(session.refreshToken);
    const ok = { status: 200, body: { status: 200, success: true } };
    const answer = await portal.logout(session.refreshToken); // the one before the last
    expect(told(answer)).toEqual(ok);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        action: 'sessions:end',
        outcome: 'success',
        actor_kind: 'user',
        actor_id: session.patientId,
        detail: { reason: 'logout' },
      }),
    ]);
    await Promise.all([endsSoon(session), endsSoon(withToken(next.accessToken))]);
    expect(told(await portal.refresh(next.refreshToken))).toEqual(UNAUTHORIZED);
    for (const token of [session.refreshToken, next.refreshToken]) {
      const again = await portal.logout(token);
      expect(told(again)).toEqual(ok);
      expect(await eventsOf(again)).toEqual([]);
    }
    const guess = await portal.logout('nobody’s');
    expect(told(guess)).toEqual(ok);
    expect(await eventsOf(guess)).toEqual([
      expect.objectContaining({
        organization_id: portal.organizationId,
        action: 'sessions:end',
        outcome: 'denied',
        actor_kind: 'anonymous',
        patient_ref: null,
        detail: { reason: 'unknown' },
      }),
    ]);
    expect((await rowOf(session)).revoked_reason).toBe('logout');
  });

  it('ends when its patient is disabled', async () => {
    const session = await portal.signIn();
    expect((await session.get(WHOAMI)).status).toBe(200);
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [session.patientId]);
    await endsSoon(session);
    expect(told(await portal.refresh(session.refreshToken))).toEqual(UNAUTHORIZED);
  });

  it('is of its patient alone', async () => {
    const [session, other] = [await portal.signIn(), await portal.signIn()];
    await world.admin.query('UPDATE user_session SET user_id = $1 WHERE user_id = $2', [
      other.patientId,
      session.patientId,
    ]);
    await endsSoon(session);
  });

  it('ends with its organization', async () => {
    const closing = await Portal.open(world, (await world.newTenant()).organizationId);
    const session = await closing.signIn();
    expect((await session.get(WHOAMI)).status).toBe(200);
    await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [
      closing.organizationId,
    ]);
    await endsSoon(session);
  });

  it('may do what the role of patients says now', async () => {
    const own = await Portal.open(world, (await world.newTenant()).organizationId);
    const session = await own.signIn();
    expect((await session.get(WHOAMI)).status).toBe(200);
    await world.admin.query(`UPDATE role SET rules = '[]' WHERE organization_id = $1 AND name = 'patient'`, [
      own.organizationId,
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await session.get(WHOAMI)).status).toBe(403);
  });

  it('goes on for ninety days when it is used each month, and no longer', async () => {
    const session = await portal.signIn();
    let { refreshToken } = session;
    for (let turn = 0; turn < 3; turn++) {
      world.travel(29 * DAY);
      const answer = await portal.refresh(refreshToken);
      expect(answer.status).toBe(200);
      refreshToken = answer.body.refreshToken;
    }
    const { rows } = await world.admin.query(
      `SELECT r.expires_at = s.expires_at AS capped FROM refresh_token r JOIN user_session s ON s.id = r.session_id
       WHERE s.user_id = $1 ORDER BY r.created_at DESC LIMIT 1`,
      [session.patientId],
    );
    expect(rows).toEqual([{ capped: true }]);
    world.travel(3 * DAY + 1000);
    expect(told(await portal.refresh(refreshToken))).toEqual(UNAUTHORIZED);
  });

  it('ends after thirty days without a refresh, and its token is not used up by trying', async () => {
    const session = await portal.signIn();
    world.travel(30 * DAY + 1000);
    for (let turn = 0; turn < 2; turn++) {
      const answer = await portal.refresh(session.refreshToken);
      expect(told(answer)).toEqual(UNAUTHORIZED);
      expect((await eventsOf(answer)).map(({ action }) => action)).toEqual(['sessions:refresh']);
    }
    expect((await rowOf(session)).revoked_reason).toBeNull();
  });

  it('that is over takes its access tokens with it', async () => {
    const session = await portal.signIn();
    expect((await session.get(WHOAMI)).status).toBe(200);
    await world.admin.query(`UPDATE user_session SET expires_at = $2 WHERE user_id = $1`, [
      session.patientId,
      new Date(0),
    ]);
    await endsSoon(session);
  });
});
