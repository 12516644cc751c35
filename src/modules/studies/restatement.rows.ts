import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { factsOf, stated } from './identity.js';
import { type StudyFacts, text } from './study.rows.js';

/** What a study said of its patient, and the instance that says it from now on. */
export interface Restatement {
  former: StudyFacts;
  header: DicomHeader;
}

/** Studies that are sent anew, by id: what the first instance of the new generation says stands for them from now on. */
export async function restateStudies(
  tx: SqlTransaction,
  organizationId: string,
  studies: ReadonlyMap<string, Restatement>,
  now: Date,
): Promise<void> {
  for (const [id, { header }] of studies)
    await tx.$executeRaw`
      UPDATE study SET patient_name = ${text(header.patientName)}, patient_birth_date = ${text(header.patientBirthDate)},
        patient_sex = ${text(header.patientSex)}, accession_number = ${text(header.accessionNumber)},
        study_date = ${text(header.studyDate)}, study_time = ${text(header.studyTime)},
        study_description = ${text(header.studyDescription)}, referring_physician_name = ${text(header.referringPhysicianName)},
        patient_id = ${text(header.patientId)}, issuer_of_patient_id = ${text(header.issuerOfPatientId)},
        attributes = ${JSON.stringify(header.attributes)}::jsonb, updated_at = ${now}::timestamptz
      WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid`;
}

/** Marks the versions of studies that are sent anew by what stands for their study from now on. */
export async function compareAnew(
  tx: SqlTransaction,
  organizationId: string,
  restated: ReadonlyMap<string, Restatement>,
): Promise<void> {
  const studies = [...restated].map(([id, { former, header }]) => ({
    id,
    former: JSON.stringify(stated(former)),
    present: JSON.stringify(stated(factsOf(header))),
  }));
  const changed = studies.filter(({ former, present }) => former !== present);
  if (changed.length === 0) return;
  await tx.$executeRaw`
    UPDATE instance i SET disagreements = (
      SELECT jsonb_object_agg(said.key, said.value) FILTER (WHERE said.value <> s.present -> said.key)
      FROM jsonb_each(s.former || coalesce(i.disagreements, '{}')) AS said)
    FROM unnest(${changed.map(({ id }) => id)}::uuid[], ${changed.map(({ former }) => former)}::jsonb[],
                ${changed.map(({ present }) => present)}::jsonb[]) AS s(study_id, former, present)
    JOIN series se ON se.organization_id = ${organizationId}::uuid AND se.study_id = s.study_id
    WHERE i.organization_id = ${organizationId}::uuid AND i.series_id = se.id`;
}
