import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newUid } from '../../src/demo/phantom.js';
import { png } from '../../src/formats/document/document.fixture.js';
import { diffusion } from '../../src/formats/nifti/nifti.fixture.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { newId } from '../../src/platform/database/id.js';
import { type Client, eventually, put, tokenFor } from '../support/client.js';
import { Clinic, Patient } from '../support/clinic.js';
import { ctInstance } from '../support/dicom-files.js';
import { type CreatedExam, examBody } from '../support/exam.js';
import { Hospital } from '../support/hospital.js';
import { declarationOf, Inspector } from '../support/inspector.js';
import { Portal } from '../support/portal.js';
import type { Tenant, World } from '../support/world.js';

/** A tenant that owns at least one row in every tenant table. */
export interface Inhabited extends Tenant, Examined, Ordered, Inspected, Attended, Administered {
  accessToken: string;
  /** An event of its ledger, and the request that caused it. */
  eventId: string;
  requestId: string;
  /** Of the ledger. */
  auditExportId: string;
}

interface Attended {
  portalKey: string;
  /** Signed in; has what follows, and a file that was deleted. */
  patient: SignedIn;
  caseId: string;
  closedCaseId: string;
  /** On the case, by the patient, by staff, and by staff for nobody else. */
  attachmentId: string;
  staffAttachmentId: string;
  restrictedId: string;
  /** On no case. */
  documentId: string;
  deletedId: string;
  /** Another patient of the same organization, with a case. */
  neighbour: SignedIn;
}

/** A patient, and the tokens of the session. */
export interface SignedIn {
  id: string;
  email: string;
  accessToken: string;
  refreshToken: string;
  calls: Patient;
}

/** Ids of rows that say who may do what. */
export interface Administered {
  /** Of staff, signed in, in the inner of two groups, with an identity at the provider. */
  staffId: string;
  sessionId: string;
  identityId: string;
  providerId: string;
  /** The outer group holds the inner one. */
  groupId: string;
  innerGroupId: string;
  userMemberId: string;
  groupMemberId: string;
  /** A role of the organization's own, and its binding to the outer group. */
  roleId: string;
  bindingId: string;
  /** The rows of the tenant's client, of its secret, and of its API key. */
  clientRowId: string;
  secretId: string;
  apiKeyId: string;
  /** A legal hold on its ledger. */
  holdId: string;
}

interface Inspected {
  /** Complete. */
  fileId: string;
  /** Declared, and nothing was PUT. */
  openFileId: string;
}

interface Examined {
  /** Ready, shared, registered. */
  examId: string;
  /** Its upload. */
  uploadId: string;
  shareToken: string;
  /** Still uploading. */
  openExamId: string;
}

interface Ordered {
  /** Closed, with metadata of its own and an archive that brought a sidecar. */
  orderId: string;
  archiveId: string;
  /** Its study, whose UIDs, patient and accession number nobody else has. */
  studyUid: string;
  patientId: string;
  accessionNumber: string;
  /** Delivered for it. */
  resultId: string;
  /** Takes uploads, and has one of which nothing was PUT. */
  openOrderId: string;
  issued: { uploadId: string; url: string };
  /** The uploads of the instance under {@link SHARED}, and of {@link SAME_BYTES}. */
  sharedId: string;
  sameBytesId: string;
}

/** UIDs that every tenant has an instance under, each with other bytes. */
export const SHARED = {
  StudyInstanceUID: '2.25.1001',
  SeriesInstanceUID: '2.25.1002',
  SOPInstanceUID: '2.25.1003',
};

/** An instance that every tenant has, to the last byte. */
const SAME_BYTES = ctInstance({
  StudyInstanceUID: '2.25.2001',
  SeriesInstanceUID: '2.25.2002',
  SOPInstanceUID: '2.25.2003',
});

