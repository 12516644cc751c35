import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { Answer } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SEND = '/api/v1/users/auth/send-otp';
const VERIFY = '/api/v1/users/auth/verify-otp';
const envelope = (status: number, error: string, code = 'VALIDATION_ERROR') => ({
  status,
  success: false,
  error,
  code,
});
const REFUSED = { status: 401, body: envelope(401, 'Invalid or expired token') };
const LIMITED = { status: 429, body: envelope(429, 'Too many codes. Try again later.', 'RATE_LIMITED') };

let office: PostOffice;
let world: World;
let portal: Portal;
let counter = 0;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({
    ...office.environment,
    CREDENTIAL_FAILURES_PER_MINUTE: '10000',
    SIGN_IN_CODES_PER_MINUTE: '10000',
  });
  portal = await Portal.open(world, (await world.newTenant()).organizationId);
});
afterAll(async () => {
  await world.close();
  await office.close();
});

const newAddress = (): string => `p${++counter}@example.org`;
const told = ({ status, body }: Answer) => ({ status, body });

/** An address of a patient, and one of nobody: what holds for one must hold for the other. */
async function newAddresses(): Promise<{ known: string; unknown: string }> {
  const [known, unknown] = [newAddress(), newAddress()];
  await portal.newPatient({ email: known });
  return { known, unknown };
}

/** A patient with a code under way. */
async function withCode(): Promise<{ email: string; code: string; id: string }> {
  const email = newAddress();
  const id = await portal.newPatient({ email });
  await portal.plantCode(email, id);
  return { email, id, code: await portal.codeOf(email) };
}

/** A code that is not the one. */
const otherThan = (code: string, by = 1): string => String((Number(code) + by) % 1_000_000).padStart(6, '0');

async function countsOf(email: string): Promise<{ attempts: number[]; failures: number[] }> {
  const subject = [portal.subjectOf(email)];
  const { rows } = await world.admin.query<{ attempts: number[]; failures: number[] }>(
    `SELECT ARRAY(SELECT attempts FROM otp_challenge WHERE subject_id = $1 ORDER BY created_at) AS attempts,
            ARRAY(SELECT failures FROM otp_budget WHERE subject_id = $1 ORDER BY day) AS failures`,
    subject,
  );
  return rows[0]!;
}

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

