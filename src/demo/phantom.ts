import { randomUUID } from 'node:crypto';

import { elementsFrom, writeDicom } from '../formats/dicom/write.js';
import { FIELD_OF_VIEW, INTERCEPT, MIDDLE_Y, renderSlice } from './phantom/render-slice.js';

const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';
/** The part of the head that is scanned, from the larynx to above the vertex, in millimetres. */
const LOWEST = -110;
const HIGHEST = 118;

export interface PhantomOptions {
  /** Slices over the same 228 mm of head; 64 by default. */
  readonly slices?: number;
  /** Rows and columns; 512 by default, which makes 512 KiB of pixels a slice. */
  readonly size?: number;
  readonly patientName?: string;
  readonly patientId?: string;
  readonly accessionNumber?: string;
  readonly studyDescription?: string;
  readonly studyInstanceUid?: string;
  readonly seriesInstanceUid?: string;
  readonly frameOfReferenceUid?: string;
  /** When the study was made; now by default. Dates and times are written in UTC. */
  readonly date?: Date;
}

/** A UID derived from a random UUID (PS3.5 annex B.2). */
export function newUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
}

/**
 * A CT study of a head that never was, slice by slice from below: skin, skull, brain with its folds and ventricles,
 * eyes, sinuses, airway, jaws and teeth, on a headrest. The pixels are the same at every call; the UIDs are new unless
 * they are given. Each file is a CT Image Storage object (PS3.3 section A.3) in explicit little endian.
 */
export function* ctPhantomSlices(
  options: PhantomOptions = {},
): Generator<{ name: string; bytes: Uint8Array }> {
  const slices = options.slices ?? 64;
  const size = options.size ?? 512;
  const common = commonAttributes(options, size, slices);
  const thickness = (HIGHEST - LOWEST) / slices;
  const corner = -FIELD_OF_VIEW / 2 + FIELD_OF_VIEW / size / 2;
  for (let index = 0; index < slices; index++) {
    const z = LOWEST + (index + 0.5) * thickness;
    const pixels = renderSlice(size, z, index);
    const elements = elementsFrom({
      ...common,
      SOPInstanceUID: newUid(),
      InstanceNumber: index + 1,
      ImagePositionPatient: [decimal(corner), decimal(corner + MIDDLE_Y), decimal(z)],
      SliceLocation: decimal(z),
      PixelData: littleEndianBytes(pixels),
    });
    const name = `CT-${String(index + 1).padStart(3, '0')}.dcm`;
    yield { name, bytes: writeDicom({ elements }) };
  }
}

type Attributes = Parameters<typeof elementsFrom>[0];

function commonAttributes(options: PhantomOptions, size: number, slices: number): Attributes {
  const iso = (options.date ?? new Date()).toISOString();
  const date = iso.slice(0, 10).replaceAll('-', '');
  const time = iso.slice(11, 19).replaceAll(':', '');
  const thickness = decimal((HIGHEST - LOWEST) / slices);
  const spacing = decimal(FIELD_OF_VIEW / size);
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SOPClassUID: CT_IMAGE_STORAGE,
    StudyDate: date,
    SeriesDate: date,
    AcquisitionDate: date,
    ContentDate: date,
    StudyTime: time,
    SeriesTime: time,
    AcquisitionTime: time,
    ContentTime: time,
    AccessionNumber: options.accessionNumber ?? 'DEMO-CT-1',
    Modality: 'CT',
    Manufacturer: 'Scandock',
    InstitutionName: 'Scandock Demo',
    ReferringPhysicianName: 'Demo^Referrer',
    StudyDescription: options.studyDescription ?? 'CT head (generated phantom)',
    SeriesDescription: 'Axial head',
    ManufacturerModelName: 'Phantom',
    PatientName: options.patientName ?? 'Demo^Phantom',
    PatientID: options.patientId ?? 'DEMO-PHANTOM',
    PatientBirthDate: '19700101',
    PatientSex: 'O',
    BodyPartExamined: 'HEAD',
    SliceThickness: thickness,
    SpacingBetweenSlices: thickness,
    ...technique,
    PatientPosition: 'HFS',
    StudyInstanceUID: options.studyInstanceUid ?? newUid(),
    SeriesInstanceUID: options.seriesInstanceUid ?? newUid(),
    StudyID: '1',
    SeriesNumber: 1,
    AcquisitionNumber: 1,
    ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
    FrameOfReferenceUID: options.frameOfReferenceUid ?? newUid(),
    PositionReferenceIndicator: '',
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: size,
    Columns: size,
    PixelSpacing: [spacing, spacing],
    BitsAllocated: 16,
    BitsStored: 12,
    HighBit: 11,
    PixelRepresentation: 0,
    WindowCenter: [40, 40, 600],
    WindowWidth: [80, 400, 2800],
    WindowCenterWidthExplanation: ['BRAIN', 'SOFT TISSUE', 'BONE'],
    RescaleIntercept: INTERCEPT,
    RescaleSlope: 1,
    RescaleType: 'HU',
  };
}

/** How the scan would have been made. */
const technique: Attributes = {
  KVP: '120',
  DataCollectionDiameter: '500',
  DeviceSerialNumber: '0',
  SoftwareVersions: '1',
  ReconstructionDiameter: FIELD_OF_VIEW,
  GantryDetectorTilt: '0',
  ExposureTime: '1000',
  XRayTubeCurrent: '250',
  ConvolutionKernel: 'STANDARD',
};

/** DS: a decimal of at most 16 characters (PS3.5 section 6.2). */
function decimal(value: number): string {
  return String(Number(value.toFixed(6)));
}

function littleEndianBytes(values: Uint16Array): Uint8Array {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const isBigEndianMachine = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;
  return isBigEndianMachine ? bytes.swap16() : bytes;
}
