import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Answer, eventually } from '../support/client.js';
import { Patient } from '../support/clinic.js';
import { Inspector } from '../support/inspector.js';
import { Portal } from '../support/portal.js';
import { PostOffice } from '../support/post-office.js';
import { createWorld, type Tenant, type World } from '../support/world.js';
import { expectNothingOf, keysOf, type LoudProcesses, rowsOf, startLoudly, tablesOf } from './traces.js';

/**
 * A patient has a case, signs in, uploads, renames, reads, deletes and signs out, right and wrong; then every trace of the
 * two processes is searched for what is theirs, and for what signs them in. The words are found nowhere else.
 */
jest.setTimeout(120_000);

const OWN = {
  email: 'thaddeus.wobbleton@patients.example',
  phoneNumber: '+15550177421',
  digits: '5550177421',
  firstName: 'Thaddeus',
  lastName: 'Wobbleton-Ørsk',
  title: 'Knee of Wobbleton',
  fileName: 'wobbleton_lab.txt',
  renamed: 'wobbleton_renamed.txt',
  content: 'Haemoglobin of Wobbleton',
  base64: Buffer.from('Haemoglobin of Wobbleton').toString('base64').slice(0, 24),
  staffFile: 'plan_for_wobbleton.txt',
  idempotencyKey: 'wobbleton-key-1',
  unknownKeyword: 'WobbletonKeyword',
  anyOfIt: 'obbleton',
  given: 'haddeus',
};

const FILES = '/api/v1/users/me/files';
const CASES = '/api/v1/admin/cases';
const AUTH = '/api/v1/users/auth';

type Note = (call: Promise<Answer>, ...statuses: number[]) => Promise<any>;

let office: PostOffice;
let world: World;
let tenant: Tenant;
let portal: Portal;
let staff: Inspector;
let processes: LoudProcesses;
let metrics: string[];
let patientId: string;
const answers: Answer[] = [];
/** Codes and tokens that were given out. */
const codes: string[] = [];
const tokens: Record<string, string> = {};

beforeAll(async () => {
  office = await PostOffice.open();
  world = await createWorld({ ...office.environment, RECONCILE_INTERVAL_MS: '300' });
  tenant = await world.newTenant();
  processes = await startLoudly(world);
  const { baseUrl } = processes;
  portal = await Portal.open({ ...world, baseUrl }, tenant.organizationId);
  staff = new Inspector(baseUrl, tenant.apiKey);
  await liveThrough();
  metrics = await processes.metrics();
  await processes.stop();
});
afterAll(async () => {
  await processes.stop();
  await world.close();
  await office.close();
});

const note: Note = async (call, ...statuses) => {
  const answer = await call;
  answers.push(answer);
  if (!statuses.includes(answer.status)) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body;
};

it('is found where it stands: with the user, the case, the files, and in the messages', async () => {
  const rows = (
    await Promise.all(['"user"', 'patient_case', 'patient_file'].map((table) => rowsOf(world.admin, table)))
  ).flat();
  for (const name of ['email', 'phoneNumber', 'firstName', 'lastName', 'title', 'renamed'] as const)
    expect(() => expectNothingOf({ [name]: OWN[name] }, rows)).toThrow(`${name} stands in`);
  const sent = [...office.mails, ...office.texts].map(({ text }) => text).join('\n');
  expect(codes.length).toBeGreaterThanOrEqual(2);
  for (const code of codes) expect(sent).toContain(code);
});