describe('what is not a request', () => {
  it.each<[string, unknown, string]>([
    ['nothing', {}, 'needs either email or phoneNumber'],
    ['both', { email: 'a@example.org', phoneNumber: '+15550100200' }, 'needs either'],
    ['no address', { email: 'a.example.org' }, 'email: must be an e-mail address'],
    ['a list', { email: 'a@example.org, b@example.org' }, 'email: must be'],
    ['one that is too long', { email: `${'a'.repeat(250)}@example.org` }, 'email: must be at most 254'],
    ['a line break', { email: 'a@example.org\nBcc: b@example.org' }, 'email: must be'],
    ['a local number', { phoneNumber: '0555 0100200' }, 'phoneNumber: must be'],
    ['another channel', { email: 'a@example.org', channel: 'SMS' }, 'channel: does not fit'],
    ['no channel at all', { email: 'a@example.org', channel: 'PIGEON' }, 'channel:'],
    ['more', { email: 'a@example.org', name: 'Åda ☃' }, 'Unrecognized key'],
    ['null', null, ''],
    ['a broken body', '{"email":', 'The request is malformed'],
  ])('send-otp: %s', async (_, body, words) => {
    const answer = await portal.post(SEND, body);
    expect(told(answer)).toEqual({ status: 400, body: envelope(400, 'Validation failed') });
    expect(answer.headers.get('x-validation-error')).toContain(words);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each<[string, unknown]>([
    ['no code', { email: 'a@example.org' }],
    ['five digits', { email: 'a@example.org', code: '12345' }],
    ['a number', { email: 'a@example.org', code: 123456 }],
    ['other digits', { email: 'a@example.org', code: '１２３４５６' }],
    ['no address', { code: '123456' }],
    ['more', { email: 'a@example.org', code: '123456', channel: 'EMAIL' }],
  ])('verify-otp: %s', async (_, body) => {
    expect(told(await portal.post(VERIFY, body))).toEqual({
      status: 400,
      body: envelope(400, 'Validation failed'),
    });
  });

  it('says what is wrong in ASCII, and not at length', async () => {
    const answer = await portal.post(SEND, { [`snow ☃ ${'x'.repeat(600)}`]: 1, email: 'a@example.org' });
    const words = answer.headers.get('x-validation-error')!;
    expect(words).toMatch(/^[\x20-\x7e]+$/);
    expect(words).toContain('snow ?');
    expect(words.length).toBeLessThanOrEqual(500);
  });
});

describe('a code', () => {
  it('is asked for in the same words and rows by a patient and by a stranger', async () => {
    const { known, unknown } = await newAddresses();
    const rows: unknown[] = [];
    for (const email of [known, unknown]) {
      const answer = await portal.sendCode({ email });
      expect(told(answer)).toEqual({
        status: 200,
        body: {
          status: 200,
          success: true,
          message: 'If this address is known here, a code is on its way.',
        },
      });
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          organization_id: portal.organizationId,
          actor_kind: 'anonymous',
          action: 'sign-in:send-code',
          outcome: 'success',
        }),
      ]);
      const found = await world.admin.query<Record<string, unknown>>(
        `SELECT channel, attempts, used_at, expires_at - created_at = interval '10 minutes' AS ten_minutes,
                user_id IS NOT NULL AS known FROM otp_challenge WHERE subject_id = $1`,
        [portal.subjectOf(email)],
      );
      rows.push(...found.rows);
    }
    const row = { channel: 'email', attempts: 0, used_at: null, ten_minutes: true };
    expect(rows).toEqual([
      { ...row, known: true },
      { ...row, known: false },
    ]);
  });

  it('is the same address however it is written', async () => {
    const email = newAddress();
    await portal.newPatient({ email });
    expect((await portal.sendCode({ email: `  ${email.toUpperCase()} `, channel: 'EMAIL' })).status).toBe(
      200,
    );
    const code = await portal.codeOf(email);
    expect((await portal.verify({ email: email.toUpperCase(), code })).status).toBe(200);
  });

  it('opens a session: tokens as RFC 9068 has them, for 900 s, never cached', async () => {
    const { email, code, id } = await withCode();
    const answer = await portal.verify({ email, code });
    expect(told(answer)).toEqual({
      status: 200,
      body: {
        status: 200,
        success: true,
        accessToken: expect.stringMatching(/^ey[\w-]+\.ey[\w-]+\.[\w-]+$/),
        refreshToken: expect.stringMatching(/^sdr_[A-Za-z0-9]{43}$/),
        expiresIn: 900,
      },
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const claims = decodeJwt(answer.body.accessToken);
    const [session] = (
      await world.admin.query(
        'SELECT *, expires_at - created_at AS lasts FROM user_session WHERE user_id = $1',
        [id],
      )
    ).rows as Record<string, unknown>[];
    expect(claims).toEqual({
      iss: world.baseUrl,
      aud: world.baseUrl,
      sub: id,
      sid: session!.id,
      client_id: session!.api_key_id,
      org: portal.organizationId,
      scope: 'files:read files:write',
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: claims.iat! + 900,
    });
    expect(session).toMatchObject({ lasts: expect.objectContaining({ days: 90 }), revoked_at: null });
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        action: 'sign-in:verify-code',
        outcome: 'success',
        actor_kind: 'user',
        actor_id: id,
        actor_label: '',
        resource_type: 'Session',
        resource_id: session!.id,
        patient_ref: id,
        scopes: ['files:read', 'files:write'],
      }),
    ]);
    expect(await countsOf(email)).toEqual({ attempts: [1], failures: [0] }); // a right one costs nothing
  });

  it('is good once, also when it is shown twenty times at the same moment', async () => {
    const { email, code, id } = await withCode();
    const answers = await Promise.all(Array.from({ length: 20 }, () => portal.verify({ email, code })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200))
      expect(told(answer)).toEqual(REFUSED);
    const { rows } = await world.admin.query('SELECT id FROM user_session WHERE user_id = $1', [id]);
    expect(rows).toHaveLength(1);
    expect(told(await portal.verify({ email, code }))).toEqual(REFUSED);
  });

  it('is refused alike when it is wrong, of nobody, of another organization, or never asked for', async () => {
    const { email, code } = await withCode();
    const foreign = await Portal.open(world, (await world.newTenant()).organizationId);
    const stranger = newAddress();
    await portal.plantCode(stranger); // of nobody, and right
    for (const answer of [
      await portal.verify({ email, code: otherThan(code) }),
      await portal.verify({ email: stranger, code: await portal.codeOf(stranger) }),
      await portal.verify({ email: newAddress(), code }),
      await foreign.verify({ email, code }),
      await portal.verify({ phoneNumber: '+15550100200', code }),
    ]) {
      expect(told(answer)).toEqual(REFUSED);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({
          action: 'sign-in:verify-code',
          outcome: 'denied',
          actor_kind: 'anonymous',
          detail: { status: 401, code: 'invalid_code' },
        }),
      ]);
    }
    expect((await portal.verify({ email, code })).status).toBe(200);
  });

  it('says in the ledger whose code was guessed at', async () => {
    const { email, code, id } = await withCode();
    const [event] = await eventsOf(await portal.verify({ email, code: otherThan(code) }));
    expect(event).toMatchObject({
      organization_id: portal.organizationId,
      outcome: 'denied',
      patient_ref: id,
    });
  });

  it('is over when a newer one was asked for', async () => {
    const { email, code, id } = await withCode();
    await portal.plantCode(email, id);
    expect(told(await portal.verify({ email, code }))).toEqual(REFUSED);
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(200);
  });

  it('is no good to a patient who was disabled meanwhile', async () => {
    const { email, code, id } = await withCode();
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [id]);
    expect(told(await portal.verify({ email, code }))).toEqual(REFUSED);
    const { rows } = await world.admin.query('SELECT id FROM user_session WHERE user_id = $1', [id]);
    expect(rows).toEqual([]);
  });

  it('takes five tries, and the right one is none of them any more', async () => {
    const { email, code } = await withCode();
    for (let turn = 1; turn <= 5; turn++)
      expect(told(await portal.verify({ email, code: otherThan(code, turn) }))).toEqual(REFUSED);
    expect(told(await portal.verify({ email, code }))).toEqual(REFUSED);
    expect(await countsOf(email)).toEqual({ attempts: [5], failures: [5] });
  });

  it.each(['known', 'unknown'] as const)('takes five of fifty tries at once: %s', async (which) => {
    const email = (await newAddresses())[which];
    expect((await portal.sendCode({ email })).status).toBe(200);
    const code = await portal.codeOf(email);
    const guesses = Array.from({ length: 50 }, (_, index) => otherThan(code, index + 1));
    const answers = await Promise.all(guesses.map((guess) => portal.verify({ email, code: guess })));
    for (const answer of answers) expect(told(answer)).toEqual(REFUSED);
    expect(await countsOf(email)).toEqual({ attempts: [5], failures: [5] });
    expect(told(await portal.verify({ email, code }))).toEqual(REFUSED);
  });

  it('is guessed ten times a day, however many are sent: then not even the right one counts', async () => {
    world.travelToMidnight();
    const { known, unknown } = await newAddresses();
    const { rows } = await world.admin.query<{ id: string }>('SELECT id FROM "user" WHERE email = $1', [
      known,
    ]);
    for (const [email, userId] of [[known, rows[0]!.id], [unknown]] as const) {
      const statuses: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        await portal.plantCode(email, userId);
        const code = await portal.codeOf(email);
        for (let guess = 1; guess <= 4; guess++)
          statuses.push((await portal.verify({ email, code: otherThan(code, guess) })).status);
      }
      expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
      await portal.plantCode(email, userId);
      const refused = await portal.verify({ email, code: await portal.codeOf(email) });
      expect(told(refused)).toEqual(LIMITED);
      const toMidnight = (DAY - (world.now().getTime() % DAY)) / SECOND;
      expect(Math.abs(Number(refused.headers.get('retry-after')) - toMidnight)).toBeLessThan(10);
      expect((await countsOf(email)).failures).toEqual([10]);
    }
  });
});

