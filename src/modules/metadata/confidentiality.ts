import { findByKeyword } from '../../formats/dicom/data-dictionary.js';
import { groupOf } from '../../formats/dicom/tag.js';

/** VRs of codes and numbers, which as a rule say nothing about who somebody is. */
const CODES_AND_NUMBERS: ReadonlySet<string> = new Set('AT CS DS FD FL IS SL SS SV UL US UV'.split(' '));

/** Codes and numbers that the profile removes all the same. */
const IDENTIFYING: ReadonlySet<string> = new Set([
  'InstanceOriginStatus',
  'ModifyingDeviceID',
  'PatientSexNeutered',
  'PregnancyStatus',
  'ReasonForTheAttributeModification',
  'SmokingStatus',
]);

/** Where and with what a photograph was taken: the group of Exif, with its coordinates. */
const PHOTOGRAPHY_GROUP = 0x0016;

/** Texts that name products and techniques. */
const HARMLESS: ReadonlySet<string> = new Set([
  'CodeMeaning',
  'CodeValue',
  'CodingSchemeDesignator',
  'CodingSchemeVersion',
  'ContrastBolusRoute',
  'ConvolutionKernel',
  'DeidentificationMethod',
  'FilterType',
  'ImagedNucleus',
  'Manufacturer',
  'ManufacturerModelName',
  'PulseSequenceName',
  'Radionuclide',
  'Radiopharmaceutical',
  'ReceiveCoilName',
  'SequenceName',
  'SoftwareVersions',
  'TransmitCoilName',
]);

/**
 * Whether a value of the attribute can tell who somebody is, in the sense of the basic profile of PS3.15 annex E: names,
 * identifiers, dates and times, places, devices, and every text that a person may have typed. Sex, size and weight, which
 * the profile lets one retain as characteristics, do not. Unknown attributes do: what is new is not harmless.
 */
export function identifiesSomebody(keyword: string): boolean {
  const element = findByKeyword(keyword);
  if (element === undefined) return true;
  if (!element.vrs.every((vr) => CODES_AND_NUMBERS.has(vr))) return !HARMLESS.has(keyword);
  return groupOf(element.tag) === PHOTOGRAPHY_GROUP || IDENTIFYING.has(keyword);
}

/** Identification and demographics of the patient (PS3.3 sections C.2.2 and C.2.3), and of the subject of a trial. */
const DEMOGRAPHIC: ReadonlySet<string> = new Set([
  'BranchOfService',
  'ClinicalTrialSubjectID',
  'ClinicalTrialSubjectReadingID',
  'CountryOfResidence',
  'EthnicGroup',
  'InsurancePlanIdentification',
  'IssuerOfPatientID',
  'MedicalRecordLocator',
  'MilitaryRank',
  'OtherPatientIDs',
  'OtherPatientNames',
  'PatientAddress',
  'PatientAge',
  'PatientAlternativeCalendar',
  'PatientBirthDate',
  'PatientBirthDateInAlternativeCalendar',
  'PatientBirthName',
  'PatientBirthTime',
  'PatientDeathDateInAlternativeCalendar',
  'PatientID',
  'PatientMotherBirthName',
  'PatientName',
  'PatientReligiousPreference',
  'PatientSex',
  'PatientTelecomInformation',
  'PatientTelephoneNumbers',
  'RegionOfResidence',
  'ResponsibleOrganization',
  'ResponsiblePerson',
  'TypeOfPatientID',
]);

/**
 * Whether an overlay of the attribute says who the patient is. Once there is one, an object's own bytes may name another
 * patient than its metadata, so that reading them needs a permission of its own.
 */
export function isDemographic(keyword: string): boolean {
  return DEMOGRAPHIC.has(keyword);
}
