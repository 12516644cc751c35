import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from '../../support/client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

const HOLDS = '/api/v1/audit/holds';

let world: World;
let tenant: Tenant;

const eventsOf = async (condition: string): Promise<Record<string, unknown>[]> =>
  (
    await world.admin.query(
      `SELECT action, outcome, ip, resource_id FROM audit_event WHERE organization_id = $1 AND ${condition} ORDER BY id`,
      [tenant.organizationId],
    )
  ).rows;

describe.each(['false', 'true', '127.0.0.0/8'])('with TRUST_PROXY=%s', (TRUST_PROXY) => {
  beforeAll(async () => {
    world = await createWorld({ TRUST_PROXY, RATE_LIMIT_PER_MINUTE: '100000' });
    tenant = await world.newTenant();
  });
  afterAll(() => world.close());

  it('what is no address is none, whoever says it', async () => {
    const ask = (forwarded: string) =>
      new Client(world.baseUrl, tenant.apiKey).get('/api/v1/exams', { 'x-forwarded-for': forwarded });
    for (const text of ['Jane Doe born 1970-01-01, jane@example.org', 'x'.repeat(8_000), 'fe80::1%eth0', ' '])
      expect((await ask(text)).status).toBe(200);
    const ips = (await eventsOf(`action = 'exams:list'`)).map(({ ip }) => ip);
    expect(ips).toHaveLength(4);
    for (const ip of ips) expect(ip).toMatch(/127\.0\.0\.1$/);

    await ask('192.0.2.7');
    const [last] = (await eventsOf(`action = 'exams:list'`)).slice(-1);
    expect(last!.ip).toMatch(TRUST_PROXY === 'false' ? /127\.0\.0\.1$/ : /^192\.0\.2\.7$/);
  });

  it('a connection that is reset as soon as it has asked does nothing without its address', async () => {
    const body = JSON.stringify({ reference: 'M-1' });
    const request =
      `POST ${HOLDS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.apiKey}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const { port } = new URL(world.baseUrl);
    for (let round = 0; round < 40; round++)
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => {
          socket.write(request, () => socket.resetAndDestroy());
        });
        socket.on('error', () => undefined).on('close', () => resolve());
      });
    // Behind them all, by the same way in: what they did is done.
    const { status } = await new Client(world.baseUrl, tenant.apiKey).post(HOLDS, { reference: 'M-2' });
    expect(status).toBe(201);
    expect(await eventsOf(`ip IS NULL AND actor_kind <> 'system'`)).toEqual([]);
    const { rows } = await world.admin.query('SELECT id FROM audit_hold WHERE organization_id = $1', [
      tenant.organizationId,
    ]);
    const told = (await eventsOf(`action = 'audit:place-hold' AND outcome = 'success'`)).map(
      ({ resource_id: id }) => id,
    );
    expect(told.sort()).toEqual(rows.map(({ id }: { id: string }) => id).sort());
  });
});
