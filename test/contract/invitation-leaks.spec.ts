import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ADMIN, Admin } from '../support/admin.js';
import { type Answer, eventually } from '../support/client.js';
import { PostOffice } from '../support/post-office.js';
import { createWorld, type World } from '../support/world.js';
import { expectNothingOf, type LoudProcesses, rowsOf, startLoudly, tablesOf } from './traces.js';

/**
 * Somebody of staff is invited, renamed, put into a group, disabled and enabled, right and wrong; then every trace of the
 * two processes is searched for who they are. The words are found nowhere else.
 */
jest.setTimeout(120_000);

const OWN = {
  email: 'cornelius.quibbleworth@staff.example',
  refused: 'refused.quibbleworth@staff.example',
  firstName: 'Cornelius',
  lastName: 'Quibbleworth-Åse',
  group: 'Readers of Quibbleworth',
  idempotencyKey: 'quibbleworth-key-1',
  unknownKeyword: 'QuibbleworthKeyword',
  anyOfIt: 'uibbleworth',
  given: 'ornelius',
};

let office: PostOffice;
let world: World;
let by: Admin;
let processes: LoudProcesses;
let metrics: string[];
/** Rows of the queue, as they stood whenever somebody looked. */
const queued: string[] = [];

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({ ...office.environment, RECONCILE_INTERVAL_MS: '300' });
  const tenant = await world.newTenant();
  processes = await startLoudly(world);
  by = new Admin(processes.baseUrl, tenant.apiKey);
  await liveThrough();
  metrics = await processes.metrics();
  await processes.stop();
});
afterAll(async () => {
  await processes.stop();
  await world.close();
  await office.close();
});

async function note(call: Promise<Answer>, ...statuses: number[]): Promise<any> {
  const answer = await call;
  if (!statuses.includes(answer.status)) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body;
}

async function look(): Promise<void> {
  for (const name of await tablesOf(world.admin, 'bullmq')) queued.push(...(await rowsOf(world.admin, name)));
}

it('is found where it stands: with the user, and in the envelope of the mail', async () => {
  const rows = await rowsOf(world.admin, '"user"');
  for (const name of ['email', 'firstName', 'lastName'] as const)
    expect(() => expectNothingOf({ [name]: OWN[name] }, rows)).toThrow(`${name} stands in`);
  expect(office.mails.map(({ to }) => to)).toContain(OWN.email);
  expectNothingOf(
    { given: OWN.given },
    office.mails.map(({ text, subject }) => `${subject} ${text}`),
  ); // the mail names nobody
});

describe('nothing of who is invited', () => {
  it('stands in the ledger', async () => {
    const rows = await rowsOf(world.admin, 'audit_event');
    for (const action of [
      'users:invite',
      'users:deliver-invitation',
      'users:list',
      'users:read',
      'users:update',
      'users:disable',
      'users:enable',
      'groups:create',
      'groups:update',
      'groups:add-member',
      'groups:delete',
    ])
      expect({ action, told: rows.some((row) => row.includes(action)) }).toEqual({ action, told: true });
    expectNothingOf(OWN, rows);
  });

  it('stands in a log', () => {
    const { api, worker } = processes;
    const lines = `${api.output}\n${worker.output}`.split('\n').filter(Boolean);
    const said = (text: string) => lines.filter((line) => line.includes(text)).length;
    expect(said('"operation":"users:invite"')).toBeGreaterThan(5);
    expect(said('"level":"error"') + said('"level":50')).toBeGreaterThan(0);
    expect(worker.output).toContain('"userId"'); // a delivery that failed was logged
    expectNothingOf(OWN, lines);
  });

  it('stands in a metric, or in the queue', () => {
    expect(metrics[0]).toContain('users:invite');
    expectNothingOf(OWN, metrics);
    expect(queued.some((row) => row.includes('deliver-invitation'))).toBe(true);
    expectNothingOf(OWN, queued);
  });
});