/** @param world whose worker runs. */
export async function inhabit(world: World): Promise<Inhabited> {
  const tenant = await world.newTenant();
  const accessToken = await tokenFor(world.baseUrl, tenant);
  const hospital = new Hospital(world.baseUrl, accessToken);
  const [examined, ordered, inspected, attended] = await Promise.all([
    examine(hospital),
    order(hospital, tenant.organizationId),
    inspect(new Inspector(world.baseUrl, accessToken)),
    attend(world, tenant),
  ]);
  const administered = await administer(world, tenant.organizationId, attended.caseId);
  const auditExportId = await audit(world, tenant.organizationId);
  // The winner's copy is forgotten once it has won; here one stays, so that its table is not empty.
  await world.admin.query(
    `INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at) VALUES ($1, $2, 99, 'k', now())`,
    [tenant.organizationId, examined.uploadId],
  );
  const caused = await world.admin.query<{ eventId: string; requestId: string }>(
    `SELECT id AS "eventId", request_id AS "requestId" FROM audit_event
     WHERE organization_id = $1 AND action = 'cases:create' ORDER BY id LIMIT 1`,
    [tenant.organizationId],
  );
  return {
    ...tenant,
    ...examined,
    ...ordered,
    ...inspected,
    ...attended,
    ...administered,
    ...caused.rows[0]!,
    auditExportId,
    accessToken,
  };
}

/** As if it had been exported before. */
async function audit(world: World, organizationId: string): Promise<string> {
  const { rows } = await world.admin.query<{ id: string }>(
    `INSERT INTO audit_export (organization_id, id, format, filters, state, requested_by_kind, requested_by_id, created_at, progressed_at,
                               finished_at, written, manifest_sha256)
     VALUES ($1, gen_random_uuid(), 'ndjson', '{}', 'done', 'client', gen_random_uuid(), now(), now(), now(), true, sha256('manifest'))
     RETURNING id`,
    [organizationId],
  );
  await world.admin.query(
    `INSERT INTO audit_export_part (organization_id, export_id, number, etag, bytes, rows, sha256, next_position, held)
     VALUES ($1, $2, 1, 'etag', 1, 1, sha256('part'), 2, '{1,2}')`,
    [organizationId, rows[0]!.id],
  );
  return rows[0]!.id;
}

async function inspect(inspector: Inspector): Promise<Inspected> {
  return {
    fileId: await inspector.deliver(png()),
    openFileId: (await inspector.presigned(declarationOf(Buffer.from('open')))).id,
  };
}

async function attend(world: World, tenant: Tenant): Promise<Attended> {
  const clinic = await Clinic.open(world, tenant);
  const portal = new Portal(world, tenant.organizationId, clinic.portalKey);
  const signIn = async (id: string, email: string): Promise<SignedIn> => {
    const { accessToken, refreshToken } = await portal.signIn(email);
    const calls = new Patient(world.baseUrl, accessToken, id, clinic.portalKey);
    return { id, email, accessToken, refreshToken, calls };
  };
  const [own, other] = [`${randomUUID()}@patients.example`, `${randomUUID()}@patients.example`];
  const { caseId, patientId } = await clinic.openCase({ patient: { email: own }, title: 'of the patient' });
  const neighbour = await clinic.openCase({ patient: { email: other } });
  const patient = await signIn(patientId, own);
  const closed = await clinic.openCase({ patient: undefined, patient_id: patientId });
  await clinic.staff.post(`/api/v1/admin/cases/${closed.caseId}/close`);
  const [attachmentId, documentId, deletedId, staffAttachmentId, restrictedId] = await Promise.all([
    patient.calls.deliver('attached', { caseId }),
    patient.calls.deliver('a document'),
    patient.calls.deliver('deleted', { caseId }),
    clinic.attach(caseId, Buffer.from('of staff')),
    clinic.attach(caseId, Buffer.from('restricted'), { is_restricted: true }),
  ]);
  await patient.calls.remove(deletedId);
  return {
    portalKey: clinic.portalKey,
    patient,
    caseId,
    closedCaseId: closed.caseId,
    attachmentId,
    staffAttachmentId,
    restrictedId,
    documentId,
    deletedId,
    neighbour: await signIn(neighbour.patientId, other),
  };
}

