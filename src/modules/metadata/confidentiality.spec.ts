import { describe, expect, it } from '@jest/globals';

import { findByKeyword } from '../../formats/dicom/data-dictionary.js';
import { identifiesSomebody, isDemographic } from './confidentiality.js';

/** From table E.1-1 of PS3.15: attributes the basic profile removes, empties or replaces (X, Z, D). */
const REMOVED =
  `PatientName PatientID IssuerOfPatientID PatientBirthDate PatientBirthTime OtherPatientIDs OtherPatientNames
  PatientBirthName PatientMotherBirthName PatientAddress PatientTelephoneNumbers PatientTelecomInformation PatientComments
  PatientAge EthnicGroup Occupation MilitaryRank BranchOfService MedicalRecordLocator CountryOfResidence RegionOfResidence
  PatientReligiousPreference InsurancePlanIdentification AdditionalPatientHistory Allergies MedicalAlerts SmokingStatus
  PregnancyStatus LastMenstrualDate ResponsiblePerson ResponsibleOrganization AccessionNumber StudyID StudyDate StudyTime
  SeriesDate AcquisitionDateTime ContentDate StudyDescription SeriesDescription ProtocolName ReferringPhysicianName
  ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers ConsultingPhysicianName PhysiciansOfRecord OperatorsName
  PerformingPhysicianName NameOfPhysiciansReadingStudy RequestingPhysician RequestingService ReasonForStudy
  RequestedProcedureDescription RequestedProcedureComments RequestedProcedureID AdmissionID AdmittingDate
  AdmittingDiagnosesDescription CurrentPatientLocation InstitutionName InstitutionAddress InstitutionalDepartmentName
  StationName StationAETitle DeviceSerialNumber DetectorID GantryID ImageComments DerivationDescription ContrastBolusAgent
  ClinicalTrialSubjectID ClinicalTrialSiteName ClinicalTrialProtocolID PlacerOrderNumberImagingServiceRequest
  FillerOrderNumberImagingServiceRequest InterpretationAuthor ResultsComments VisitComments TextComments PersonName
  PersonAddress TimezoneOffsetFromUTC GPSLatitude GPSLatitudeRef GPSAltitudeRef LensSerialNumber CameraOwnerName
  SpecimenIdentifier ContainerIdentifier TreatmentSite RTPlanLabel StructureSetName BarcodeValue PersonTelecomInformation
  IssuerOfAdmissionID ServiceEpisodeID InstanceOriginStatus ModifyingDeviceID`.split(/\s+/);

const KEPT =
  `Modality BodyPartExamined Laterality PatientSex PatientSize PatientWeight PatientPosition Manufacturer
  ManufacturerModelName SoftwareVersions SliceThickness KVP ExposureTime MagneticFieldStrength EchoTime RepetitionTime
  SequenceName ConvolutionKernel ImageType SeriesNumber ViewPosition PatientIdentityRemoved BurnedInAnnotation`.split(
    /\s+/,
  );

describe('identifiesSomebody', () => {
  it('follows the basic profile', () => {
    for (const keyword of [...REMOVED, ...KEPT])
      expect([keyword, findByKeyword(keyword)]).toEqual([keyword, expect.anything()]);
    expect(REMOVED.filter((keyword) => !identifiesSomebody(keyword))).toEqual([]);
    expect(KEPT.filter(identifiesSomebody)).toEqual([]);
  });

  it('is true of what is not known', () => expect(identifiesSomebody('NewAttribute')).toBe(true));
});

describe('isDemographic', () => {
  it('is about who the patient is, and identifies them but for the sex', () => {
    for (const keyword of [
      'PatientName',
      'PatientID',
      'IssuerOfPatientID',
      'PatientBirthDate',
      'PatientSex',
      'OtherPatientIDs',
    ])
      expect(isDemographic(keyword)).toBe(true);
    for (const keyword of [
      'StudyDescription',
      'ReferringPhysicianName',
      'Modality',
      'AccessionNumber',
      'PatientWeight',
    ])
      expect(isDemographic(keyword)).toBe(false);
  });
});
