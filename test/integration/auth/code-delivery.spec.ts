import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { UnsentCodes } from '../../../src/modules/auth/worker/unsent-codes.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { DatabaseService } from '../../../src/platform/database/database.service.js';
import { newId } from '../../../src/platform/database/id.js';
import { Enqueuer } from '../../../src/platform/queue/enqueuer.js';
import { eventually } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const UNLIMITED = { CREDENTIAL_FAILURES_PER_MINUTE: '10000', SIGN_IN_CODES_PER_MINUTE: '10000' };

let office: PostOffice;
let world: World;
let worker: INestApplicationContext;
let portal: Portal;
let counter = 0;

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({ ...office.environment, ...UNLIMITED, RECONCILE_INTERVAL_MS: '250' });
  portal = await Portal.open(world, (await world.newTenant()).organizationId);
  worker = await world.startWorker();
});
afterAll(async () => {
  await world.close();
  await office.close();
});

async function newPatient(): Promise<{ email: string; id: string }> {
  const email = `d${++counter}@example.org`;
  return { email, id: await portal.newPatient({ email }) };
}

interface Challenge {
  id: string;
  sent_at: Date | null;
}

async function challengeOf(address: string): Promise<Challenge> {
  const { rows } = await world.admin.query<Challenge>(
    'SELECT id, sent_at FROM otp_challenge WHERE subject_id = $1 ORDER BY created_at DESC LIMIT 1',
    [portal.subjectOf(address)],
  );
  return rows[0]!;
}

const settled = (address: string): Promise<Challenge> =>
  eventually(
    () => challengeOf(address),
    ({ sent_at }) => sent_at !== null,
  );

async function deliveriesOf(address: string): Promise<Record<string, unknown>[]> {
  const { rows } = await world.admin.query<Record<string, unknown>>(
    `SELECT * FROM audit_event WHERE action = 'sign-in:deliver-code' AND detail->>'challenge' = $1`,
    [(await challengeOf(address)).id],
  );
  return rows;
}

describe('a code', () => {
  it('comes by mail: the organization, the code, and nothing of the patient', async () => {
    const { email, id } = await newPatient();
    const answer = await portal.sendCode({ email });
    expect(answer.status).toBe(200);
    const { subject, text } = await office.newestTo(email);
    const code = await portal.codeOf(email);
    expect(subject).toBe('Your sign-in code');
    expect(text).toBe(
      `Tenant: your sign-in code is ${code}. It is valid for 10 minutes. Do not share it with anybody.`,
    );
    expect((await portal.verify({ email, code: /\d{6}/.exec(text)![0] })).status).toBe(200);
    await settled(email);
    expect(await deliveriesOf(email)).toEqual([
      expect.objectContaining({
        organization_id: portal.organizationId,
        actor_kind: 'system',
        outcome: 'success',
        patient_ref: id,
        request_id: answer.headers.get('x-request-id'),
        detail: { challenge: expect.any(String), channel: 'email' },
      }),
    ]);
  });

  it('comes by text message', async () => {
    const phoneNumber = '+15550100201';
    await portal.newPatient({ phoneNumber });
    expect((await portal.sendCode({ phoneNumber })).status).toBe(200);
    const { text } = await office.newestTo(phoneNumber);
    expect(text).toContain(`is ${await portal.codeOf(phoneNumber)}.`);
    await settled(phoneNumber);
    expect((await deliveriesOf(phoneNumber))[0]).toMatchObject({ detail: { channel: 'sms' } });
  });

  it('comes to nobody for an address that is nobody’s', async () => {
    const stranger = 'stranger@example.org';
    expect((await portal.sendCode({ email: stranger })).status).toBe(200);
    const { email } = await newPatient();
    await portal.sendCode({ email });
    await settled(email); // which was queued later
    expect(office.mails.map(({ to }) => to)).not.toContain(stranger);
    expect((await challengeOf(stranger)).sent_at).toBeNull();
    expect(await deliveriesOf(stranger)).toEqual([]);
  });

  it('comes again when the mail server has been busy', async () => {
    const { email } = await newPatient();
    office.refusals = { reply: 451, times: 2 };
    await portal.sendCode({ email });
    await settled(email);
    expect(office.mails.filter(({ to }) => to === email)).toHaveLength(1);
    expect(await deliveriesOf(email)).toHaveLength(1);
  });

  it('that is refused for good is not tried again, and the ledger says so', async () => {
    const { email } = await newPatient();
    office.refusals = { reply: 550, times: 2 };
    await portal.sendCode({ email });
    await settled(email);
    expect(await deliveriesOf(email)).toEqual([
      expect.objectContaining({
        outcome: 'failure',
        detail: { challenge: expect.any(String), channel: 'email', code: 'SMTP 550' },
      }),
    ]);
    await worker.get(UnsentCodes).run();
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // nothing is to happen in it
    expect(office.refusals.times).toBe(1);
    office.refusals = { reply: 0, times: 0 };
  });

  it('whose process died before it was queued is sent all the same', async () => {
    const enqueuer = world.api.app.get(Enqueuer);
    const clock = worker.get(Clock);
    const { enqueue } = enqueuer;
    enqueuer.enqueue = () => Promise.resolve();
    try {
      const [early, late] = [await newPatient(), await newPatient()];
      expect((await portal.sendCode(pick(early))).status).toBe(200);
      await worker.get(UnsentCodes).run();
      expect((await challengeOf(early.email)).sent_at).toBeNull(); // its job may still be on its way
      clock.now = () => new Date(Date.now() + 16_000);
      await settled(early.email);
      expect(office.mails.filter(({ to }) => to === early.email)).toHaveLength(1);
      clock.now = () => new Date(Date.now() + 11 * 60_000); // over
      expect((await portal.sendCode(pick(late))).status).toBe(200);
      await worker.get(UnsentCodes).run();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await challengeOf(late.email)).sent_at).toBeNull();
    } finally {
      enqueuer.enqueue = enqueue;
      clock.now = () => new Date();
    }
  });

  it('is not sent when a newer one is under way', async () => {
    const { email, id } = await newPatient();
    // In one statement: else the older one could be sent before the newer one is there.
    await world.admin.query(
      `INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at)
       SELECT c.id, $3, $4, $5, 'email', now() - c.age, now() + interval '5 minutes'
       FROM (VALUES ($1::uuid, interval '40 seconds'), ($2::uuid, interval '20 seconds')) AS c (id, age)`,
      [newId(), newId(), portal.organizationId, portal.subjectOf(email), id],
    );
    await settled(email); // the newer one
    expect(office.mails.filter(({ to }) => to === email)).toHaveLength(1);
    expect(office.mails.at(-1)!.text).toContain(await portal.codeOf(email));
  });
});