describe('nothing of a patient, nor of what signs them in', () => {
  /** Among digits, letters and points a code is found by chance: in an id, a time, an address. */
  const code = (): RegExp => new RegExp(`(?<![\\w.-])(${codes.join('|')})(?![\\w.-])`);

  const expectNothing = (texts: string[]): void => {
    expectNothingOf({ ...OWN, ...tokens }, texts);
    for (const text of texts) expect(text).not.toMatch(code());
  };

  it('stands in the ledger', async () => {
    const rows = await rowsOf(world.admin, 'audit_event');
    expect(rows.length).toBeGreaterThan(50);
    for (const action of [
      'cases:create',
      'sign-in:send-code',
      'sign-in:deliver-code',
      'sign-in:verify-code',
      'sessions:refresh',
      'sessions:end',
      'files:upload',
      'files:rename',
      'files:delete',
      'files:discard',
    ])
      expect({ action, told: rows.some((row) => row.includes(action)) }).toEqual({ action, told: true });
    expect(rows.filter((row) => row.includes(patientId)).length).toBeGreaterThan(20); // but by id, it does
    expectNothing(rows);
  });

  it('stands in a log', () => {
    const { api, worker } = processes;
    const lines = `${api.output}\n${worker.output}`.split('\n').filter(Boolean);
    const said = (text: string) => lines.filter((line) => line.includes(text)).length;
    expect(said('"msg":"request"')).toBeGreaterThan(50);
    expect(said('"operation":"files:upload"')).toBeGreaterThan(5);
    expect(said('"level":"error"') + said('"level":50')).toBeGreaterThan(0);
    expect(worker.output).toContain('challengeId'); // a delivery that failed was logged
    expectNothing(lines);
    for (const line of lines) expect(line).not.toMatch(/sdr_|sdk_portal_|sdk_live_|eyJhbGci|X-Amz|Bearer /);
  });

  it('stands in a metric', () => {
    for (const text of metrics) expect(text).toContain('# TYPE');
    expect(metrics[0]).toContain('files:upload');
    expectNothing(metrics);
  });

  it('stands in a key of the bucket, in a presigned URL, or in the queue', async () => {
    const keys = await keysOf(world);
    expect(keys.length).toBeGreaterThan(3);
    expectNothing(keys);
    const urls = answers.flatMap(({ text }) => text.match(/https?:[^"]*X-Amz-[^"]*/g) ?? []);
    expect(urls.length).toBeGreaterThanOrEqual(3);
    expectNothingOf(OWN, urls);
    const queues = await tablesOf(world.admin, 'bullmq');
    expect(queues.length).toBeGreaterThan(0);
    for (const name of queues) expectNothing(await rowsOf(world.admin, name));
    expectNothing(await rowsOf(world.admin, 'outbox_event'));
  });

  it('which no table holds: neither codes nor tokens', async () => {
    for (const name of await tablesOf(world.admin, 'public')) {
      const rows = await rowsOf(world.admin, name);
      expectNothingOf(tokens, rows);
      for (const row of rows) expect(row).not.toMatch(code());
    }
  });
});

async function liveThrough(): Promise<void> {
  const { email, phoneNumber } = OWN;
  const patient = {
    email,
    phone_number: phoneNumber,
    first_name: OWN.firstName,
    last_name: OWN.lastName,
  };
  const key = { 'idempotency-key': OWN.idempotencyKey };
  const made = await note(staff.post(CASES, { patient, title: OWN.title }, key), 201);
  patientId = made.patient.id;
  await note(staff.post(CASES, { patient: { email: `${OWN.firstName} at ${OWN.lastName}` } }), 400);
  await note(staff.post(CASES, { patient, [OWN.unknownKeyword]: OWN.title }), 400);
  await note(staff.post(CASES, `{"title":"${OWN.title}"`), 400);
  await note(staff.post(CASES, { patient: { phone_number: '+15550100999' } }), 201);
  await note(staff.post(CASES, { patient: { email, phone_number: '+15550100999' } }), 409);
  for (const path of [`${CASES}/${made.id}`, CASES, `${CASES}?patient_id=${patientId}`])
    await note(staff.get(path), 200);
  for (const path of [`${CASES}/${email}`, `${CASES}?email=${email}`, `${CASES}?patient_id=${OWN.lastName}`])
    await note(staff.get(encodeURI(path)), 400);

  const own = await signIn();
  await bringFiles(own, made.id as string);
  await failToSignIn();
  await faults(own, made.id as string, patient);
  await note(portal.logout(tokens.refreshToken!), 200);
  await note(own.list(), 401);
  await note(staff.post(`${CASES}/${made.id}/close`), 200);
}

