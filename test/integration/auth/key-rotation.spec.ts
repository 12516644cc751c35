import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createRemoteJWKSet, decodeProtectedHeader, type JWK, jwtVerify } from 'jose';
import { rotateSigningKey } from '../../../src/commands/rotate-signing-key.command.js';
import { KeyRotationService } from '../../../src/modules/auth/key-rotation.service.js';
import { PLATFORM_ORGANIZATION } from '../../../src/platform/authorization/platform-organization.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import { freePort } from '../../../src/platform/embedded/local-state.js';
import { basic, Client, tokenFor } from '../../support/client.js';
import { commandHere } from '../../support/command.js';
import { FORM } from '../../support/signing-client.js';
import { OwnProcess } from '../../support/processes.js';
import { soon } from '../../support/soon.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const MINUTE_MS = 60_000;

jest.setTimeout(60_000);

let world: World;
let tenant: Tenant;
let other: OwnProcess;
/** Two processes of one issuer, as behind a load balancer. */
let processes: [string, string];

beforeAll(async () => {
  world = await createWorld({ CREDENTIAL_FAILURES_PER_MINUTE: '100000', RATE_LIMIT_PER_MINUTE: '1000000' });
  tenant = await world.newTenant();
  const port = await freePort(0);
  other = await OwnProcess.start('api', { ...world.environment, PORT: String(port) });
  processes = [world.baseUrl, `http://127.0.0.1:${port}`];
}, 60_000);
afterAll(async () => {
  await other.stop();
  await world.close();
});

const run = promisify(execFile);

interface Rotation {
  kid: string;
  activeAt: string;
  retired: string[];
  retiredAt: string;
}
const environment = (overrides: Record<string, string>): Record<string, string> => {
  const { DATABASE_URL, SCANDOCK_MASTER_KEY } = world.environment;
  return { DATABASE_URL: DATABASE_URL!, SCANDOCK_MASTER_KEY: SCANDOCK_MASTER_KEY!, ...overrides };
};

/** `scandock rotate-signing-key`, as an operator runs it. */
async function rotate(options: string[] = [], overrides: Record<string, string> = {}): Promise<Rotation> {
  const env = { PATH: process.env.PATH, ...environment(overrides) };
  const { stdout } = await run(process.execPath, ['dist/main.js', 'rotate-signing-key', ...options], { env });
  return JSON.parse(stdout) as Rotation;
}

/** The same command in this process, beside its API: where it matters only that the keys are rotated. */
const rotated = async (options: string[] = [], overrides: Record<string, string> = {}): Promise<Rotation> =>
  JSON.parse(await commandHere(rotateSigningKey, options, environment(overrides))) as Rotation;

const signerOf = (token: string): string => decodeProtectedHeader(token).kid!;
const use = async (token: string, baseUrl: string): Promise<number> =>
  (await new Client(baseUrl, token).get('/test-token')).status;
const published = async (baseUrl: string): Promise<string[]> =>
  (await new Client(baseUrl).get<{ keys: JWK[] }>('/.well-known/jwks.json')).body.keys
    .map(({ kid }) => kid!)
    .sort();
const everywhere = <T>(ask: (baseUrl: string) => Promise<T>): Promise<T[]> => Promise.all(processes.map(ask));

const keys = async () =>
  (
    await world.admin.query<{ kid: string; active_at: Date; retired_at: Date | null }>(
      'SELECT kid, active_at, retired_at FROM signing_key ORDER BY created_at',
    )
  ).rows;

