import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { newId } from '../../platform/database/id.js';

/** Set-based reads and writes of study, series and instance rows: one statement each, whatever the batch. */

interface StudyFacts {
  id: string;
  patientId: string | null;
  patientName: string | null;
  studyDate: string | null;
}

export interface InstanceRow {
  header: DicomHeader;
  seriesId: string;
  storedObjectId: string;
  studyInstanceUid: string;
  seriesInstanceUid: string;
  sopClassUid: string;
  patientId: string | null;
  issuerOfPatientId: string | null;
  inconsistent: boolean;
  /** Principals whose living uploads are the present bytes. */
  uploaderIds: string[];
}

const INT4_MAX = 2_147_483_647;

/** Postgres keeps no NUL in text; an attribute that holds one is kept without it. */
export const text = (value: string | undefined): string | null => value?.replaceAll('\u0000', '') ?? null;
const int = (value: number | undefined): number | null =>
  value !== undefined && Number.isInteger(value) && Math.abs(value) <= INT4_MAX ? value : null;

const firstBy = (headers: DicomHeader[], key: (header: DicomHeader) => string): DicomHeader[] => [
  ...new Map([...headers].reverse().map((header) => [key(header), header])).values(),
];

/** One lock a study, in the order of the UIDs, so that parallel uploads of one study neither collide nor deadlock. */
export async function lockStudies(
  tx: SqlTransaction,
  organizationId: string,
  studyInstanceUids: string[],
): Promise<void> {
  const uids = [...new Set(studyInstanceUids)].sort();
  if (uids.length === 0) return;
  await tx.$queryRaw`
    SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'study', ${organizationId}::text, u.uid), 0))::text
    FROM unnest(${uids}::text[]) WITH ORDINALITY AS u(uid, position) ORDER BY u.position`;
}

/** The instances that exist under these SOPInstanceUIDs. */
export async function findInstances(
  tx: SqlTransaction,
  organizationId: string,
  sopInstanceUids: string[],
): Promise<Map<string, Omit<InstanceRow, 'header'>>> {
  const rows = await tx.$queryRaw<(Omit<InstanceRow, 'header'> & { sopInstanceUid: string })[]>`
    SELECT i.sop_instance_uid AS "sopInstanceUid", i.series_id AS "seriesId", i.stored_object_id AS "storedObjectId",
           st.study_instance_uid AS "studyInstanceUid", se.series_instance_uid AS "seriesInstanceUid",
           i.sop_class_uid AS "sopClassUid", i.patient_id AS "patientId", i.issuer_of_patient_id AS "issuerOfPatientId",
           i.inconsistent,
           ARRAY(SELECT DISTINCT u.principal_id::text FROM upload u
                 WHERE u.organization_id = i.organization_id AND u.stored_object_id = i.stored_object_id
                   AND u.state = 'registered') AS "uploaderIds"
    FROM instance i
    JOIN series se ON se.organization_id = i.organization_id AND se.id = i.series_id
    JOIN study st ON st.organization_id = se.organization_id AND st.id = se.study_id
    WHERE i.organization_id = ${organizationId}::uuid AND i.sop_instance_uid = ANY (${sopInstanceUids}::text[])`;
  return new Map(rows.map((row) => [row.sopInstanceUid, row]));
}

/** The studies by UID, made where they are new. The first instance's attributes stand for the study. */
export async function upsertStudies(
  tx: SqlTransaction,
  organizationId: string,
  headers: DicomHeader[],
  now: Date,
): Promise<Map<string, StudyFacts>> {
  const studies = firstBy(headers, ({ studyInstanceUid }) => studyInstanceUid);
  const column = (key: keyof DicomHeader) => studies.map((header) => text(header[key] as string | undefined));
  await tx.$executeRaw`
    INSERT INTO study (id, organization_id, study_instance_uid, patient_id, issuer_of_patient_id, patient_name,
                       patient_birth_date, patient_sex, accession_number, study_date, study_time, study_description,
                       referring_physician_name, created_at, updated_at)
    SELECT s.id, ${organizationId}::uuid, s.uid, s.patient_id, s.issuer, s.patient_name, s.birth_date, s.sex, s.accession,
           s.study_date, s.study_time, s.description, s.referring, ${now}::timestamptz, ${now}::timestamptz
    FROM unnest(${studies.map(() => newId())}::uuid[], ${column('studyInstanceUid')}::text[], ${column('patientId')}::text[],
                ${column('issuerOfPatientId')}::text[], ${column('patientName')}::text[], ${column('patientBirthDate')}::text[],
                ${column('patientSex')}::text[], ${column('accessionNumber')}::text[], ${column('studyDate')}::text[],
                ${column('studyTime')}::text[], ${column('studyDescription')}::text[], ${column('referringPhysicianName')}::text[])
         AS s(id, uid, patient_id, issuer, patient_name, birth_date, sex, accession, study_date, study_time, description, referring)
    ON CONFLICT (organization_id, study_instance_uid) DO UPDATE SET updated_at = excluded.updated_at`;
  const rows = await tx.$queryRaw<(StudyFacts & { uid: string })[]>`
    SELECT study_instance_uid AS uid, id, patient_id AS "patientId", patient_name AS "patientName", study_date AS "studyDate"
    FROM study WHERE organization_id = ${organizationId}::uuid
      AND study_instance_uid = ANY (${studies.map(({ studyInstanceUid }) => studyInstanceUid)}::text[])`;
  return new Map(rows.map((row) => [row.uid, row]));
}