describe('codes', () => {
  it('are sent in intervals: 30 s, five an hour, ten a day; to a patient and to a stranger alike', async () => {
    const { known, unknown } = await newAddresses();
    const ask = async () => {
      const answers = [await portal.sendCode({ email: known }), await portal.sendCode({ email: unknown })];
      expect(told(answers[0]!)).toEqual(told(answers[1]!));
      const waits = answers.map(({ headers }) => Number(headers.get('retry-after')));
      expect(Math.abs(waits[0]! - waits[1]!)).toBeLessThanOrEqual(1);
      return { status: answers[0]!.status, wait: waits[0]! };
    };
    const refused = async (about: number) => {
      const { status, wait } = await ask();
      expect({ status, early: wait < about - 10, late: wait > about }).toEqual({
        status: 429,
        early: false,
        late: false,
      });
    };
    expect((await ask()).status).toBe(200);
    await refused(30);
    for (let turn = 2; turn <= 5; turn++) {
      world.travel(31 * SECOND);
      expect((await ask()).status).toBe(200);
    }
    world.travel(31 * SECOND);
    await refused(3600 - 5 * 31);
    for (let turn = 6; turn <= 10; turn++) {
      world.travel(HOUR);
      expect((await ask()).status).toBe(200);
    }
    world.travel(HOUR);
    await refused(24 * 3600 - 6 * 3600 - 5 * 31);
    world.travel(18 * HOUR);
    expect((await ask()).status).toBe(200);
  });

  it('are not sent twice for two requests at the same moment', async () => {
    const { known } = await newAddresses();
    const answers = await Promise.all(Array.from({ length: 10 }, () => portal.sendCode({ email: known })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(429)]);
    expect((await countsOf(known)).attempts).toEqual([0]);
  });

  it('of two addresses of one patient do not betray that they are one’s', async () => {
    const [email, phoneNumber] = [newAddress(), '+15550100777'];
    await portal.newPatient({ email, phoneNumber });
    expect((await portal.sendCode({ email })).status).toBe(200);
    expect((await portal.sendCode({ phoneNumber, channel: 'SMS' })).status).toBe(200);
    expect((await portal.verify({ phoneNumber, code: await portal.codeOf(phoneNumber) })).status).toBe(200);
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(200);
  });

  it('are good for ten minutes', async () => {
    const [early, late] = [await withCode(), await withCode()];
    world.travel(10 * MINUTE - 5 * SECOND);
    expect((await portal.verify(pick(early))).status).toBe(200);
    world.travel(6 * SECOND);
    expect(told(await portal.verify(pick(late)))).toEqual(REFUSED);
  });

  it('may be guessed at again the next day', async () => {
    world.travelToMidnight();
    const { email, code, id } = await withCode();
    for (let turn = 0; turn < 2; turn++) {
      for (let guess = 1; guess <= 5; guess++) await portal.verify({ email, code: otherThan(code, guess) });
      await portal.plantCode(email, id);
    }
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(429);
    world.travel(DAY);
    await portal.plantCode(email, id);
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(200);
  });
});

const pick = ({ email, code }: { email: string; code: string }) => ({ email, code });
