import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Answer } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(30_000);

const FAILURES = 5;
const CODES = 3;
const limited = (error: string) => ({ status: 429, success: false, error, code: 'RATE_LIMITED' });
const FAILED = limited('Too many failed attempts. Try again later.');

/** Nobody listens there, and nothing is sent: no worker runs. There is no gateway for text messages. */
const MAIL_ONLY = { SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'no-reply@scandock.local' };

let world: World;
let portal: Portal;

beforeAll(async () => {
  world = await createWorld({
    ...MAIL_ONLY,
    TRUST_PROXY: 'true',
    CREDENTIAL_FAILURES_PER_MINUTE: String(FAILURES),
    SIGN_IN_CODES_PER_MINUTE: String(CODES),
  });
  portal = await Portal.open(world, (await world.newTenant()).organizationId);
});
afterAll(() => world.close());

/** As from an address of the network that nobody has used yet. */
let hosts = 0;
const fromElsewhere = () => from(`192.0.2.${++hosts}`);

function from(ip: string): (path: string, body: object) => Promise<Answer> {
  const headers = { 'x-forwarded-for': ip };
  return (path, body) => portal.post(`/api/v1/users/auth/${path}`, body, headers);
}

async function withCode(email: string): Promise<string> {
  const id = await portal.newPatient({ email });
  await portal.plantCode(email, id);
  return portal.codeOf(email);
}

const statuses = async (times: number, ask: (turn: number) => Promise<Answer>): Promise<number[]> => {
  const seen: number[] = [];
  for (let turn = 0; turn < times; turn++) seen.push((await ask(turn)).status);
  return seen;
};

describe('from one address of the network', () => {
  it('codes are asked for so often a minute, whoever they are for', async () => {
    const ask = fromElsewhere();
    const send = (turn: number) => ask('send-otp', { email: `s${turn}@example.org` });
    expect(await statuses(CODES, send)).toEqual([200, 200, 200]);
    const refused = await send(CODES);
    expect(refused.body).toEqual(limited('Too many codes. Try again later.'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fromElsewhere()('send-otp', { email: 's9@example.org' })).status).toBe(200);
  });

  it('codes are guessed so often a minute, whosever; then not even a right one is looked at', async () => {
    const ask = fromElsewhere();
    const [email, code] = ['right@example.org', await withCode('right@example.org')];
    for (let turn = 0; turn < FAILURES; turn++) await withCode(`g${turn}@example.org`);
    const guess = (turn: number) => ask('verify-otp', { email: `g${turn}@example.org`, code: '000000' });
    expect(await statuses(FAILURES, guess)).toEqual(Array(FAILURES).fill(401));
    const refused = await ask('verify-otp', { email, code });
    expect({ status: refused.status, body: refused.body }).toEqual({ status: 429, body: FAILED });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fromElsewhere()('verify-otp', { email, code })).status).toBe(200);
  });

  it('right codes cost nothing', async () => {
    const ask = fromElsewhere();
    const seen: number[] = [];
    for (let turn = 0; turn < 2 * FAILURES; turn++) {
      const email = `r${turn}@example.org`;
      seen.push((await ask('verify-otp', { email, code: await withCode(email) })).status);
    }
    expect(seen).toEqual(Array(2 * FAILURES).fill(200));
  });

  it('refresh tokens are guessed so often a minute; a right one goes on working', async () => {
    const ask = fromElsewhere();
    const guess = (turn: number) => ask('refresh-token', { refresh_token: `sdr_${turn}` });
    expect(await statuses(FAILURES, guess)).toEqual(Array(FAILURES).fill(401));
    expect((await guess(FAILURES)).body).toEqual(FAILED);
    const { refreshToken } = await portal.signIn();
    expect((await ask('refresh-token', { refresh_token: refreshToken })).status).toBe(200);
  });

  it('logout tells so often a minute that it is done with a token nobody has; a right one goes on working', async () => {
    const ask = fromElsewhere();
    const guess = (turn: number) => ask('logout', { refresh_token: `sdr_${turn}` });
    expect(await statuses(FAILURES, guess)).toEqual(Array(FAILURES).fill(200));
    expect((await guess(FAILURES)).body).toEqual(FAILED);
    const { refreshToken } = await portal.signIn();
    expect((await ask('logout', { refresh_token: refreshToken })).status).toBe(200);
    expect((await ask('refresh-token', { refresh_token: 'sdr_0' })).status).toBe(429); // one limit for both
  });

  it('what is past the limit is counted in the portal’s ledger, not written one by one', async () => {
    const count = async () =>
      Number(
        (
          await world.admin.query<{ n: string }>(
            `SELECT count(*) AS n FROM audit_event WHERE organization_id = $1 AND action = 'sign-in:verify-code'`,
            [portal.organizationId],
          )
        ).rows[0]!.n,
      );
    const ask = fromElsewhere();
    const before = await count();
    await statuses(4 * FAILURES, () => ask('verify-otp', { email: 'nobody@example.org', code: '000000' }));
    expect((await count()) - before).toBe(FAILURES);
  });
});

describe('from one /64 of IPv6', () => {
  it('codes, guesses and refresh tokens are limited together; the next /64 is somebody else', async () => {
    let host = 0;
    const statusIn = (network: string) => async (path: string, body: object) =>
      (await from(`${network}::${(++host).toString(16)}`)(path, body)).status;
    const here = statusIn('2001:db8:0:1');
    const email = () => `v${host}@example.org`;
    const tries: [string, () => object, number, number][] = [
      ['send-otp', () => ({ email: email() }), CODES, 200],
      ['verify-otp', () => ({ email: email(), code: '000000' }), FAILURES, 401],
      ['refresh-token', () => ({ refresh_token: `sdr_${host}` }), FAILURES, 401],
    ];
    for (const [path, body, limit, status] of tries) {
      const seen: number[] = [];
      for (let turn = 0; turn <= limit; turn++) seen.push(await here(path, body()));
      expect({ path, seen }).toEqual({ path, seen: [...Array<number>(limit).fill(status), 429] });
      expect(await statusIn('2001:db8:0:2')(path, body())).toBe(status);
    }
  });
});

describe('a way to send that is not configured', () => {
  it('is a 503, for a patient’s number and for nobody’s', async () => {
    const known = '+15550100300';
    await portal.newPatient({ phoneNumber: known });
    const answers = [
      await portal.sendCode({ phoneNumber: known }),
      await portal.sendCode({ phoneNumber: '+15550100301' }),
    ];
    for (const { status, body, headers } of answers) {
      expect({ status, body }).toEqual({
        status: 503,
        body: {
          status: 503,
          success: false,
          error: 'Codes cannot be sent this way.',
          code: 'INTERNAL_ERROR',
        },
      });
      expect(headers.get('retry-after')).toBe('3600');
    }
    const { rows } = await world.admin.query(`SELECT id FROM otp_challenge WHERE channel = 'sms'`);
    expect(rows).toEqual([]);
  });
});
