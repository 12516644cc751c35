import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, basic, Client } from '../../support/client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

const CLIENTS = '/api/v1/admin/clients';
const FAILURES = 3;
const jane = (turn: number) => `Jane Doe born 1970-01-0${turn}, jane${turn}@example.org`;

describe.each(['true', '127.0.0.0/8'])('with TRUST_PROXY=%s, by who is trusted', (trusted) => {
  let world: World;
  let tenant: Tenant;

  beforeAll(async () => {
    world = await createWorld({
      TRUST_PROXY: trusted,
      CREDENTIAL_FAILURES_PER_MINUTE: String(FAILURES),
    });
    tenant = await world.newTenant();
  });
  afterAll(() => world.close());

  const addressOf = async ({ headers }: Answer): Promise<unknown> => {
    const { rows } = await world.admin.query('SELECT ip FROM audit_event WHERE request_id = $1', [
      headers.get('x-request-id'),
    ]);
    return rows;
  };

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%Jane-Doe', 'fe80::1'],
    ['Jane Doe', '127.0.0.1'],
    [jane(1), '127.0.0.1'],
  ])('who says to come from %j is in the ledger as %s', async (told, address) => {
    const by = new Client(world.baseUrl, tenant.apiKey);
    const headers = { 'x-forwarded-for': told };
    const answers = [
      await by.post(CLIENTS, { name: 'Scanner', scopes: [] }, headers),
      await by.get(CLIENTS, headers),
      await by.post(CLIENTS, {}, headers),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 400]);
    for (const answer of answers) expect(await addressOf(answer)).toEqual([{ ip: address }]);
  });

  it.each<[string, (headers: object) => Promise<Answer>]>([
    ['tokens', (headers) => new Client(world.baseUrl, 'wrong').get(CLIENTS, { ...headers })],
    [
      'passwords of clients',
      (headers) =>
        new Client(world.baseUrl).get('/orders', { authorization: basic('nobody', 'x'), ...headers }),
    ],
    [
      'keys of portals',
      (headers) =>
        new Client(world.baseUrl).post(
          '/api/v1/users/auth/send-otp',
          { email: 'jane@example.org' },
          { 'x-api-key': 'wrong', ...headers },
        ),
    ],
  ])('wrong %s are guessed so often a minute, whatever is told', async (_, guess) => {
    const statuses: number[] = [];
    for (let turn = 1; turn <= FAILURES + 1; turn++)
      statuses.push((await guess({ 'x-forwarded-for': jane(turn) })).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await guess({ 'x-forwarded-for': '192.0.2.77' })).status).not.toBe(429);
  });

  it('requests of a public route are counted by the connection’s own', async () => {
    const left: number[] = [];
    for (let turn = 1; turn <= 3; turn++) {
      const authorization = basic(tenant.clientId, tenant.clientSecret);
      const { headers } = await new Client(world.baseUrl).post(
        '/oauth2/token',
        'grant_type=client_credentials',
        {
          authorization,
          'content-type': 'application/x-www-form-urlencoded',
          'x-forwarded-for': jane(turn),
        },
      );
      left.push(Number(headers.get('ratelimit-remaining')));
    }
    expect(left).toEqual([left[0], left[0]! - 1, left[0]! - 2]);
  });
});
