import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import { newId } from '../../platform/database/id.js';

/** Set-based reads and writes of study, series and instance rows: one statement each, whatever the batch. */

export interface StudyFacts {
  id: string;
  patientId: string | null;
  patientName: string | null;
  patientBirthDate: string | null;
  patientSex: string | null;
  accessionNumber: string | null;
  studyDate: string | null;
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

/** Who began each of the studies that exist, by UID; null where nobody knows any more. */
export async function findCreators(
  tx: SqlTransaction,
  organizationId: string,
  instances: VerifiedInstance[],
): Promise<Map<string, string | null>> {
  const uids = [...new Set(instances.map(({ header }) => header.studyInstanceUid))];
  const rows = await tx.$queryRaw<{ uid: string; creator: string | null }[]>`
    SELECT study_instance_uid AS uid, created_by_id AS creator FROM study
    WHERE organization_id = ${organizationId}::uuid AND study_instance_uid = ANY (${uids}::text[])`;
  return new Map(rows.map(({ uid, creator }) => [uid, creator]));
}

/**
 * The studies by UID, made where they are new. The first instance's attributes stand for the study; what it does not
 * say, a later one may.
 */
export async function upsertStudies(
  tx: SqlTransaction,
  organizationId: string,
  instances: VerifiedInstance[],
  now: Date,
): Promise<Map<string, StudyFacts>> {
  const headers = instances.map(({ header }) => header);
  const creators = new Map(
    [...instances].reverse().map(({ header, principalId }) => [header.studyInstanceUid, principalId]),
  );
  const studies = firstBy(headers, ({ studyInstanceUid }) => studyInstanceUid);
  const column = (key: keyof DicomHeader) => studies.map((header) => text(header[key] as string | undefined));
  await tx.$executeRaw`
    INSERT INTO study (id, organization_id, study_instance_uid, patient_id, issuer_of_patient_id, patient_name,
                       patient_birth_date, patient_sex, accession_number, study_date, study_time, study_description,
                       referring_physician_name, created_by_id, attributes, created_at, updated_at)
    SELECT s.id, ${organizationId}::uuid, s.uid, s.patient_id, s.issuer, s.patient_name, s.birth_date, s.sex, s.accession,
           s.study_date, s.study_time, s.description, s.referring, s.created_by, s.attributes, ${now}::timestamptz, ${now}::timestamptz
    FROM unnest(${studies.map(() => newId())}::uuid[], ${column('studyInstanceUid')}::text[], ${column('patientId')}::text[],
                ${column('issuerOfPatientId')}::text[], ${column('patientName')}::text[], ${column('patientBirthDate')}::text[],
                ${column('patientSex')}::text[], ${column('accessionNumber')}::text[], ${column('studyDate')}::text[],
                ${column('studyTime')}::text[], ${column('studyDescription')}::text[], ${column('referringPhysicianName')}::text[],
                ${studies.map(({ studyInstanceUid }) => creators.get(studyInstanceUid)!)}::uuid[],
                ${studies.map(({ studyInstanceUid }) => JSON.stringify(attributesOf(headers, studyInstanceUid)))}::jsonb[])
         AS s(id, uid, patient_id, issuer, patient_name, birth_date, sex, accession, study_date, study_time, description, referring, created_by, attributes)
    ON CONFLICT (organization_id, study_instance_uid) DO UPDATE
      SET updated_at = excluded.updated_at, attributes = excluded.attributes || study.attributes`;
  const rows = await tx.$queryRaw<(StudyFacts & { uid: string })[]>`
    SELECT study_instance_uid AS uid, id, patient_id AS "patientId", patient_name AS "patientName",
           patient_birth_date AS "patientBirthDate", patient_sex AS "patientSex", accession_number AS "accessionNumber",
           study_date AS "studyDate"
    FROM study WHERE organization_id = ${organizationId}::uuid
      AND study_instance_uid = ANY (${studies.map(({ studyInstanceUid }) => studyInstanceUid)}::text[])`;
  return new Map(rows.map((row) => [row.uid, row]));
}

/** What the instances of a study say together, the first first. */
function attributesOf(headers: DicomHeader[], studyInstanceUid: string): object {
  const own = headers.filter((header) => header.studyInstanceUid === studyInstanceUid);
  return Object.assign({}, ...own.map(({ attributes }) => attributes).reverse()) as object;
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
