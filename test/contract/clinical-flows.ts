import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { newId } from '../../src/platform/database/id.js';
import { eventually } from '../support/client.js';
import { Clinic, Patient } from '../support/clinic.js';
import { Portal } from '../support/portal.js';
import type { PostOffice } from '../support/post-office.js';
import type { Tenant, World } from '../support/world.js';

const CASES = '/api/v1/admin/cases';
const DOCUMENTS = '/api/v1/admin/documents';

/** Everything that staff, a patient and the worker do with cases, files and sign-ins, once at least. */
export async function liveClinically(world: World, tenant: Tenant, office: PostOffice): Promise<void> {
  const clinic = await Clinic.open(world, tenant);
  const portal = new Portal(world, tenant.organizationId, clinic.portalKey);
  const [email, phone_number] = [`${randomUUID()}@patients.example`, '+15550100200'];
  const { caseId, patientId } = await clinic.openCase({ patient: { email, phone_number } });
  const { caseId: closed } = await clinic.openCase({ patient: undefined, patient_id: patientId });
  await clinic.openCase({ patient: { phone_number } });
  expect((await clinic.staff.post(`${CASES}/${closed}/close`)).body.state).toBe('closed');

  const patient = await signIn(world, clinic, portal, office, { email, patientId });
  const key = { 'idempotency-key': randomUUID() };
  const uploads = [
    await patient.upload('own', { caseId, headers: key }),
    await patient.upload('own', { caseId, headers: key }),
    await patient.upload('a document'),
  ];
  expect(uploads.map(({ status }) => status)).toEqual([200, 200, 200]);
  const [own, , documentId] = uploads.map(({ body }) => body.data.id as string);
  const attached = await clinic.attach(caseId, Buffer.from(randomUUID()));

  await readAsStaff(clinic, { patientId, caseId, attached });
  expect((await patient.list()).body.data.files).toHaveLength(2);
  const { nextCursor } = (await patient.list('?limit=1')).body.data;
  expect((await patient.list(`?limit=1&cursor=${nextCursor}`)).body.data.files).toHaveLength(1);
  expect((await patient.list(`?caseId=${caseId}&type=phi`)).body.data.files).toHaveLength(1);
  expect((await patient.list(`?type=general`)).body.data.files).toHaveLength(1);
  for (const answer of [
    await patient.metadata(attached),
    await patient.rename(own!, 'renamed.txt'),
    await patient.download(own!),
    await patient.remove(documentId!),
  ])
    expect(answer.status).toBe(200);
}

async function readAsStaff(
  { staff }: Clinic,
  { patientId, caseId, attached }: { patientId: string; caseId: string; attached: string },
): Promise<void> {
  const file = `/api/v1/admin/files/${attached}`;
  expect((await staff.call('PATCH', file, { is_phi: true })).status).toBe(200);
  for (const path of [file, `${file}/download`, `${CASES}/${caseId}`])
    expect({ path, status: (await staff.get(path)).status }).toEqual({ path, status: 200 });
  for (const [path, items] of [
    [`${CASES}?state=closed`, 4],
    [`${CASES}?state=open&limit=100`, 100],
    [`${CASES}?patient_id=${patientId}`, 3],
    [`${CASES}?patient_id=${patientId}&state=open`, 2],
    [`${CASES}?patient_id=${patientId}&state=closed`, 1],
    [`${CASES}?patient_id=${newId()}&state=closed`, 0],
    [`${DOCUMENTS}?patient_id=${patientId}`, 1],
    [`${DOCUMENTS}?patient_id=${newId()}`, 0],
    [`${CASES}/${caseId}/attachments`, 2],
  ] as const)
    expect({ path, items: (await staff.get(path)).body.items.length }).toEqual({ path, items });
  for (const list of [`${CASES}?limit=100`, `${CASES}?state=open&limit=100`, `${DOCUMENTS}?limit=100`]) {
    const { next_cursor } = (await staff.get(list)).body;
    expect((await staff.get(`${list}&cursor=${next_cursor}`)).body.items).toHaveLength(100);
  }
}

