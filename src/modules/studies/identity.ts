import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import type { PresentInstance } from './instance.rows.js';
import { type StudyFacts, text } from './study.rows.js';

/** Who an instance is: what replacing it must not change. */
export type Identity = Pick<
  PresentInstance,
  | 'storedObjectId'
  | 'studyInstanceUid'
  | 'seriesInstanceUid'
  | 'sopClassUid'
  | 'patientId'
  | 'issuerOfPatientId'
  | 'uploaderIds'
>;

/**
 * Whether this SOPInstanceUID already stands for something else, or for other bytes that somebody else brought, whom
 * this uploader may not replace: it could change another patient's study, or one the uploader may not even see.
 */
export function conflicts(present: Identity | undefined, instance: VerifiedInstance): boolean {
  if (!present) return false;
  const { header, storedObjectId, principalId, mayReplace } = instance;
  const isAnothers = present.uploaderIds.length > 0 && !present.uploaderIds.includes(principalId);
  if (isAnothers && !mayReplace && present.storedObjectId !== storedObjectId) return true;
  return (
    present.studyInstanceUid !== header.studyInstanceUid ||
    present.seriesInstanceUid !== header.seriesInstanceUid ||
    present.sopClassUid !== header.sopClassUid ||
    present.patientId !== text(header.patientId) ||
    present.issuerOfPatientId !== text(header.issuerOfPatientId)
  );
}

/** What the instance says otherwise than its study about the patient or the study: it is kept, but marked. */
export function disagreements(
  study: Omit<StudyFacts, 'id'>,
  header: DicomHeader,
): Record<string, string | null> | null {
  const here = factsOf(header);
  const different = FACTS.filter(([field]) => study[field] !== here[field]);
  if (different.length === 0) return null;
  return Object.fromEntries(different.map(([field, keyword]) => [keyword, here[field]]));
}

const FACTS = [
  ['patientId', 'PatientID'],
  ['patientName', 'PatientName'],
  ['patientBirthDate', 'PatientBirthDate'],
  ['patientSex', 'PatientSex'],
  ['accessionNumber', 'AccessionNumber'],
  ['studyDate', 'StudyDate'],
] as const;

/** What an instance says of its patient and study. */
export function factsOf(header: DicomHeader): Omit<StudyFacts, 'id'> {
  return Object.fromEntries(FACTS.map(([field]) => [field, text(header[field])])) as unknown as StudyFacts;
}

/** The order in which instances landed: by the bucket's time, ties by upload id. */
export function landedAfter(
  a: Pick<VerifiedInstance, 'landedAt' | 'uploadId'>,
  b: Pick<VerifiedInstance, 'landedAt' | 'uploadId'>,
): number {
  return a.landedAt.getTime() - b.landedAt.getTime() || (a.uploadId < b.uploadId ? -1 : 1);
}