/** By mail and by text message. */
async function signIn(): Promise<Patient> {
  const { email, phoneNumber } = OWN;
  const codeFor = async (address: string): Promise<string> => {
    const { text } = await office.newestTo(address);
    codes.push(/\b\d{6}\b/.exec(text)![0]);
    return codes.at(-1)!;
  };
  await note(portal.sendCode({ phoneNumber }), 200);
  const texted = await note(portal.verify({ phoneNumber, code: await codeFor(phoneNumber) }), 200);
  Object.assign(tokens, { textedAccess: texted.accessToken, textedRefresh: texted.refreshToken });
  office.refusals = { reply: 450, times: 1 }; // it is tried again
  await note(portal.sendCode({ email: email.toUpperCase() }), 200);
  await note(portal.sendCode({ email }), 429); // at once: half a minute later another would be sent
  const code = await codeFor(email);
  await note(portal.verify({ email, code: code === '111111' ? '222222' : '111111' }), 401);
  const first = await note(portal.verify({ email, code }), 200);
  Object.assign(tokens, { firstAccess: first.accessToken, firstRefresh: first.refreshToken });
  const { accessToken, refreshToken } = await note(portal.refresh(first.refreshToken), 200);
  Object.assign(tokens, { accessToken, refreshToken });
  const replayed = await note(portal.refresh(texted.refreshToken), 200);
  Object.assign(tokens, { replayedAccess: replayed.accessToken, replayedRefresh: replayed.refreshToken });
  await note(portal.refresh(texted.refreshToken), 401);
  return new Patient(processes.baseUrl, accessToken, patientId, portal.apiKey);
}

async function failToSignIn(): Promise<void> {
  const { email } = OWN;
  await note(portal.sendCode({ email, channel: 'SMS' }), 400);
  await note(portal.sendCode({ email: `${OWN.lastName} (${email})` }), 400);
  await note(portal.verify({ email, code: `${OWN.lastName}` }), 400);
  await note(portal.post(`${AUTH}/verify-otp`, `{"email":"${email}","code":`), 400);
  await note(portal.post(`${AUTH}/logout`, { refresh_token: tokens.textedRefresh, [email]: OWN.title }), 400);
  await note(portal.refresh(`sdr_${OWN.lastName}`), 401);
  await note(portal.logout(`sdr_${OWN.lastName}`), 200);
  await note(portal.get(FILES, { 'cv-api-key': OWN.fileName }), 404);
  await note(portal.get(FILES, { authorization: `Bearer ${OWN.fileName}` }), 401);
  const refused = `other.${email}`;
  await portal.newPatient({ email: refused });
  office.refusals = { reply: 550, times: 1 };
  await note(portal.sendCode({ email: refused }), 200);
  await eventually(
    () => rowsOf(world.admin, 'audit_event'),
    (rows) => rows.some((row) => row.includes('SMTP 550')),
  );
}

