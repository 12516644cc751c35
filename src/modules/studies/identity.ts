import type { DicomHeader } from '../../formats/dicom/inspector.js';
import type { VerifiedInstance } from '../uploads/registrar.js';
import type { PresentInstance } from './instance.rows.js';
import { type StudyFacts, text } from './study.rows.js';

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

/** The same by the keywords of the attributes. */
export function stated(facts: Omit<StudyFacts, 'id'>): Record<string, string | null> {
  return Object.fromEntries(FACTS.map(([field, keyword]) => [keyword, facts[field]]));
}

/** The order in which instances landed: by the bucket's time, ties by upload id. */
export function landedAfter(
  a: Pick<VerifiedInstance, 'landedAt' | 'uploadId'>,
  b: Pick<VerifiedInstance, 'landedAt' | 'uploadId'>,
): number {
  return a.landedAt.getTime() - b.landedAt.getTime() || (a.uploadId < b.uploadId ? -1 : 1);
}

/** Whether it landed before what is present. */
export function landedBefore(
  instance: VerifiedInstance,
  { landedAt, uploadId }: Pick<PresentInstance, 'landedAt' | 'uploadId'>,
): boolean {
  return landedAt !== null && uploadId !== null && landedAfter(instance, { landedAt, uploadId }) < 0;
}