async function liveThrough(): Promise<void> {
  const users = `${ADMIN}/users`;
  const { email } = OWN;
  const names = { first_name: OWN.firstName, last_name: OWN.lastName };
  const key = { 'idempotency-key': OWN.idempotencyKey };
  office.refusals = { reply: 450, times: 2 }; // whose words quote the address; it is tried again
  const { id } = await note(by.post(users, { email: email.toUpperCase(), ...names }, key), 201);
  await look();
  await note(by.post(users, { email: email.toUpperCase(), ...names }, key), 201);
  await note(by.post(users, { email: OWN.refused }, key), 422);
  await note(by.post(users, { email }), 409);
  await office.newestTo(email);
  office.refusals = { reply: 550, times: 1 };
  await note(by.post(users, { email: OWN.refused, ...names }), 201);
  await look();
  await eventually(
    () => rowsOf(world.admin, 'audit_event'),
    (rows) => rows.some((row) => row.includes('SMTP 550')),
  );
  await fail(users, names);

  for (const path of [users, `${users}/${id}`]) await note(by.get(path), 200);
  await note(by.post(`${users}/search`, { email }), 200);
  for (const path of [`${users}/${email}`, `${users}?email=${OWN.lastName}`, `${users}?name=${OWN.lastName}`])
    await note(by.get(encodeURI(path)), 400);
  await note(by.change(`/users/${id}`, { first_name: OWN.lastName }), 200);
  await note(by.change(`/users/${id}`, { email: OWN.refused }), 400);
  const group = await note(by.post(`${ADMIN}/groups`, { name: OWN.group }, key), 201);
  await note(by.post(`${ADMIN}/groups`, { name: OWN.group }), 409);
  await note(by.get(`${ADMIN}/groups?name=${encodeURIComponent(OWN.group)}`), 200);
  await note(by.change(`/groups/${group.id}`, { name: `${OWN.group}!` }), 200);
  await note(by.post(`${ADMIN}/groups/${group.id}/members`, { user_id: id }), 201);
  await note(by.post(`${ADMIN}/groups/${group.id}/members`, { user_id: email }), 400);
  await note(by.delete(`${ADMIN}/groups/${group.id}`), 204);
  await note(by.post(`${users}/${id}/disable`), 200);
  await note(by.post(`${users}/${id}/enable`), 200);
}

/** Input that is wrong, and faults of the database whose messages quote rows and values. */
async function fail(users: string, names: object): Promise<void> {
  const { admin } = world;
  await note(by.post(users, { email: `${OWN.firstName} at ${OWN.lastName}` }), 400);
  await note(by.post(users, { email: OWN.email, [OWN.unknownKeyword]: OWN.lastName }), 400);
  await note(by.post(users, { email: `x.${OWN.email}`, first_name: `${OWN.firstName}\u0007` }), 400);
  await note(by.post(users, `{"email":"${OWN.email}"`), 400);
  await admin.query(
    `CREATE FUNCTION quote_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'bad row: %', NEW; END $$;
     CREATE TRIGGER quote_row BEFORE INSERT ON "user" FOR EACH ROW EXECUTE FUNCTION quote_row()`,
  );
  await note(by.post(users, { email: `new.${OWN.email}`, ...names }), 500, 503);
  await admin.query('DROP TRIGGER quote_row ON "user"');
  await admin.query(
    `CREATE TRIGGER quote_row BEFORE UPDATE ON "user" FOR EACH ROW EXECUTE FUNCTION quote_row()`,
  );
  const { id } = await note(by.post(users, { email: `third.${OWN.email}`, ...names }), 201);
  await note(by.change(`/users/${id}`, names), 500, 503);
  await eventually(
    () => Promise.resolve(processes.worker.output), // it cannot note that it has sent it
    (output) => output.includes(id as string),
  );
  await admin.query('DROP TRIGGER quote_row ON "user"; DROP FUNCTION quote_row()');
  await admin.query('ALTER TABLE "user" ADD CONSTRAINT nameless CHECK (first_name = \'\') NOT VALID');
  await note(by.post(users, { email: `fourth.${OWN.email}`, ...names }), 500, 503);
  await admin.query('ALTER TABLE "user" DROP CONSTRAINT nameless');
}