describe('a planned rotation', () => {
  let former: string;
  let successor: string;
  let before: string;

  it('publishes the successor at once, while the former key goes on signing', async () => {
    before = await tokenFor(world.baseUrl, tenant);
    former = signerOf(before);
    const began = Date.now();
    const rotation = await rotate();
    successor = rotation.kid;
    expect(rotation).toEqual({
      kid: expect.any(String),
      activeAt: expect.any(String),
      retired: expect.arrayContaining([former]),
      retiredAt: expect.any(String),
    });
    const activeAt = Date.parse(rotation.activeAt);
    expect(activeAt).toBeGreaterThanOrEqual(began + 5 * MINUTE_MS);
    expect(activeAt).toBeLessThan(Date.now() + 5 * MINUTE_MS);
    expect(Date.parse(rotation.retiredAt) - activeAt).toBe(61 * MINUTE_MS);
    for (const baseUrl of processes) {
      const all = await soon(
        () => published(baseUrl),
        (kids) => kids.includes(successor),
      );
      expect(all).toContain(former);
      expect(rotation.retired).toContain(signerOf(await tokenFor(baseUrl, tenant)));
    }
    expect(await everywhere((baseUrl) => use(before, baseUrl))).toEqual([200, 200]);
  });

  it('is in the platform’s ledger', async () => {
    const { rows } = await world.admin.query(
      `SELECT organization_id, actor_kind, actor_id, outcome, resource_type, resource_id, detail
       FROM audit_event WHERE action = 'signing-keys:rotate'`,
    );
    expect(rows).toEqual([
      {
        organization_id: PLATFORM_ORGANIZATION,
        actor_kind: 'system',
        actor_id: 'operator',
        outcome: 'success',
        resource_type: 'SigningKey',
        resource_id: successor,
        detail: {
          active_at: expect.any(String),
          retired: expect.arrayContaining([former]),
          retired_at: expect.any(String),
        },
      },
    ]);
  });

  it('is noticed by nobody: not by two processes, nor by who has fetched the keys before', async () => {
    const fetched = createRemoteJWKSet(new URL(`${world.baseUrl}/.well-known/jwks.json`), {
      cooldownDuration: 3600_000,
      cacheMaxAge: 3600_000,
    });
    const verify = (token: string) =>
      jwtVerify(token, fetched, { issuer: world.baseUrl, audience: world.baseUrl, typ: 'at+jwt' });
    await verify(before);
    await world.admin.query(`UPDATE signing_key SET active_at = now() + interval '1.5 s' WHERE kid = $1`, [
      successor,
    ]);
    const signers = new Set<string>();
    for (const until = Date.now() + 4_000; Date.now() < until;)
      for (const baseUrl of processes) {
        const token = await tokenFor(baseUrl, tenant);
        signers.add(signerOf(token));
        expect(await everywhere((each) => use(token, each))).toEqual([200, 200]);
        await verify(token);
      }
    expect(signers).toContain(successor);
    expect(signers.size).toBeGreaterThan(1);
    expect(await everywhere(async (baseUrl) => signerOf(await tokenFor(baseUrl, tenant)))).toEqual([
      successor,
      successor,
    ]);
    expect(await everywhere((baseUrl) => use(before, baseUrl))).toEqual([200, 200]);
  });

  it('ends with the former key out of the published ones, verifying nothing, in every process', async () => {
    await world.admin.query('UPDATE signing_key SET retired_at = now() WHERE kid <> $1', [successor]);
    for (const baseUrl of processes) {
      await soon(
        () => use(before, baseUrl),
        (status) => status === 401,
      );
      expect(await published(baseUrl)).toEqual([successor]);
      expect(await use(await tokenFor(baseUrl, tenant), baseUrl)).toBe(200);
    }
  });
});

describe('a rotation at once', () => {
  it('ends all tokens within a second, and those that are issued from then on are good everywhere', async () => {
    const tokens = await everywhere((baseUrl) => tokenFor(baseUrl, tenant));
    const { kid, activeAt, retiredAt } = await rotate(['--now']);
    expect(activeAt).toBe(retiredAt);
    for (const token of tokens)
      for (const baseUrl of processes)
        await soon(
          () => use(token, baseUrl),
          (status) => status === 401,
        );
    for (const baseUrl of processes) {
      const token = await tokenFor(baseUrl, tenant);
      expect(signerOf(token)).toBe(kid);
      expect(await everywhere((each) => use(token, each))).toEqual([200, 200]);
      expect(await published(baseUrl)).toEqual([kid]);
    }
  });

  it('takes out a successor that was waiting, too', async () => {
    const { kid: waiting } = await rotated();
    const { kid, retired } = await rotated(['--now']);
    expect(retired).toContain(waiting);
    await soon(
      () => everywhere(published),
      (all) => all.flat().join() === [kid, kid].join(),
    );
  });

  it('makes the token of one process good in the other before that has read the keys again', async () => {
    await everywhere((baseUrl) => tokenFor(baseUrl, tenant)); // both have just read them
    const { kid } = await rotated(['--now']);
    const token = await soon(
      () => tokenFor(processes[0], tenant),
      (issued) => signerOf(issued) === kid,
    );
    expect(await use(token, processes[1])).toBe(200);
  });
});

