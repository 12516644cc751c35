import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { QUEUE_SCHEMA } from '../../../src/platform/database/bootstrap.js';
import { type Answer, Client } from '../../support/client.js';
import { Portal } from '../../support/portal.js';
import { PostOffice } from '../../support/post-office.js';
import { OwnProcess } from '../../support/processes.js';
import { createWorld, type World } from '../../support/world.js';

jest.setTimeout(60_000);

let office: PostOffice;
let world: World;
let portal: Portal;
const processes: OwnProcess[] = [];

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld(office.environment);
  portal = await Portal.open(world, (await world.newTenant()).organizationId);
});
afterAll(async () => {
  for (const process of processes) await process.stop();
  await world.close();
  await office.close();
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

it('of address, code and tokens nothing stands in ledger, log or queue, and no token in any table', async () => {
  const email = 'zebulon.quintero@example.org';
  const phoneNumber = '+15550177889';
  const stranger = 'wilhelmina.harker@example.org';
  const patientId = await portal.newPatient({
    email,
    phoneNumber,
    firstName: 'Zebulon',
    lastName: 'Quintero',
  });
  const port = String(20_000 + Math.floor(Math.random() * 10_000));
  const baseUrl = `http://127.0.0.1:${port}`;
  const shipped = { ...world.environment, LOG_LEVEL: 'trace', PORT: port, PUBLIC_URL: baseUrl };
  const api = await OwnProcess.start('api', shipped);
  processes.push(api);
  const visitor = new Client(baseUrl);
  const ask = (path: string, body: object): Promise<Answer> =>
    visitor.post(`/api/v1/users/auth/${path}`, body, { 'cv-api-key': portal.apiKey });

  for (const to of [{ email }, { phoneNumber }, { email: stranger }])
    expect((await ask('send-otp', to)).status).toBe(200);
  expect((await ask('send-otp', { email })).status).toBe(429);
  const codes = await Promise.all([email, phoneNumber, stranger].map((address) => portal.codeOf(address)));
  const queue = await rowsOf(QUEUE_SCHEMA);
  const worker = await OwnProcess.start('worker', { ...world.workerEnvironment, LOG_LEVEL: 'trace' });
  processes.push(worker);
  await office.newestTo(email);
  await office.newestTo(phoneNumber);
  const [code, , strangers] = codes as [string, string, string];
  expect((await ask('verify-otp', { email: stranger, code: strangers })).status).toBe(401);
  const first = await ask('verify-otp', { email, code });
  expect(first.status).toBe(200);
  const second = await ask('refresh-token', { refresh_token: first.body.refreshToken });
  expect(second.status).toBe(200);
  expect((await ask('refresh-token', { refresh_token: first.body.refreshToken })).status).toBe(401);
  expect((await ask('logout', { refresh_token: second.body.refreshToken })).status).toBe(200);
  queue.push(...(await rowsOf(QUEUE_SCHEMA)));
  await api.stop();
  await worker.stop();

  const ledger = await rowsOf('public', 'audit_event%');
  const log = [api.output, worker.output].flatMap((text) => text.split('\n'));
  // What is looked through is what is meant.
  expect(queue.join('\n')).toContain('deliver-code');
  expect(log.filter((line) => line.includes('"operation":"sign-in:verify-code"'))).toHaveLength(2);
  for (const action of ['sign-in:send-code', 'sign-in:deliver-code', 'sign-in:verify-code', 'sessions:end'])
    expect(ledger.some((row) => row.includes(action) && row.includes(patientId))).toBe(true);

  const tokens = [first, second].flatMap(({ body }) => [body.accessToken, body.refreshToken] as string[]);
  const own = ['zebulon', 'quintero', '5550177889', 'wilhelmina', 'harker', ...tokens, portal.apiKey];
  const isCode = new RegExp(`(?<![0-9a-f])(${codes.join('|')})(?![0-9a-f])`); // no part of an id or a time
  for (const text of [...ledger, ...log, ...queue]) {
    const found = own.find((secret) => text.toLowerCase().includes(secret.toLowerCase()));
    if (found ?? isCode.test(text.replaceAll(/"time":\d+/g, '')))
      throw new Error(`${found} stands in: ${text}`);
  }
  const everything = (await rowsOf('public')).join('\n');
  expect(everything).toContain(email); // in its one place
  for (const token of tokens) expect(everything).not.toContain(token);
  for (const each of codes) expect(everything).not.toMatch(new RegExp(`[(,"]${each}[),"]`));
});
