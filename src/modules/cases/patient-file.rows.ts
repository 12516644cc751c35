import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

export interface NewPatientFile {
  id: string;
  patientId: string;
  caseId: string | undefined;
  uploadId: string;
  name: string;
  contentType: string;
  size: number;
}

/** An upload by a patient on its way, and what became of its bytes. */
export interface UploadingFile {
  id: string;
  uploadId: string;
  name: string;
  isPhi: boolean;
  isRestricted: boolean;
  caseId: string | null;
  createdAt: Date;
  visibleAt: Date | null;
  deletedAt: Date | null;
  uploadState: string;
  rule: string | null;
}

/** The row comes before its bytes, and nobody sees it. */
export async function insertFile(
  tx: SqlTransaction,
  organizationId: string,
  { id, patientId, caseId, uploadId, name, contentType, size }: NewPatientFile,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO patient_file (id, organization_id, patient_id, case_id, upload_id, name, content_type, size,
                              uploaded_by_kind, uploaded_by_id, created_at)
    VALUES (${id}::uuid, ${organizationId}::uuid, ${patientId}::uuid, ${caseId ?? null}::uuid, ${uploadId}::uuid, ${name},
            ${contentType}, ${size}::bigint, 'user', ${patientId}::uuid, ${now}::timestamptz)`;
}

/** A file that is known to be there, visible or not, whoever may see it. */
export async function fileWithUpload(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
): Promise<UploadingFile> {
  const [row] = await tx.$queryRaw<UploadingFile[]>`
    SELECT f.id, f.upload_id AS "uploadId", f.name, f.is_phi AS "isPhi", f.is_restricted AS "isRestricted",
           f.case_id AS "caseId", f.created_at AS "createdAt", f.visible_at AS "visibleAt", f.deleted_at AS "deletedAt",
           u.state::text AS "uploadState", u.rejection_rule AS rule
    FROM patient_file f JOIN upload u ON u.organization_id = f.organization_id AND u.id = f.upload_id
    WHERE f.organization_id = ${organizationId}::uuid AND f.id = ${id}::uuid`;
  return row!;
}

/** Shown from here on, if its bytes are verified and nobody gave it up meanwhile. Returns whether it was. */
export async function makeVisible(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
  now: Date,
): Promise<boolean> {
  const shown = await tx.$executeRaw`
    UPDATE patient_file f SET visible_at = ${now}::timestamptz
    FROM upload u
    WHERE f.organization_id = ${organizationId}::uuid AND f.id = ${id}::uuid AND f.visible_at IS NULL AND f.deleted_at IS NULL
      AND u.organization_id = f.organization_id AND u.id = f.upload_id AND u.state = 'registered'`;
  return shown > 0;
}

/** Gives up a file that is not visible. Returns its upload and patient, if there was anything to give up. */
export async function giveUp(
  tx: SqlTransaction,
  organizationId: string,
  id: string,
  now: Date,
): Promise<{ uploadId: string; patientId: string } | undefined> {
  const [row] = await tx.$queryRaw<{ uploadId: string; patientId: string }[]>`
    UPDATE patient_file SET deleted_at = ${now}::timestamptz, deleted_reason = 'upload failed'
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid AND visible_at IS NULL AND deleted_at IS NULL
    RETURNING upload_id AS "uploadId", patient_id AS "patientId"`;
  return row;
}
