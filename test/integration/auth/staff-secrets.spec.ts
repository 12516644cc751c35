import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { QUEUE_SCHEMA } from '../../../src/platform/database/bootstrap.js';
import { Admin } from '../../support/admin.js';
import { Client } from '../../support/client.js';
import { CALLBACK, CLIENT_ID, IdentityProvider } from '../../support/identity-provider.js';
import { PostOffice } from '../../support/post-office.js';
import { OwnProcess } from '../../support/processes.js';
import { STAFF_AUTH, StaffDoor } from '../../support/staff.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let office: PostOffice;
let sso: IdentityProvider;
let world: World;
const processes: OwnProcess[] = [];

beforeAll(async () => {
  [office, sso] = [await PostOffice.open(), await IdentityProvider.open()];
  world = await createWorld({ ...office.environment, ...sso.environment });
});
afterAll(async () => {
  for (const process of processes) await process.stop();
  await world.close();
  await office.close();
  await sso.close();
});

/** Every row of every table of a schema, as text. */
async function rowsOf(schema: string, tables = '%'): Promise<string[]> {
  const { rows } = await world.admin.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname LIKE $2`,
    [schema, tables],
  );
  const dumps = await Promise.all(
    rows.map(({ name }) =>
      world.admin.query<{ row: string }>(`SELECT t::text AS row FROM ${schema}."${name}" t`),
    ),
  );
  return dumps.flatMap((dump) => dump.rows.map(({ row }) => row));
}

it('of staff’s addresses, codes, tokens, flows and subjects nothing stands in ledger, log or queue', async () => {
  const tenant = await world.newTenant();
  const door = new StaffDoor(world, tenant.organizationId);
  const [email, stranger, subject] = [
    'lucretia.mott@staff.example',
    'ida.wells@staff.example',
    `sub-${randomUUID()}`,
  ];
  const userId = await door.newStaff(email, 'reader');
  const port = String(20_000 + Math.floor(Math.random() * 10_000));
  const baseUrl = `http://127.0.0.1:${port}`;
  const api = await OwnProcess.start('api', {
    ...world.environment,
    LOG_LEVEL: 'trace',
    PORT: port,
    PUBLIC_URL: baseUrl,
  });
  processes.push(api);
  const { organizationId: organization_id } = door;
  const ask = (path: string, body: object) =>
    new Client(baseUrl).post(`${STAFF_AUTH}/${path}`, { organization_id, ...body });

  for (const to of [email, stranger]) expect((await ask('send-code', { email: to })).status).toBe(200);
  const [code, strangers] = [await door.codeOf(email), await door.codeOf(stranger)];
  const queue = await rowsOf(QUEUE_SCHEMA);
  const worker = await OwnProcess.start('worker', { ...world.workerEnvironment, LOG_LEVEL: 'trace' });
  processes.push(worker);
  await office.newestTo(email);
  expect((await ask('verify-code', { email: stranger, code: strangers })).status).toBe(401);
  const first = await ask('verify-code', { email, code });
  const second = await ask('refresh', { refresh_token: first.body.refresh_token });
  expect([first.status, second.status]).toEqual([200, 200]);

  const admin = new Admin(baseUrl, tenant.apiKey);
  const provider = await admin.create('/identity-providers', {
    name: 'SSO',
    issuer: sso.issuer,
    client_id: CLIENT_ID,
    client_secret: sso.clientSecret,
    redirect_uris: [CALLBACK],
  });
  const oidc = { provider_id: provider.id, redirect_uri: CALLBACK };
  const flows: string[] = [];
  const came = async (body: { authorization_url: string; flow: string }) => {
    const callback_url = await sso.browse(body.authorization_url);
    const { searchParams } = new URL(callback_url);
    flows.push(body.flow, searchParams.get('code')!, searchParams.get('state')!);
    return { flow: body.flow, callback_url };
  };
  sso.account = subject;
  const unknown = await ask('oidc/finish', await came((await ask('oidc/start', oidc)).body));
  expect(unknown.status).toBe(403);
  const staff = new Client(baseUrl, second.body.access_token);
  const linking = await came((await staff.post(`${STAFF_AUTH}/oidc/link`, oidc)).body);
  expect((await staff.post(`${STAFF_AUTH}/oidc/link/finish`, linking)).status).toBe(201);
  const third = await ask('oidc/finish', await came((await ask('oidc/start', oidc)).body));
  expect(third.status).toBe(200);
  sso.instead.set('/token', (_request, response) => void response.writeHead(500).end(subject));
  const failing = await ask('oidc/finish', await came((await ask('oidc/start', oidc)).body));
  expect(failing.status).toBe(503);
  queue.push(...(await rowsOf(QUEUE_SCHEMA)));
  await api.stop();
  await worker.stop();

  const ledger = await rowsOf('public', 'audit_event%');
  const log = [api.output, worker.output].flatMap((text) => text.split('\n'));
  // What is looked through is what is meant.
  expect(queue.join('\n')).toContain('deliver-code');
  expect(log.some((line) => line.includes('provider_unavailable'))).toBe(true);
  for (const action of ['sign-in:verify-code', 'sign-in:link-identity', 'sign-in:finish-oidc'])
    expect(ledger.some((row) => row.includes(action) && row.includes(userId))).toBe(true);

  const tokens = [first, second, third].flatMap(
    ({ body }) => [body.access_token, body.refresh_token] as string[],
  );
  const own = ['lucretia', 'mott', 'ida.wells', subject, sso.clientSecret, ...tokens, ...flows];
  const isCode = new RegExp(`(?<![0-9a-f])(${code}|${strangers})(?![0-9a-f])`); // no part of an id or a time
  for (const text of [...ledger, ...log, ...queue]) {
    const found = own.find((secret) => text.toLowerCase().includes(secret.toLowerCase()));
    if (found ?? isCode.test(text.replaceAll(/"time":\d+/g, '')))
      throw new Error(`${found} stands in: ${text}`);
  }
  const everything = (await rowsOf('public')).join('\n');
  for (const once of [email, subject]) expect(everything.split(once)).toHaveLength(2); // in its one place
  for (const secret of [...tokens, ...flows, sso.clientSecret]) expect(everything).not.toContain(secret);
});
