import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newUid } from '../../src/demo/phantom.js';
import { diffusion } from '../../src/formats/nifti/nifti.fixture.js';
import { writeZip } from '../../src/formats/zip/zip.fixture.js';
import { type Client, eventually, put, tokenFor } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { type CreatedExam, examBody } from '../support/exam.js';
import { Hospital } from '../support/hospital.js';
import type { Tenant, World } from '../support/world.js';

/** A tenant that owns at least one row in every tenant table. */
export interface Inhabited extends Tenant, Examined, Ordered {
  accessToken: string;
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
  const [examined, ordered] = await Promise.all([examine(hospital), order(hospital, tenant.organizationId)]);
  // The winner's copy is forgotten once it has won; here one stays, so that its table is not empty.
  await world.admin.query(
    `INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at) VALUES ($1, $2, 99, 'k', now())`,
    [tenant.organizationId, examined.uploadId],
  );
  return { ...tenant, ...examined, ...ordered, accessToken };
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

/** A digest of all rows of one tenant in each table: any change of any column shows. */
export async function digestRows(admin: Pool, organizationId: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const table of await tenantTables(admin)) {
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
