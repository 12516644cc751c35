import type { DicomHeader } from '../../formats/dicom/inspector.js';
import { unavailable } from '../../platform/errors/application-error.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';
import { text } from './study.rows.js';

/** The present version of an instance. */
export interface PresentInstance {
  id: string;
  sopInstanceUid: string;
  storedObjectId: string;
  studyInstanceUid: string;
  seriesInstanceUid: string;
  sopClassUid: string;
  patientId: string | null;
  issuerOfPatientId: string | null;
  /** The upload of these bytes that landed last, and when. */
  uploadId: string | null;
  landedAt: Date | null;
  generation: number;
}

/** Principals whose living uploads are these bytes, by stored object. */
export type Uploaders = ReadonlyMap<string, ReadonlySet<string>>;

/** A version to be written. */
export interface NewVersion {
  header: DicomHeader;
  seriesId: string;
  storedObjectId: string;
  uploadId: string;
  landedAt: Date;
  generation: number;
  /** Set for one that lost to what landed after it before it was ever present. */
  supersededIn: number | null;
  /** Attributes that differ from the study's, with their value here. */
  disagreements: Record<string, string | null> | null;
}

const INT4_MAX = 2_147_483_647;
const int = (value: number | undefined): number | null =>
  value !== undefined && Number.isInteger(value) && Math.abs(value) <= INT4_MAX ? value : null;

/** The instances that exist under these SOPInstanceUIDs, by UID. */
export async function findPresent(
  tx: SqlTransaction,
  organizationId: string,
  sopInstanceUids: string[],
): Promise<Map<string, PresentInstance>> {
  const rows = await tx.$queryRaw<PresentInstance[]>`
    SELECT i.id, i.sop_instance_uid AS "sopInstanceUid", i.stored_object_id AS "storedObjectId",
           st.study_instance_uid AS "studyInstanceUid", se.series_instance_uid AS "seriesInstanceUid",
           i.sop_class_uid AS "sopClassUid", i.patient_id AS "patientId", i.issuer_of_patient_id AS "issuerOfPatientId",
           i.upload_id AS "uploadId", i.landed_at AS "landedAt", i.generation
    FROM instance i
    JOIN series se ON se.organization_id = i.organization_id AND se.id = i.series_id
    JOIN study st ON st.organization_id = se.organization_id AND st.id = se.study_id
    WHERE i.organization_id = ${organizationId}::uuid AND i.sop_instance_uid = ANY (${sopInstanceUids}::text[])
      AND i.superseded_in IS NULL`;
  return new Map(rows.map((row) => [row.sopInstanceUid, row]));
}

export async function findUploaders(
  tx: SqlTransaction,
  organizationId: string,
  storedObjectIds: string[],
): Promise<Uploaders> {
  if (storedObjectIds.length === 0) return new Map();
  const rows = await tx.$queryRaw<{ storedObjectId: string; principalIds: string[] }[]>`
    SELECT stored_object_id AS "storedObjectId", array_agg(DISTINCT principal_id::text) AS "principalIds" FROM upload
    WHERE organization_id = ${organizationId}::uuid AND stored_object_id = ANY (${storedObjectIds}::uuid[])
      AND state = 'registered' AND NOT duplicate
    GROUP BY 1`;
  return new Map(rows.map(({ storedObjectId, principalIds }) => [storedObjectId, new Set(principalIds)]));
}

/** Ends versions; their objects stay as long as their uploads do. */
export async function supersede(
  tx: SqlTransaction,
  organizationId: string,
  versions: { id: string; generation: number }[],
  now: Date,
): Promise<void> {
  if (versions.length === 0) return;
  await tx.$executeRaw`
    UPDATE instance i SET superseded_in = v.generation, updated_at = ${now}::timestamptz
    FROM unnest(${versions.map(({ id }) => id)}::uuid[], ${versions.map(({ generation }) => generation)}::int[]) AS v(id, generation)
    WHERE i.organization_id = ${organizationId}::uuid AND i.id = v.id AND i.superseded_in IS NULL`;
}

/** Notes that the bytes of versions landed once more. */
export async function renew(
  tx: SqlTransaction,
  organizationId: string,
  versions: { id: string; uploadId: string; landedAt: Date }[],
): Promise<void> {
  if (versions.length === 0) return;
  await tx.$executeRaw`
    UPDATE instance i SET upload_id = v.upload_id, landed_at = v.landed_at
    FROM unnest(${versions.map(({ id }) => id)}::uuid[], ${versions.map(({ uploadId }) => uploadId)}::uuid[],
                ${versions.map(({ landedAt }) => landedAt)}::timestamptz[]) AS v(id, upload_id, landed_at)
    WHERE i.organization_id = ${organizationId}::uuid AND i.id = v.id`;
}

/**
 * Writes versions. Two studies are not locked against each other, so the last word on whose a SOPInstanceUID is, is the
 * unique index's own. @throws unavailable when another study took one just now: the next try finds it there.
 */
export async function insertVersions(
  tx: SqlTransaction,
  organizationId: string,
  versions: NewVersion[],
  now: Date,
): Promise<void> {
  if (versions.length === 0) return;
  const headers = versions.map(({ header }) => header);
  const written = await tx.$executeRaw`
    INSERT INTO instance (id, organization_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, stored_object_id,
                          patient_id, issuer_of_patient_id, instance_number, number_of_frames, rows, columns, disagreements,
                          upload_id, landed_at, generation, superseded_in, created_at, updated_at)
    SELECT i.id, ${organizationId}::uuid, i.series_id, i.uid, i.sop_class, i.transfer_syntax, i.object_id, i.patient_id, i.issuer,
           i.number, i.frames, i.rows, i.columns, i.disagreements, i.upload_id, i.landed_at, i.generation, i.superseded_in,
           ${now}::timestamptz, ${now}::timestamptz
    FROM unnest(${versions.map(() => newId())}::uuid[], ${versions.map(({ seriesId }) => seriesId)}::uuid[],
                ${headers.map(({ sopInstanceUid }) => sopInstanceUid)}::text[], ${headers.map(({ sopClassUid }) => sopClassUid)}::text[],
                ${headers.map(({ transferSyntaxUid }) => transferSyntaxUid)}::text[],
                ${versions.map(({ storedObjectId }) => storedObjectId)}::uuid[],
                ${headers.map(({ patientId }) => text(patientId))}::text[],
                ${headers.map(({ issuerOfPatientId }) => text(issuerOfPatientId))}::text[],
                ${headers.map(({ instanceNumber }) => int(instanceNumber))}::int[],
                ${headers.map(({ numberOfFrames }) => int(numberOfFrames))}::int[],
                ${headers.map(({ rows: height }) => int(height))}::int[], ${headers.map(({ columns }) => int(columns))}::int[],
                ${versions.map(({ disagreements }) => disagreements && JSON.stringify(disagreements))}::jsonb[],
                ${versions.map(({ uploadId }) => uploadId)}::uuid[], ${versions.map(({ landedAt }) => landedAt)}::timestamptz[],
                ${versions.map(({ generation }) => generation)}::int[],
                ${versions.map(({ supersededIn }) => supersededIn)}::int[])
         AS i(id, series_id, uid, sop_class, transfer_syntax, object_id, patient_id, issuer, number, frames, rows, columns,
              disagreements, upload_id, landed_at, generation, superseded_in)
    ON CONFLICT (organization_id, sop_instance_uid) WHERE superseded_in IS NULL DO NOTHING`;
  if (written !== versions.length)
    throw unavailable(new Error('another study took a SOPInstanceUID just now'));
}