async function bringFiles(own: Patient, caseId: string): Promise<void> {
  const named = { name: OWN.fileName, caseId };
  const headers = { 'idempotency-key': OWN.idempotencyKey };
  const { id } = (await note(own.upload(OWN.content, { ...named, headers }), 200)).data;
  await note(own.upload(OWN.content, { ...named, headers }), 200);
  await note(own.upload(`${OWN.content}, otherwise`, { ...named, headers }), 422);
  for (const wrong of [
    { data: `${OWN.base64}=` },
    { mimeType: 'application/pdf' },
    { mimeType: `text/${OWN.lastName}` },
    { name: OWN.lastName.repeat(20) },
    { name: `${OWN.lastName}\u0007` },
    { caseId: OWN.lastName },
    { [OWN.unknownKeyword]: OWN.title },
  ])
    await note(own.upload(OWN.content, { ...named, ...wrong }), 400);
  await note(own.upload(OWN.content, { ...named, caseId: patientId }), 403);
  await note(own.post(`${FILES}/upload`, `{"name":"${OWN.fileName}","data":"${OWN.base64}`), 400);
  await note(
    own.post(`${FILES}/upload`, OWN.content, { 'content-type': `text/${encodeURIComponent(OWN.lastName)}` }),
    415,
  );

  const fileId = await staff.deliver(Buffer.from(`${OWN.content} by staff`), 'text/plain', {
    name: OWN.staffFile,
    assetID: OWN.title,
  });
  const attached = await note(staff.post(`${CASES}/${caseId}/attachments`, { file_id: fileId }), 201);
  await note(staff.get(`${CASES}/${caseId}/attachments`), 200);
  await note(staff.get(`/api/v1/admin/files/${attached.id}/download`), 200);
  await note(staff.call('PATCH', `/api/v1/admin/files/${attached.id}`, { is_phi: true }), 200);
  await note(staff.get('/api/v1/admin/documents'), 200);

  await note(own.list(), 200);
  await note(own.list(`?caseId=${caseId}&type=phi`), 200);
  await note(own.rename(id, OWN.renamed), 200);
  await note(own.metadata(id), 200);
  expect((await own.fetch(id)).bytes.toString()).toBe(OWN.content);
  await note(own.download(id), 200);
  await note(own.download(attached.id as string), 200);
  await note(own.rename(attached.id as string, OWN.renamed), 404);
  await note(own.rename(id, `${OWN.renamed}\u0000`), 400);
  await note(own.call('PATCH', `${FILES}/${id}/metadata`, { [OWN.unknownKeyword]: OWN.renamed }), 400);
  for (const query of ['caseId', 'type', 'cursor', 'name'])
    await note(own.list(`?${query}=${encodeURIComponent(OWN.lastName)}`), 400);
  for (const path of [`${OWN.fileName}/metadata`, `${OWN.fileName}/download`])
    await note(own.get(`${FILES}/${path}`), 400);
  await note(own.get(`${FILES}/${OWN.fileName}/${OWN.fileName}`), 404);
  await note(own.remove(id), 200);
  await note(own.remove(id), 404);
}

/** What goes wrong in the database, whose messages quote rows and values, in both processes. */
async function faults(own: Patient, caseId: string, patient: object): Promise<void> {
  const { admin } = world;
  const named = { name: OWN.fileName, caseId };
  await admin.query(
    `CREATE FUNCTION quote_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'bad row: %', NEW; END $$`,
  );
  const quoting = async (when: string, table: string, during: () => Promise<unknown>): Promise<void> => {
    await admin.query(
      `CREATE TRIGGER quote_row BEFORE ${when} ON ${table} FOR EACH ROW EXECUTE FUNCTION quote_row()`,
    );
    await during();
    await admin.query(`DROP TRIGGER quote_row ON ${table}`);
  };
  await quoting('INSERT', 'patient_case', () =>
    note(staff.post(CASES, { patient, title: OWN.title }), 500, 503),
  );
  await quoting('INSERT', '"user"', () =>
    note(staff.post(CASES, { patient: { ...patient, email: `new.${OWN.email}` } }), 500, 503),
  );
  await quoting('INSERT', 'patient_file', () => note(own.upload(OWN.content, named), 500, 503));
  // The file can neither be shown nor given up, by whoever tries.
  await quoting('UPDATE', 'patient_file', async () => {
    await note(own.upload(OWN.content, named), 500);
    await eventually(
      () => Promise.resolve(processes.worker.output),
      (output) => /"fileId"/.test(output),
    );
  });
  await quoting('INSERT OR UPDATE', 'otp_challenge', () =>
    note(portal.sendCode({ email: `third.${OWN.email}` }), 500, 503),
  );
  await quoting('INSERT', 'refresh_token', () => note(portal.refresh(tokens.refreshToken!), 500, 503));
  await admin.query('DROP FUNCTION quote_row()');
  await admin.query('ALTER TABLE patient_case ADD CONSTRAINT untitled CHECK (title IS NULL) NOT VALID');
  await note(staff.post(CASES, { patient, title: OWN.title }), 500, 503); // whose detail is the failing row
  await admin.query('ALTER TABLE patient_case DROP CONSTRAINT untitled');
  await admin.query('ALTER TABLE "user" RENAME COLUMN email TO gone');
  await note(portal.sendCode({ email: `third.${OWN.email}` }), 500, 503);
  await note(staff.post(CASES, { patient }), 500, 503);
  await admin.query('ALTER TABLE "user" RENAME COLUMN gone TO email');
  await eventually(
    () => rowsOf(admin, 'audit_event'),
    (rows) => rows.some((row) => row.includes('files:discard')),
  );
}