/** Ids of the series by `<study id> <series UID>`, made where they are new. */
export async function upsertSeries(
  tx: SqlTransaction,
  organizationId: string,
  headers: DicomHeader[],
  studies: Map<string, StudyFacts>,
): Promise<Map<string, string>> {
  const studyId = (header: DicomHeader): string => studies.get(header.studyInstanceUid)!.id;
  const series = firstBy(headers, (header) => `${studyId(header)} ${header.seriesInstanceUid}`);
  await tx.$executeRaw`
    INSERT INTO series (id, organization_id, study_id, series_instance_uid, modality, series_number, series_description,
                        body_part_examined)
    SELECT s.id, ${organizationId}::uuid, s.study_id, s.uid, s.modality, s.number, s.description, s.body_part
    FROM unnest(${series.map(() => newId())}::uuid[], ${series.map(studyId)}::uuid[],
                ${series.map(({ seriesInstanceUid }) => seriesInstanceUid)}::text[], ${series.map(({ modality }) => text(modality))}::text[],
                ${series.map(({ seriesNumber }) => int(seriesNumber))}::int[],
                ${series.map(({ seriesDescription }) => text(seriesDescription))}::text[],
                ${series.map(({ bodyPartExamined }) => text(bodyPartExamined))}::text[])
         AS s(id, study_id, uid, modality, number, description, body_part)
    ON CONFLICT (organization_id, study_id, series_instance_uid) DO NOTHING`;
  const rows = await tx.$queryRaw<{ id: string; key: string }[]>`
    SELECT id, concat(study_id, ' ', series_instance_uid) AS key FROM series
    WHERE organization_id = ${organizationId}::uuid AND study_id = ANY (${[...new Set(series.map(studyId))]}::uuid[])
      AND series_instance_uid = ANY (${series.map(({ seriesInstanceUid }) => seriesInstanceUid)}::text[])`;
  return new Map(rows.map(({ id, key }) => [key, id]));
}

/**
 * Inserts the instances; one that exists gets its new bytes (the old object stays, its upload still refers to it), unless
 * it is another's: two studies are not locked against each other, so the last word on identity is the statement's own.
 * Returns the SOPInstanceUIDs that were written.
 */
export async function writeInstances(
  tx: SqlTransaction,
  organizationId: string,
  rows: InstanceRow[],
  now: Date,
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const headers = rows.map(({ header }) => header);
  const written = await tx.$queryRaw<{ uid: string }[]>`
    INSERT INTO instance (id, organization_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, stored_object_id,
                          patient_id, issuer_of_patient_id, instance_number, number_of_frames, rows, columns, inconsistent,
                          created_at, updated_at)
    SELECT i.id, ${organizationId}::uuid, i.series_id, i.uid, i.sop_class, i.transfer_syntax, i.object_id, i.patient_id, i.issuer,
           i.number, i.frames, i.rows, i.columns, i.inconsistent, ${now}::timestamptz, ${now}::timestamptz
    FROM unnest(${rows.map(() => newId())}::uuid[], ${rows.map(({ seriesId }) => seriesId)}::uuid[],
                ${headers.map(({ sopInstanceUid }) => sopInstanceUid)}::text[], ${headers.map(({ sopClassUid }) => sopClassUid)}::text[],
                ${headers.map(({ transferSyntaxUid }) => transferSyntaxUid)}::text[],
                ${rows.map(({ storedObjectId }) => storedObjectId)}::uuid[], ${headers.map(({ patientId }) => text(patientId))}::text[],
                ${headers.map(({ issuerOfPatientId }) => text(issuerOfPatientId))}::text[],
                ${headers.map(({ instanceNumber }) => int(instanceNumber))}::int[],
                ${headers.map(({ numberOfFrames }) => int(numberOfFrames))}::int[],
                ${headers.map(({ rows: height }) => int(height))}::int[], ${headers.map(({ columns }) => int(columns))}::int[],
                ${rows.map(({ inconsistent }) => inconsistent)}::bool[])
         AS i(id, series_id, uid, sop_class, transfer_syntax, object_id, patient_id, issuer, number, frames, rows, columns, inconsistent)
    ON CONFLICT (organization_id, sop_instance_uid) DO UPDATE
      SET stored_object_id = excluded.stored_object_id, transfer_syntax_uid = excluded.transfer_syntax_uid,
          instance_number = excluded.instance_number, number_of_frames = excluded.number_of_frames, rows = excluded.rows,
          columns = excluded.columns, inconsistent = excluded.inconsistent, updated_at = excluded.updated_at
      WHERE instance.series_id = excluded.series_id AND instance.sop_class_uid = excluded.sop_class_uid
        AND instance.patient_id IS NOT DISTINCT FROM excluded.patient_id
        AND instance.issuer_of_patient_id IS NOT DISTINCT FROM excluded.issuer_of_patient_id
    RETURNING sop_instance_uid AS uid`;
  return new Set(written.map(({ uid }) => uid));
}
