import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { VerificationService } from '../../../src/modules/audit/verification.service.js';
import { hashOf, headForm } from '../../../src/modules/audit/seal.js';
import { SealerService } from '../../../src/modules/audit/worker/sealer.service.js';
import { Client, eventually } from '../../support/client.js';
import { lockWaiters, PATIENT } from '../../support/lock-waiters.js';
import { plantEventsAt } from '../../support/past-events.js';
import { asSuperuser, putBack } from '../../support/tampered-ledger.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(120_000);

const VERIFY = '/api/v1/audit/verify';
const day = (number: number) => `2026-03-0${number}T00:00:00.000Z`;

let world: World;
let tenant: Tenant;
let client: Client;

beforeAll(async () => {
  world = await createWorld(
    { AUDIT_SEAL_INTERVAL_MS: '86400000', RECONCILE_INTERVAL_MS: '86400000' },
    PATIENT,
  );
  const sealer = (await world.startWorker()).get(SealerService, { strict: false });
  tenant = await world.newTenant();
  client = new Client(world.baseUrl, tenant.apiKey);
  // A seal a day, three events in each; those of the last wait for theirs.
  for (let number = 1; number <= 4; number++) {
    const hours = ['01', '02', '03'].map((hour) => `2026-03-0${number}T${hour}:00:00.000Z`);
    await plantEventsAt(world.admin, tenant.organizationId, hours);
    if (number < 4) await sealer.seal();
  }
});
afterAll(() => world.close());

describe('a stretch of the ledger', () => {
  it.each([
    [{ from: day(1), to: day(2) }, 3, 0],
    [{ from: day(2), to: '2026-03-03T02:00:00.000Z' }, 4, 0],
    [{ from: '2026-03-01T02:00:00.000Z', to: '2026-03-01T03:00:00.000Z' }, 1, 0],
    [{ from: day(3), to: day(5) }, 3, 3],
    [{ to: day(2) }, 3, 0],
    [{ from: '2026-02-01T00:00:00Z', to: day(1) }, 0, 0],
  ])('%j has its own events verified, and no others', async (interval, events, unsealed) => {
    const { status, body } = await client.post(VERIFY, interval);
    expect({ status, ...body }).toMatchObject({ status: 200, valid: true, events, unsealed });
  });

  it('of another tenant is its own', async () => {
    const other = await world.newTenant();
    const { body } = await new Client(world.baseUrl, other.apiKey).post(VERIFY, { to: day(5) });
    expect(body).toMatchObject({ valid: true, events: 0, unsealed: 0 });
  });

  it.each([
    { from: 'yesterday' },
    { from: day(2), to: day(2) },
    { from: day(3), to: day(2) },
    { since: day(1) },
  ])('is not %j', async (interval) => expect((await client.post(VERIFY, interval)).status).toBe(400));
});

it('is verified once at a time for an organization, and two at a time in all, whatever becomes of it', async () => {
  const [other, third] = [await world.newTenant(), await world.newTenant()];
  const locked = await world.admin.connect();
  try {
    await locked.query('BEGIN; LOCK TABLE audit_tree IN ACCESS EXCLUSIVE MODE');
    const first = client.post(VERIFY, {});
    const elsewhere = new Client(world.baseUrl, other.apiKey).post(VERIFY, {});
    await lockWaiters(world.admin, 2); // both are reading, or about to
    const refused = { status: 409, body: { code: 'verification_under_way' } };
    const late = new Client(world.baseUrl, third.apiKey);
    for (const one of [client, late]) expect(await one.post(VERIFY, {})).toMatchObject(refused);
    await locked.query('COMMIT');
    expect([(await first).status, (await elsewhere).status]).toEqual([200, 200]);
  } finally {
    locked.release(true); // and with it what it holds
  }
  for (const { apiKey } of [tenant, third])
    expect((await new Client(world.baseUrl, apiKey).post(VERIFY, {})).status).toBe(200);
});

