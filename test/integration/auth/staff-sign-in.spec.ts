import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { decodeJwt } from 'jose';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { SCOPES } from '../../../src/platform/authorization/scopes.js';
import { type Answer, Client, eventually } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { STAFF_AUTH, StaffDoor } from '../../support/staff.js';
import { watchedCalls } from '../../support/watched-calls.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const MINUTE = 60_000;
const REFUSED = { status: 401, code: 'invalid_code', detail: 'The code is invalid or expired.' };
const SENT = { status: 200, body: { message: 'If this address is known here, a code is on its way.' } };

let office: PostOffice;
let world: World;
let door: StaffDoor;
let portal: Portal;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({
    ...office.environment,
    CREDENTIAL_FAILURES_PER_MINUTE: '10000',
    SIGN_IN_CODES_PER_MINUTE: '10000',
  });
  const { organizationId } = await world.newTenant();
  door = new StaffDoor(world, organizationId);
  portal = await Portal.open(world, organizationId);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await world.close();
  await office.close();
});

const told = ({ status, body }: Answer) => ({ status, code: body.code, detail: body.detail });
const otherThan = (code: string, by = 1): string => String((Number(code) + by) % 1_000_000).padStart(6, '0');
/** An organization nobody has. */
const nowhere = () => new StaffDoor(world, randomUUID());

async function closedDoor(): Promise<StaffDoor> {
  const { organizationId } = await world.newTenant();
  await world.admin.query('UPDATE organization SET disabled_at = now() WHERE id = $1', [organizationId]);
  return new StaffDoor(world, organizationId);
}

async function eventsOf(answer: Answer) {
  const { rows } = await world.admin.query('SELECT * FROM audit_event WHERE request_id = $1 ORDER BY id', [
    answer.headers.get('x-request-id'),
  ]);
  return rows as Record<string, unknown>[];
}

describe('staff', () => {
  it('signs in by the code that is sent: for 15 minutes, with all scopes, as its roles allow', async () => {
    await world.startWorker();
    const email = door.newAddress();
    const userId = await door.newStaff(email, 'reader');
    const sent = await door.sendCode(email.toUpperCase());
    expect({ status: sent.status, body: sent.body }).toEqual(SENT);
    expect(sent.headers.get('cache-control')).toBe('no-store');
    const { text } = await office.newestTo(email);
    const [, code] = /(\d{6})/.exec(text)!;
    const answer = await door.verify(email, code!);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^ey/),
      refresh_token: expect.stringMatching(/^sdr_[A-Za-z0-9]{43}$/),
      expires_in: 900,
      token_type: 'Bearer',
    });
    const claims = decodeJwt(answer.body.access_token);
    const { rows } = await world.admin.query<Record<string, unknown>>(
      'SELECT *, expires_at - created_at AS lasts FROM user_session WHERE user_id = $1',
      [userId],
    );
    expect(rows).toEqual([
      expect.objectContaining({
        api_key_id: null,
        provider_id: null,
        lasts: expect.objectContaining({ days: 7 }),
      }),
    ]);
    expect(claims).toEqual({
      iss: world.baseUrl,
      aud: world.baseUrl,
      sub: userId,
      sid: rows[0]!.id,
      client_id: 'staff',
      org: door.organizationId,
      scope: SCOPES.join(' '),
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: claims.iat! + 900,
    });
    const staff = new Client(world.baseUrl, answer.body.access_token);
    expect((await staff.get('/api/v1/exams')).status).toBe(200);
    expect((await staff.post('/api/v1/exams', {})).status).toBe(403);
    // The delivery is told of under the same request.
    expect((await eventsOf(sent)).filter(({ action }) => action === 'sign-in:send-code')).toEqual([
      expect.objectContaining({
        organization_id: door.organizationId,
        actor_kind: 'anonymous',
        patient_ref: null,
        detail: { challenge: expect.any(String), channel: 'email', user: userId },
      }),
    ]);
    expect(await eventsOf(answer)).toEqual([
      expect.objectContaining({
        action: 'sign-in:verify-code',
        outcome: 'success',
        actor_id: userId,
        resource_id: rows[0]!.id,
        patient_ref: null,
      }),
    ]);
    // Told after the mail was sent, which may be used already.
    const delivered = await eventually(
      () =>
        world.admin.query(
          `SELECT patient_ref, detail FROM audit_event WHERE action = 'sign-in:deliver-code' AND organization_id = $1`,
          [door.organizationId],
        ),
      ({ rows }) => rows.length > 0,
    );
    expect(delivered.rows).toEqual([
      { patient_ref: null, detail: expect.objectContaining({ user: userId, channel: 'email' }) },
    ]);
  });

  it.each<[string, object]>([
    ['no organization', { email: 'a@staff.example' }],
    ['an organization that is none', { organization_id: 'x', email: 'a@staff.example' }],
    ['a telephone number', { organization_id: randomUUID(), phone_number: '+15550100200' }],
    ['more', { organization_id: randomUUID(), email: 'a@staff.example', channel: 'EMAIL' }],
  ])('is told what is wrong with a request: %s', async (_, body) => {
    const answer = await new Client(world.baseUrl).post(`${STAFF_AUTH}/send-code`, body);
    expect(told(answer)).toMatchObject({ status: 400, code: 'validation_error' });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});