/** By the code in the mail; a token is used twice on the way, and a session is ended. */
async function signIn(
  world: World,
  { portalKey }: Clinic,
  portal: Portal,
  office: PostOffice,
  { email, patientId }: { email: string; patientId: string },
): Promise<Patient> {
  expect((await portal.sendCode({ email })).status).toBe(200);
  const { text } = await office.newestTo(email);
  const code = /\b\d{6}\b/.exec(text)![0];
  expect((await portal.verify({ email, code: code === '000000' ? '000001' : '000000' })).status).toBe(401);
  const first = await portal.verify({ email, code });
  expect(first.status).toBe(200);
  const next = await portal.refresh(first.body.refreshToken);
  expect(next.status).toBe(200);
  expect((await portal.refresh(first.body.refreshToken)).status).toBe(401);
  expect((await portal.logout((await portal.signIn(email)).refreshToken)).status).toBe(200);
  const { accessToken } = await portal.signIn(email);
  return new Patient(world.baseUrl, accessToken, patientId, portalKey);
}

/**
 * What the reconciler finds: a code that was not sent, a file that nobody will finish, and sign-ins long over. Returns what
 * waits until all that is done.
 */
export async function leaveBehind({ admin }: World, organizationId: string): Promise<() => Promise<void>> {
  const [user, upload, file] = [newId(), newId(), newId()];
  const sql = [
    `INSERT INTO "user" (id, organization_id, kind, email, created_at) VALUES ($2, $1, 'patient', 'left@behind.example', now())`,
    `INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at)
     VALUES ($2, $1, $2, $2, 'email', now() - interval '1 minute', now() + interval '9 minutes')`,
    `INSERT INTO upload (id, organization_id, surface, state, state_changed_at, principal_kind, principal_id, declared_size, url_expires_at,
                         issued_at)
     VALUES ($3, $1, 'files', 'issued', now(), 'user', $2, 1, now() + interval '9 minutes', now() - interval '5 minutes')`,
    `INSERT INTO patient_file (id, organization_id, patient_id, upload_id, name, content_type, size, uploaded_by_kind, uploaded_by_id, created_at)
     VALUES ($4, $1, $2, $3, 'f', 'text/plain', 1, 'user', $2, now() - interval '5 minutes')`,
    `INSERT INTO otp_challenge (id, organization_id, subject_id, channel, created_at, expires_at)
     VALUES ($3, $1, $2, 'email', now() - interval '31 days', now() - interval '31 days')`,
    `INSERT INTO otp_budget (organization_id, subject_id, day, failures) VALUES ($1, $2, now() - interval '32 days', 1)`,
    `INSERT INTO user_session (id, organization_id, user_id, api_key_id, created_at, last_used_at, expires_at)
     SELECT $3, $1, $2, id, now(), now(), now() - interval '31 days' FROM api_key WHERE organization_id = $1 LIMIT 1`,
    `INSERT INTO refresh_token (id, organization_id, session_id, token_hash, created_at, expires_at)
     VALUES ($4, $1, $3, sha256('left'), now(), now() - interval '31 days')`,
  ];
  const bound = (statement: string): string =>
    statement.replaceAll(
      /\$(\d)/g,
      (_, at) => `'${[organizationId, user, upload, file][Number(at) - 1]!}'::uuid`,
    );
  for (const statement of sql) await admin.query(bound(statement));
  const done = bound(
    `SELECT (SELECT sent_at IS NOT NULL FROM otp_challenge WHERE id = $2) AS sent,
            (SELECT deleted_at IS NOT NULL FROM patient_file WHERE id = $4) AS given_up,
            NOT EXISTS (SELECT 1 FROM otp_challenge WHERE id = $3) AND NOT EXISTS (SELECT 1 FROM user_session WHERE id = $3)
            AND NOT EXISTS (SELECT 1 FROM refresh_token WHERE id = $4)
            AND NOT EXISTS (SELECT 1 FROM otp_budget WHERE organization_id = $1 AND subject_id = $2) AS swept`,
  );
  return async () => {
    await eventually(
      async () => (await admin.query<Record<string, boolean>>(done)).rows[0]!,
      (found) => Object.values(found).every(Boolean),
    );
  };
}