describe('what is long over', () => {
  it('is forgotten: codes, counts and sessions of thirty days ago, and no others', async () => {
    const [old, recent] = [await portal.signIn(), await portal.signIn()];
    const rowsOf = async ({ patientId }: { patientId: string }): Promise<object> => {
      const { rows } = await world.admin.query<object>(
        `SELECT (SELECT count(*)::int FROM otp_challenge c WHERE c.user_id = u.id) AS codes,
                (SELECT count(*)::int FROM user_session s WHERE s.user_id = u.id) AS sessions,
                (SELECT count(*)::int FROM refresh_token r JOIN user_session s ON s.id = r.session_id WHERE s.user_id = u.id) AS tokens,
                (SELECT count(*)::int FROM otp_budget b JOIN otp_challenge c USING (subject_id) WHERE c.user_id = u.id) AS counts
         FROM "user" u WHERE id = $1`,
        [patientId],
      );
      return rows[0]!;
    };
    const all = { codes: 1, sessions: 1, tokens: 1, counts: 1 };
    expect(await rowsOf(old)).toEqual(all);
    const { rows } = await world.admin.query<{ subject_id: string }>(
      `UPDATE otp_challenge SET created_at = created_at - interval '31 days' WHERE user_id = $1 RETURNING subject_id`,
      [old.patientId],
    );
    await world.admin.query('UPDATE otp_budget SET day = day - 32 WHERE subject_id = $1', [
      rows[0]!.subject_id,
    ]);
    await world.admin.query(
      `UPDATE user_session SET expires_at = now() - interval '31 days' WHERE user_id = $1`,
      [old.patientId],
    );
    const chore = new UnsentCodes(worker.get(DatabaseService), worker.get(Enqueuer), worker.get(Clock));
    await chore.run();
    expect(await rowsOf(old)).toEqual({ codes: 0, sessions: 0, tokens: 0, counts: 0 });
    expect(await rowsOf(recent)).toEqual(all);
  });
});

const pick = ({ email }: { email: string }) => ({ email });