async function administer({ admin }: World, organizationId: string, caseId: string): Promise<Administered> {
  const [staffId, sessionId, identityId, providerId, groupId, innerGroupId] = Array.from(
    { length: 6 },
    newId,
  );
  const [userMemberId, groupMemberId, roleId, bindingId, holdId] = Array.from({ length: 5 }, newId);
  const insert = (sql: string, ...values: unknown[]) => admin.query(sql, [organizationId, ...values]);
  await insert(
    `INSERT INTO "user" (organization_id, id, kind, email, first_name, created_at)
     VALUES ($1, $2, 'staff', $3, 'Staff', now())`,
    staffId,
    `${staffId}@staff.example`,
  );
  await insert(
    `INSERT INTO identity_provider (organization_id, id, name, issuer, client_id, redirect_uris, created_at)
     VALUES ($1, $2, 'SSO', 'https://sso.example', 'scandock', '{https://app.example/callback}', now())`,
    providerId,
  );
  await insert(
    `INSERT INTO user_identity (organization_id, id, user_id, issuer, subject, created_at)
     VALUES ($1, $2, $3, 'https://sso.example', 'subject', now())`,
    identityId,
    staffId,
  );
  await insert(
    `INSERT INTO user_session (organization_id, id, user_id, provider_id, created_at, last_used_at, expires_at)
     VALUES ($1, $2, $3, $4, now(), now(), now() + interval '1 day')`,
    sessionId,
    staffId,
    providerId,
  );
  for (const id of [groupId, innerGroupId])
    await insert(
      `INSERT INTO "group" (organization_id, id, name, created_at) VALUES ($1, $2, $3, now())`,
      id,
      `Group ${id}`,
    );
  await insert(
    `INSERT INTO group_member (organization_id, id, group_id, user_id, created_at) VALUES ($1, $2, $3, $4, now())`,
    userMemberId,
    innerGroupId,
    staffId,
  );
  await insert(
    `INSERT INTO group_member (organization_id, id, group_id, member_group_id, created_at) VALUES ($1, $2, $3, $4, now())`,
    groupMemberId,
    groupId,
    innerGroupId,
  );
  await insert(
    `INSERT INTO role (organization_id, id, name, built_in, rules, created_at)
     VALUES ($1, $2, 'Reader of exams', false, '[{"operations": ["exams:read"], "subject": "Exam"}]', now())`,
    roleId,
  );
  await insert(
    `INSERT INTO role_binding (organization_id, id, role_id, group_id, created_at) VALUES ($1, $2, $3, $4, now())`,
    bindingId,
    roleId,
    groupId,
  );
  await insert(
    `INSERT INTO role_binding (organization_id, id, role_id, user_id, created_at) VALUES ($1, gen_random_uuid(), $2, $3, now())`,
    roleId,
    staffId,
  );
  await insert(
    `INSERT INTO role_binding (organization_id, id, role_id, user_id, resource_type, resource_id, created_at)
     VALUES ($1, gen_random_uuid(), $2, $3, 'PatientCase', $4, now())`,
    roleId,
    staffId,
    caseId,
  );
  await insert(
    `INSERT INTO revoked_token (organization_id, jti, revoked_at, expires_at) VALUES ($1, gen_random_uuid(), now(), now() + interval '1 hour')`,
  );
  await insert(
    `INSERT INTO spent_token (organization_id, hash, expires_at) VALUES ($1, sha256('spent'), now() + interval '1 hour')`,
  );
  // As if it had been exported before: nothing goes on with it by itself.
  await insert(
    `INSERT INTO organization_deletion (organization_id, id, state, requested_by_kind, requested_by_id, requested_at, progressed_at,
                                        export_key, manifest_key, export_sha256, exported_at)
     VALUES ($1, gen_random_uuid(), 'exported', 'client', gen_random_uuid(), now(), now(), 'k', 'm', sha256('export'), now())`,
  );
  await insert(
    `INSERT INTO audit_hold (organization_id, id, reference, created_at, created_by_kind, created_by_id)
     VALUES ($1, $2, 'M-1', now(), 'client', gen_random_uuid())`,
    holdId,
  );
  await insert(
    `INSERT INTO audit_retired (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events, first_position,
                                last_position, retired_at)
     VALUES ($1, '2001-01-01', gen_random_uuid(), 'k', 'm', sha256('manifest'), 1, 1, 1, now())`,
  );
  await insert(
    'INSERT INTO audit_forwarding (organization_id, position, forwarded_at) VALUES ($1, 0, now()) ON CONFLICT DO NOTHING',
  );
  const { rows } = await insert(
    `SELECT c.id AS "clientRowId", s.id AS "secretId", k.id AS "apiKeyId" FROM oauth_client c
     JOIN client_key s ON s.oauth_client_id = c.id
     JOIN api_key k ON k.organization_id = c.organization_id AND k.purpose = 'secret'
     WHERE c.organization_id = $1`,
  );
  const credentials = rows[0] as Pick<Administered, 'clientRowId' | 'secretId' | 'apiKeyId'>;
  return {
    ...{ staffId, sessionId, identityId, providerId, groupId, innerGroupId, userMemberId, groupMemberId },
    ...{ roleId, bindingId, holdId, ...credentials },
  } as Administered;
}

