import { randomBytes, randomUUID } from 'node:crypto';
import { elementsFrom, writeDicom } from '../../dist/formats/dicom/write.js';

const ROWS = 256;

/** A UID derived from a random UUID (PS3.5 annex B.2). */
export const newUid = () => `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;

/** `count` CT instances of one series, each with `kilobytes` of random pixels: nothing can be compressed or shared. */
export function ctStudy(count, kilobytes) {
  const common = { StudyInstanceUID: newUid(), SeriesInstanceUID: newUid(), FrameOfReferenceUID: newUid() };
  const files = Array.from({ length: count }, (_, index) => ctInstance({ ...common, index }, kilobytes));
  return { studyUid: common.StudyInstanceUID, files };
}

/** One instance as a scanner would send it; `privateElements` of 96 bytes go with it. */
export function ctInstance({ index = 0, ...uids } = {}, kilobytes = 512, privateElements = 0) {
  const elements = elementsFrom({
    ...scan,
    StudyInstanceUID: newUid(),
    SeriesInstanceUID: newUid(),
    ...uids,
    SOPInstanceUID: newUid(),
    InstanceNumber: index + 1,
    ImagePositionPatient: ['-124.5', '-110.25', String(index * 2.5)],
    SliceLocation: String(index * 2.5),
    Rows: ROWS,
    Columns: (kilobytes * 1024) / 2 / ROWS,
    PixelData: randomBytes(kilobytes * 1024),
  });
  return writeDicom({ elements: [...elements, ...privateBlock(privateElements)] });
}

const scan = {
  SpecificCharacterSet: 'ISO_IR 192',
  ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
  StudyDate: '20260101',
  SeriesDate: '20260101',
  AcquisitionDate: '20260101',
  ContentDate: '20260101',
  StudyTime: '101112',
  SeriesTime: '101112',
  AcquisitionTime: '101112',
  ContentTime: '101112',
  AccessionNumber: 'BENCH-1',
  Modality: 'CT',
  Manufacturer: 'Bench',
  InstitutionName: 'Bench',
  ReferringPhysicianName: 'Bench^Referrer',
  StudyDescription: 'CT head',
  SeriesDescription: 'Axial head',
  ManufacturerModelName: 'Bench',
  PatientName: 'Bench^Patient',
  PatientID: 'BENCH',
  PatientBirthDate: '19700101',
  PatientSex: 'O',
  BodyPartExamined: 'HEAD',
  SliceThickness: '2.5',
  SpacingBetweenSlices: '2.5',
  KVP: '120',
  DataCollectionDiameter: '500',
  DeviceSerialNumber: '0',
  SoftwareVersions: '1',
  ReconstructionDiameter: '250',
  GantryDetectorTilt: '0',
  ExposureTime: '1000',
  XRayTubeCurrent: '250',
  ConvolutionKernel: 'STANDARD',
  PatientPosition: 'HFS',
  StudyID: '1',
  SeriesNumber: 1,
  AcquisitionNumber: 1,
  ImageOrientationPatient: ['1', '0', '0', '0', '1', '0'],
  PositionReferenceIndicator: '',
  SamplesPerPixel: 1,
  PhotometricInterpretation: 'MONOCHROME2',
  PixelSpacing: ['0.488', '0.488'],
  BitsAllocated: 16,
  BitsStored: 12,
  HighBit: 11,
  PixelRepresentation: 0,
  WindowCenter: ['40', '600'],
  WindowWidth: ['80', '2800'],
  RescaleIntercept: '-1024',
  RescaleSlope: '1',
  RescaleType: 'HU',
};

/** Private attributes (PS3.5 section 7.8) of a vendor that writes many of them. */
function privateBlock(count) {
  if (count === 0) return [];
  const creator = { tag: 0x00090010, vr: 'LO', value: 'BENCH' };
  const values = Array.from({ length: count }, (_, index) => ({
    tag: 0x00091000 + index,
    vr: 'OB',
    value: randomBytes(96),
  }));
  return [creator, ...values];
}
