import { boundedText } from '../text/bounded-text.js';
import { DICTIONARY, type Keyword } from './dictionary.js';
import { isUndividedVr } from './value-representation.js';

/**
 * What an object says about its patient, visit, study and equipment (PS3.3 sections C.2, C.7.1, C.7.2, and of C.7.3 and
 * C.7.5 what is the same throughout a study as a rule). All of them have a VR of text.
 */
export const STUDY_ATTRIBUTES = [
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'Modality',
  'Manufacturer',
  'InstitutionName',
  'InstitutionAddress',
  'ReferringPhysicianName',
  'ConsultingPhysicianName',
  'StationName',
  'StudyDescription',
  'InstitutionalDepartmentName',
  'PhysiciansOfRecord',
  'PerformingPhysicianName',
  'NameOfPhysiciansReadingStudy',
  'OperatorsName',
  'AdmittingDiagnosesDescription',
  'ManufacturerModelName',
  'PatientName',
  'PatientID',
  'IssuerOfPatientID',
  'TypeOfPatientID',
  'PatientBirthDate',
  'PatientBirthTime',
  'PatientSex',
  'OtherPatientIDs',
  'OtherPatientNames',
  'PatientAge',
  'PatientSize',
  'PatientWeight',
  'MedicalAlerts',
  'Allergies',
  'EthnicGroup',
  'Occupation',
  'SmokingStatus',
  'AdditionalPatientHistory',
  'PatientComments',
  'BodyPartExamined',
  'DeviceSerialNumber',
  'SoftwareVersions',
  'ProtocolName',
  'StudyID',
  'Laterality',
  'ReasonForStudy',
  'RequestingPhysician',
  'RequestingService',
  'RequestedProcedureDescription',
  'AdmissionID',
  'ReasonForTheRequestedProcedure',
] as const satisfies readonly Keyword[];

type StudyAttribute = (typeof STUDY_ATTRIBUTES)[number];

/** By keyword, those that have a value: one text, or several where the file separates them by backslashes. */
export type StudyAttributes = Readonly<Partial<Record<StudyAttribute, string | readonly string[]>>>;

/** UTF-16 units kept of one attribute, all its values together: a hostile header must not bloat a row. */
export const MAX_CHARACTERS = 1024;

/** Whether the attribute may have several values, by its VR. */
export function isDivided(keyword: Keyword): boolean {
  return !isUndividedVr(DICTIONARY[keyword][1]);
}

/** The values of an attribute from its decoded text, without padding; undefined if there is none. */
export function valuesFromText(text: string, divided: boolean): string | string[] | undefined {
  const bounded = boundedText(text, MAX_CHARACTERS);
  if (!divided || !bounded.includes('\\')) return bounded === '' ? undefined : bounded;
  const values = bounded.split('\\').map((value) => value.trim());
  return values.some((value) => value !== '') ? values : undefined;
}