describe('the two doors', () => {
  it('let in their own only: a patient’s address is nobody’s at that of staff, and the other way round', async () => {
    const [patients, staffs] = [`${randomUUID()}@patients.example`, door.newAddress()];
    const patientId = await portal.newPatient({ email: patients });
    await door.newStaff(staffs, 'owner');
    expect((await door.sendCode(patients)).status).toBe(200);
    expect((await portal.sendCode({ email: staffs })).status).toBe(200);
    const { rows } = await world.admin.query('SELECT user_id FROM otp_challenge WHERE subject_id = ANY($1)', [
      [door.subjectOf(patients), portal.subjectOf(staffs)],
    ]);
    expect(rows).toEqual([{ user_id: null }, { user_id: null }]);
    expect(told(await door.verify(patients, await door.codeOf(patients)))).toEqual(REFUSED);
    expect((await portal.verify({ email: staffs, code: await portal.codeOf(staffs) })).status).toBe(401);
    // Not even a code that was made out to a user of the other kind.
    await door.plantCode(patients, patientId);
    expect(told(await door.verify(patients, await door.codeOf(patients)))).toEqual(REFUSED);
  });

  it('take no code of each other, of who is both', async () => {
    const email = `${randomUUID()}@both.example`;
    const [patientId, staffId] = [await portal.newPatient({ email }), await door.newStaff(email)];
    await portal.plantCode(email, patientId);
    await door.plantCode(email, staffId);
    const codes = { portal: await portal.codeOf(email), door: await door.codeOf(email) };
    expect(codes.portal).not.toBe(codes.door);
    expect(told(await door.verify(email, codes.portal))).toEqual(REFUSED);
    expect((await portal.verify({ email, code: codes.door })).status).toBe(401);
    const [patient, staff] = [
      await portal.verify({ email, code: codes.portal }),
      await door.verify(email, codes.door),
    ];
    expect(decodeJwt(patient.body.accessToken).sub).toBe(patientId);
    expect(decodeJwt(staff.body.access_token).sub).toBe(staffId);
  });

  it('have budgets of their own', async () => {
    const email = `${randomUUID()}@both.example`;
    const [patientId, staffId] = [await portal.newPatient({ email }), await door.newStaff(email)];
    for (let turn = 0; turn < 2; turn++) {
      await door.plantCode(email, staffId);
      const code = await door.codeOf(email);
      for (let guess = 1; guess <= 5; guess++) await door.verify(email, otherThan(code, guess));
    }
    await door.plantCode(email, staffId);
    expect((await door.verify(email, await door.codeOf(email))).status).toBe(429);
    await portal.plantCode(email, patientId);
    expect((await portal.verify({ email, code: await portal.codeOf(email) })).status).toBe(200);
  });
});

