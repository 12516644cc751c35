import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { Client, eventually, put, tokenFor } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import { type CreatedExam, examBody } from '../support/exam.js';
import type { Tenant, World } from '../support/world.js';

/** A tenant that owns at least one row in every tenant table. */
export interface Inhabited extends Tenant {
  accessToken: string;
  /** Ready, shared, registered. */
  examId: string;
  /** Its upload. */
  uploadId: string;
  shareToken: string;
  /** Still uploading. */
  openExamId: string;
}

/** @param world whose worker runs. */
export async function inhabit(world: World): Promise<Inhabited> {
  const tenant = await world.newTenant();
  const accessToken = await tokenFor(world.baseUrl, tenant);
  const client = new Client(world.baseUrl, accessToken);
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
  const uploadId = files[0]!.upload_id;
  // The winner's copy is forgotten once it has won; here one stays, so that its table is not empty.
  await world.admin.query(
    `INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at) VALUES ($1, $2, 99, 'k', now())`,
    [tenant.organizationId, uploadId],
  );
  return {
    ...tenant,
    accessToken,
    examId,
    uploadId,
    shareToken: share_url.split('/').at(-1)!,
    openExamId: open.body.exam_id,
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
