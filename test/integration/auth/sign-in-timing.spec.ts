import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { watchedCalls } from '../../support/watched-calls.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(120_000);

const ROUNDS = 60;
/**
 * How far patients and strangers may lie apart: by their quicker halves' medians, which a busy machine moves least. Noise
 * may do it once, but not each of so many times.
 */
const TOLERANCE = 0.15;
const ATTEMPTS = 3;

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
  jest.restoreAllMocks();
  await world.close();
  await office.close();
});

async function newAddresses(): Promise<{ known: string; unknown: string }> {
  const number = String(++counter).padStart(4, '0');
  const [known, unknown] = [`k${number}@example.org`, `u${number}@example.org`];
  await portal.newPatient({ email: known });
  return { known, unknown };
}

const wrong = async (email: string) => {
  const code = await portal.codeOf(email);
  return { email, code: String((Number(code) + 1) % 1_000_000).padStart(6, '0') };
};

const quartile = (values: number[]): number => values.sort((one, other) => one - other)[values.length >> 2]!;

/** Milliseconds of each call, patients and strangers in turn, each first as often as the other. */
async function time(
  pairs: { known: string; unknown: string }[],
  call: (email: string) => Promise<() => Promise<unknown>>,
): Promise<{ known: number; unknown: number }> {
  const taken = { known: [] as number[], unknown: [] as number[] };
  for (const [round, pair] of pairs.entries())
    for (const which of round % 2 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
      const run = await call(pair[which]);
      const begun = performance.now();
      await run();
      taken[which].push(performance.now() - begun);
    }
  return { known: quartile(taken.known), unknown: quartile(taken.unknown) };
}

describe('whether an address is a patient’s', () => {
  it('is not told by what is done: the same statements, the same jobs', async () => {
    const { known, unknown } = await newAddresses();
    const watched = watchedCalls(world);
    // The use of the portal's key is noted every half a second, before anybody has looked at an address.
    const of = async (call: () => Promise<unknown>): Promise<string[]> =>
      (await watched(call)).filter((statement) => !statement.includes('UPDATE api_key'));
    const sent = await of(() => portal.sendCode({ email: known }));
    expect(sent.some((statement) => statement.includes('INSERT INTO otp_challenge'))).toBe(true);
    expect(sent).toContain('1 deliver-code');
    expect(await of(() => portal.sendCode({ email: unknown }))).toEqual(sent);
    const again = await of(() => portal.sendCode({ email: known })); // too soon
    expect(await of(() => portal.sendCode({ email: unknown }))).toEqual(again);
    const [guess, strangers] = [await wrong(known), await wrong(unknown)];
    const guessed = await of(() => portal.verify(guess));
    expect(guessed.some((statement) => statement.includes('UPDATE otp_challenge'))).toBe(true);
    expect(await of(() => portal.verify(strangers))).toEqual(guessed);
    jest.restoreAllMocks();
  });

  it('is not told by the time it takes', async () => {
    const client = new Client(world.baseUrl);
    const ask = (path: string, body: object) => () =>
      client.post(`/api/v1/users/auth/${path}`, body, { 'cv-api-key': portal.apiKey });
    const send = (email: string) => Promise.resolve(ask('send-otp', { email }));
    const guess = async (email: string) => ask('verify-otp', await wrong(email));
    const apart = { send: [] as number[], guess: [] as number[] };
    for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
      const pairs: { known: string; unknown: string }[] = [];
      for (let round = 0; round < (attempt === 0 ? 15 : ROUNDS); round++) pairs.push(await newAddresses());
      const [sent, guessed] = [await time(pairs, send), await time(pairs, guess)];
      if (attempt === 0) continue; // the first calls of a process are slower than all others
      apart.send.push(Math.abs(sent.known / sent.unknown - 1));
      apart.guess.push(Math.abs(guessed.known / guessed.unknown - 1));
      if (Math.max(Math.min(...apart.send), Math.min(...apart.guess)) < TOLERANCE) return;
    }
    expect(apart).toBe(`less than ${TOLERANCE}`);
  });
});
