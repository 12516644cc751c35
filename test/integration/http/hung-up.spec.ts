import { type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { basic, Client } from '../../support/client.js';
import { createWorld, type Tenant, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant();
});
afterAll(() => world.close());

const CLIENTS = '/api/v1/admin/clients';
const FORM = 'application/x-www-form-urlencoded';
const TIMES = 60;
/** More than there are connections to the database. */
const KNOWN = 20;

function text(path: string, authorization: string, type: string, body: string): string {
  const headers = { host: 'x', authorization, 'content-type': type, 'content-length': body.length };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** Sends it all, and resets the connection (RST) so many turns of the loop after that. */
async function sendAndReset(request: string, turns: number): Promise<void> {
  const { hostname, port } = new URL(world.baseUrl);
  const socket = connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.write(request, resolve));
  for (let turn = 0; turn < turns; turn++) await turnOfTheLoop();
  socket.resetAndDestroy();
  await closed;
}

/** Requests that change something, or that the ledger tells of because they are refused. */
const requests = (): string[] => [
  text(CLIENTS, `Bearer ${tenant.apiKey}`, 'application/json', '{"name":"Reset","scopes":[]}'),
  text('/oauth2/token', basic(tenant.clientId, tenant.clientSecret), FORM, 'grant_type=client_credentials'),
  text(CLIENTS, 'Bearer wrong', 'application/json', '{}'),
];

it('nothing is done for who resets the connection behind a request, unless it is known who that was', async () => {
  const seen: (string | undefined)[] = [];
  const server = world.api.app.getHttpServer() as Server;
  server.prependListener('request', ({ socket }: IncomingMessage) => void seen.push(socket.remoteAddress));
  for (let time = 0; time < TIMES; time++)
    for (const request of requests()) await sendAndReset(request, time % 3);
  // Each of these stands behind what they do, in the loop and before the database.
  const by = new Client(world.baseUrl, tenant.apiKey);
  for (let time = 0; time < KNOWN; time++)
    expect((await by.post(CLIENTS, { name: 'Known', scopes: [] })).status).toBe(201);

  expect(seen.filter((address) => address === undefined).length).toBeGreaterThan(0);
  const { rows: events } = await world.admin.query<{ made: string; ip: string | null }>(
    `SELECT action || ' ' || outcome AS made, ip FROM audit_event WHERE request_id IS NOT NULL`,
  );
  expect(new Set(events.map(({ ip }) => ip))).toEqual(new Set(['127.0.0.1']));
  const { rows } = await world.admin.query<{ made: number }>(
    `SELECT count(*)::int AS made FROM oauth_client WHERE name IN ('Known', 'Reset')`,
  );
  expect(rows[0]!.made).toBeGreaterThanOrEqual(KNOWN);
  expect(events.filter(({ made }) => made === 'clients:create success')).toHaveLength(rows[0]!.made);
});