it('ends when nobody waits for it any more', async () => {
  const other = await world.newTenant();
  const locked = await world.admin.connect();
  try {
    await locked.query('BEGIN; LOCK TABLE audit_tree IN ACCESS EXCLUSIVE MODE');
    const hungUp = new AbortController();
    const headers = { authorization: `Bearer ${other.apiKey}`, 'content-type': 'application/json' };
    const asked = fetch(`${world.baseUrl}${VERIFY}`, {
      method: 'POST',
      headers,
      body: '{}',
      signal: hungUp.signal,
    });
    await lockWaiters(world.admin, 1);
    hungUp.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await locked.query('COMMIT');
  } finally {
    locked.release(true);
  }
  // It says so itself.
  const told = await eventually(
    async () =>
      (
        await world.admin.query(
          `SELECT outcome, detail->>'code' AS code FROM audit_event WHERE organization_id = $1 AND action = 'audit:verify'`,
          [other.organizationId],
        )
      ).rows,
    (rows) => rows.length > 0,
  );
  expect(told).toEqual([{ outcome: 'failure', code: 'caller_gone' }]);
  expect((await new Client(world.baseUrl, other.apiKey).post(VERIFY, {})).status).toBe(200);
});

it('over very many seals checks their hashes, and names the first that is wrong as well', async () => {
  const verification = world.api.app.get(VerificationService, { strict: false });
  const verified = () => verification.verify(tenant.organizationId, {});
  const most = verification.mostSignatures;
  try {
    verification.mostSignatures = 1;
    expect(await verified()).toMatchObject({ valid: true });
    for (const change of [
      `root = sha256('x')`,
      `sealed_at = sealed_at + interval '1 ms'`,
      `head = sha256('x')`,
    ])
      await putBack(world.admin, async () => {
        await asSuperuser(world.admin, (admin) =>
          admin.query(`UPDATE audit_seal SET ${change} WHERE number = 2`),
        );
        expect(await verified()).toMatchObject({ valid: false, first_bad: { seal: 2 } });
      });
    // With the hash beside it, so that only the next one differs; the first is named all the same.
    await putBack(world.admin, async () => {
      const { rows } = await world.admin.query<{ time: Date; previous: Buffer }>(
        'SELECT sealed_at AS time, previous FROM audit_seal WHERE number = 2',
      );
      const root = Buffer.alloc(32, 7);
      const hash = hashOf(headForm({ ...rows[0]!, seal: 2, root }));
      await asSuperuser(world.admin, (admin) =>
        admin.query('UPDATE audit_seal SET root = $1, head = $2 WHERE number = 2', [root, hash]),
      );
      expect(await verified()).toMatchObject({ valid: false, first_bad: { seal: 2 } });
    });
    await putBack(world.admin, async () => {
      await asSuperuser(world.admin, (admin) =>
        admin.query(`UPDATE audit_seal SET signature = sha512('x')
                     WHERE number = (SELECT max(number) FROM audit_seal)`),
      );
      expect(await verified()).toMatchObject({
        valid: false,
        first_bad: { why: expect.stringMatching(/^head/) },
      });
    });
  } finally {
    verification.mostSignatures = most;
  }
});

it('with more than a million events says that it is too long', async () => {
  const { organizationId, apiKey } = await world.newTenant();
  // 20 statements, since the event feeds of all databases of the server wait for the longest transaction.
  for (let part = 0; part < 20; part++)
    await world.admin.query(
      `INSERT INTO audit_unsealed SELECT $1, '2026-03-06', gen_random_uuid() FROM generate_series(1, 50001)`,
      [organizationId],
    );
  const large = new Client(world.baseUrl, apiKey);
  expect(await large.post(VERIFY, {})).toMatchObject({ status: 422, body: { code: 'too_many_events' } });
  expect((await large.post(VERIFY, { to: day(6) })).status).toBe(200);
});