async function examine(client: Client): Promise<Examined> {
  const bytes = ctInstance();
  const created = await client.post<CreatedExam>('/api/v1/exams', examBody({ 'a.dcm': bytes }), {
    'idempotency-key': randomUUID(),
  });
  const { exam_id: examId, upload_urls } = created.body;
  await put(upload_urls[0]!.url, bytes);
  const { share_url } = (await client.post<{ share_url: string }>(`/api/v1/exams/${examId}/confirm`)).body;
  const { files } = await eventually(
    async () =>
      (
        await client.get<{ ingestion_status: string; files: { upload_id: string }[] }>(
          `/api/v1/exams/${examId}`,
        )
      ).body,
    ({ ingestion_status }) => ingestion_status === 'registered',
  );
  const open = await client.post<CreatedExam>('/api/v1/exams', examBody({ 'b.dcm': 9 }));
  return {
    examId,
    uploadId: files[0]!.upload_id,
    shareToken: share_url.split('/').at(-1)!,
    openExamId: open.body.exam_id,
  };
}

async function order(hospital: Hospital, own: string): Promise<Ordered> {
  const accessionNumber = own.slice(-12);
  const facts = { StudyInstanceUID: newUid(), PatientID: own, AccessionNumber: accessionNumber };
  const orderId = await hospital.newOrder({ StudyDescription: 'of the order' });
  const archive = await hospital.deliver(
    writeZip([
      { name: 'a.dcm', data: ctInstance(facts) },
      { name: 'metadata.json', data: '{"PatientName":"Of^Sidecar"}' },
    ]),
    `?order_id=${orderId}`,
  );
  await hospital.deliver(
    writeZip([
      { name: 'dwi.nii', data: diffusion.nii },
      { name: 'dwi.bval', data: diffusion.bval },
      { name: 'dwi.bvec', data: diffusion.bvec },
    ]),
  );
  const shared = await hospital.deliver(ctInstance({ ...SHARED, PatientID: own, PatientName: own }));
  const sameBytes = await hospital.deliver(SAME_BYTES);
  const result = await hospital.post(`/results?order_id=${orderId}`, { finding: 'none' });
  await hospital.post(`/orders/${orderId}/close`);
  await eventually(
    () => hospital.status(orderId),
    ({ state }) => state === 'closed',
  );
  const openOrderId = await hospital.newOrder();
  return {
    orderId,
    archiveId: archive.id,
    studyUid: facts.StudyInstanceUID,
    patientId: own,
    accessionNumber,
    resultId: result.body.result_id,
    openOrderId,
    issued: await hospital.issue(`?order_id=${openOrderId}`),
    sharedId: shared.id,
    sameBytesId: sameBytes.id,
  };
}

/** Every table with an `organization_id`, from the catalog; partitions are their parent's business. */
export async function tenantTables(admin: Pool): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** Each event is queued and sealed in its time: what is in these says no more than the events do. */
const FOLLOW_EVENTS = ['audit_forwarding', 'audit_unsealed', 'audit_tree', 'audit_forms'];

/** A digest of all rows of one tenant in each table: any change of any column shows. */
export async function digestRows(admin: Pool, organizationId: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const table of await tenantTables(admin)) {
    if (FOLLOW_EVENTS.includes(table)) continue;
    const { rows } = await admin.query<{ rows: string; digest: string }>(
      `SELECT count(*) AS rows, md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS digest
       FROM "${table}" t WHERE organization_id = $1`,
      [organizationId],
    );
    digests[table] = `${rows[0]!.rows} ${rows[0]!.digest}`;
  }
  const { rows } = await admin.query<{ row: string }>(
    'SELECT t::text AS row FROM organization t WHERE id = $1',
    [organizationId],
  );
  digests.organization = rows[0]!.row;
  return digests;
}