describe('a code of staff', () => {
  const withCode = async () => {
    const email = door.newAddress();
    const userId = await door.newStaff(email);
    await door.plantCode(email, userId);
    return { email, userId, code: await door.codeOf(email) };
  };

  it('is refused alike when it is wrong, of nobody, of another or no organization, or of who was disabled', async () => {
    const { email, code } = await withCode();
    const stranger = door.newAddress();
    await door.plantCode(stranger);
    const disabled = await withCode();
    await world.admin.query('UPDATE "user" SET disabled_at = now() WHERE id = $1', [disabled.userId]);
    const [other, none, closed] = [
      new StaffDoor(world, (await world.newTenant()).organizationId),
      nowhere(),
      await closedDoor(),
    ];
    for (const answer of [
      await door.verify(email, otherThan(code)),
      await door.verify(stranger, await door.codeOf(stranger)),
      await door.verify(disabled.email, disabled.code),
      await other.verify(email, code),
      await none.verify(email, code),
      await closed.verify(email, code),
    ]) {
      expect(told(answer)).toEqual(REFUSED);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(await eventsOf(answer)).toEqual([
        expect.objectContaining({ outcome: 'denied', detail: { status: 401, code: 'invalid_code' } }),
      ]);
    }
    expect((await door.verify(email, code)).status).toBe(200);
  });

  it('says in the ledger whose it was', async () => {
    const { email, code, userId } = await withCode();
    const [event] = await eventsOf(await door.verify(email, otherThan(code)));
    expect(event).toMatchObject({
      organization_id: door.organizationId,
      resource_type: 'User',
      resource_id: userId,
      patient_ref: null,
    });
  });

  it('takes five of fifty guesses at once, is good once, and for ten minutes', async () => {
    const guessed = await withCode();
    const guesses = Array.from({ length: 50 }, (_, index) => otherThan(guessed.code, index + 1));
    await Promise.all(guesses.map((guess) => door.verify(guessed.email, guess)));
    expect(told(await door.verify(guessed.email, guessed.code))).toEqual(REFUSED);
    const { rows } = await world.admin.query('SELECT attempts FROM otp_challenge WHERE user_id = $1', [
      guessed.userId,
    ]);
    expect(rows).toEqual([{ attempts: 5 }]);

    const used = await withCode();
    const answers = await Promise.all(Array.from({ length: 10 }, () => door.verify(used.email, used.code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);

    const late = await withCode();
    world.travel(10 * MINUTE + 1_000);
    expect(told(await door.verify(late.email, late.code))).toEqual(REFUSED);
  });
});

describe('whether an organization or an address is known', () => {
  it('is not told by answers, by limits or by what is done', async () => {
    const known = door.newAddress();
    await door.newStaff(known);
    const strangers: [StaffDoor, string][] = [
      [door, door.newAddress()],
      [nowhere(), door.newAddress()],
      [await closedDoor(), door.newAddress()],
    ];
    const of = watchedCalls(world);
    const answers: Answer[] = [];
    const again: Answer[] = [];
    const guesses: Answer[] = [];
    const kept = (into: Answer[], call: () => Promise<Answer>) => async () => {
      const answer = await call();
      into.push(answer);
      return answer;
    };
    const sent = await of(kept(answers, () => door.sendCode(known)));
    expect(sent.some((statement) => statement.includes('INSERT INTO otp_challenge'))).toBe(true);
    expect(sent).toContain('1 deliver-code');
    for (const [at, email] of strangers)
      expect(await of(kept(answers, () => at.sendCode(email)))).toEqual(sent);
    const soon = await of(kept(again, () => door.sendCode(known)));
    for (const [at, email] of strangers)
      expect(await of(kept(again, () => at.sendCode(email)))).toEqual(soon);
    const wrong = otherThan(await door.codeOf(known));
    const guessed = await of(kept(guesses, () => door.verify(known, wrong)));
    for (const [at, email] of strangers) {
      const guess = otherThan(await at.codeOf(email));
      expect(await of(kept(guesses, () => at.verify(email, guess)))).toEqual(guessed);
    }
    const [refreshed, ended] = [await of(() => door.refresh('x')), await of(() => door.logout('x'))];
    for (const [at] of strangers) {
      expect(await of(() => at.refresh('x'))).toEqual(refreshed);
      expect(await of(() => at.logout('x'))).toEqual(ended);
    }
    jest.restoreAllMocks();
    for (const answer of answers) expect({ status: answer.status, body: answer.body }).toEqual(SENT);
    for (const answer of again) expect(told(answer)).toMatchObject({ status: 429, code: 'rate_limited' });
    for (const answer of guesses) expect(told(answer)).toEqual(REFUSED);
  });

  it('is not told by the day’s share of guesses; what is no organization’s is in the platform’s ledger', async () => {
    world.travelToMidnight();
    for (const at of [door, nowhere()]) {
      const email = at.newAddress();
      const statuses: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const sent = await at.sendCode(email);
        expect(sent.status).toBe(200);
        expect((await eventsOf(sent))[0]).toMatchObject({
          organization_id: at === door ? door.organizationId : PLATFORM_ORGANIZATION,
        });
        const code = await at.codeOf(email);
        for (let guess = 1; guess <= 4; guess++)
          statuses.push((await at.verify(email, otherThan(code, guess))).status);
        world.travel(MINUTE);
      }
      expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
    }
  });

  it('is no way into the platform’s organization: what is counted there leads nowhere', async () => {
    await world.admin.query(
      `INSERT INTO organization (id, name, created_at) VALUES ($1, 'Platform', now()) ON CONFLICT DO NOTHING`,
      [PLATFORM_ORGANIZATION],
    );
    const [platform, none] = [new StaffDoor(world, PLATFORM_ORGANIZATION), nowhere()];
    const email = platform.newAddress();
    const userId = await platform.newStaff(email);
    expect((await none.sendCode(email)).status).toBe(200);
    expect(told(await none.verify(email, await none.codeOf(email)))).toEqual(REFUSED);
    await platform.plantCode(email, userId);
    expect(told(await none.verify(email, await platform.codeOf(email)))).toEqual(REFUSED);
    const { body } = await platform.verify(email, await platform.codeOf(email));
    expect((await none.refresh(body.refresh_token)).status).toBe(401);
    expect((await platform.refresh(body.refresh_token)).status).toBe(200);
  });
});