describe('the command', () => {
  it('run twice at once leaves one key that is to stay', async () => {
    await Promise.all([rotate(), rotate()]);
    const staying = (await keys()).filter(({ retired_at }) => retired_at === null);
    expect(staying).toHaveLength(1);
    expect(await everywhere(async (baseUrl) => use(await tokenFor(baseUrl, tenant), baseUrl))).toEqual([
      200, 200,
    ]);
  });

  it('keeps the private half under the master key, and prints nothing of it', async () => {
    const printed = await rotate(['--now']);
    expect(Object.keys(printed).sort()).toEqual(['activeAt', 'kid', 'retired', 'retiredAt']);
    const { rows } = await world.admin.query<{ jwk: JWK; sealed: string }>(
      `SELECT public_jwk AS jwk, encode(sealed_private, 'hex') AS sealed FROM signing_key WHERE kid = $1`,
      [printed.kid],
    );
    expect(Object.keys(rows[0]!.jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(rows[0]!.sealed.length).toBeGreaterThan(200);
  });

  it('ends with an error that names what is wrong', () =>
    expect(rotate(['--soon'])).rejects.toThrow('usage: scandock rotate-signing-key'));

  it.each<[string, string[], Record<string, string>, string]>([
    [
      'another master key',
      [],
      { SCANDOCK_MASTER_KEY: randomBytes(32).toString('hex') },
      'SCANDOCK_MASTER_KEY is not the one the keys are sealed under',
    ],
    ['no master key', [], { SCANDOCK_MASTER_KEY: '' }, 'SCANDOCK_MASTER_KEY is required'],
    ['no database', [], { DATABASE_URL: '' }, 'DATABASE_URL is required'],
    ['an option it does not know', ['--soon'], {}, 'usage: scandock rotate-signing-key'],
    ['an argument', ['now'], {}, 'usage: scandock rotate-signing-key'],
  ])('changes nothing with %s', async (_, options, overrides, message) => {
    const before = await keys();
    await expect(rotated(options, overrides)).rejects.toThrow(message);
    expect(await keys()).toEqual(before);
  });
});

// Last, in this process alone: its clock runs ahead from here on.
describe('as time goes by', () => {
  const introspect = async (token: string) =>
    (
      await new Client(world.baseUrl).call(
        'POST',
        '/oauth2/introspect',
        new URLSearchParams({ token }).toString(),
        {
          ...FORM,
          authorization: basic(tenant.clientId, tenant.clientSecret),
        },
      )
    ).body.active as boolean;
  const rotateHere = (atOnce = false) =>
    world.api.app.get(KeyRotationService, { strict: false }).rotate({ atOnce });
  const signer = async () => signerOf(await tokenFor(world.baseUrl, tenant));

  it('the successor signs from its time on, and the former verifies for as long as its last token lives', async () => {
    const { kid: former } = await rotateHere(true);
    const { kid } = await rotateHere();
    world.travel(5 * MINUTE_MS - 5_000);
    const last = await tokenFor(world.baseUrl, tenant);
    expect(signerOf(last)).toBe(former);
    world.travel(6_000);
    expect(await signer()).toBe(kid);
    world.travel(60 * MINUTE_MS - 10_000);
    expect(await introspect(last)).toBe(true);
    expect(await published(world.baseUrl)).toEqual([former, kid].sort());
    world.travel(10_000);
    expect(await introspect(last)).toBe(false);
    world.travel(2 * MINUTE_MS);
    expect(await published(world.baseUrl)).toEqual([kid]);
    expect(await signer()).toBe(kid);
  });

  it('one key follows another, also when the next comes before the last has signed', async () => {
    const { kid: first } = await rotateHere(true);
    const { kid: second } = await rotateHere();
    world.travel(MINUTE_MS);
    const { kid: third, retired } = await rotateHere();
    expect(retired).toEqual([second]); // the first is to be retired already
    const signers = [await signer()];
    for (const minutes of [4.1, 1]) {
      world.travel(minutes * MINUTE_MS);
      signers.push(await signer());
    }
    expect(signers).toEqual([first, second, third]);
  });

  it('a key that waits does not wait when all others were taken out', async () => {
    const { kid } = await rotateHere();
    await world.admin.query('UPDATE signing_key SET retired_at = $1 WHERE kid <> $2', [
      world.api.app.get(Clock).now(),
      kid,
    ]);
    await soon(signer, (each) => each === kid);
    expect(await keys()).toEqual(
      expect.arrayContaining([expect.objectContaining({ kid, retired_at: null })]),
    );
  });

  it('the first of a deployment signs at once', async () => {
    await world.admin.query('DELETE FROM signing_key');
    const { kid, activeAt, retired } = await rotateHere();
    expect(retired).toEqual([]);
    expect(activeAt.getTime()).toBeLessThanOrEqual(world.api.app.get(Clock).now().getTime());
    world.travel(1_000);
    expect(await signer()).toBe(kid);
  });
});
