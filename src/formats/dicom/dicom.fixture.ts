import { DicomInspector, type DicomInspectorOptions, type DicomVerdict } from './inspector.js';
import { type DicomElement, elementsFrom } from './write.js';

/** Objects for the specs of this folder. */
export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';

export const identity: readonly DicomElement[] = elementsFrom({
  SOPClassUID: CT_IMAGE_STORAGE,
  SOPInstanceUID: '2.25.11',
  StudyInstanceUID: '2.25.12',
  SeriesInstanceUID: '2.25.13',
});

/** A small image, without its pixels. */
export const description: readonly DicomElement[] = [
  ...identity,
  ...elementsFrom({
    SpecificCharacterSet: 'ISO_IR 192',
    StudyDate: '20240131',
    StudyTime: '101530.5',
    AccessionNumber: 'A-1',
    Modality: 'CT',
    Manufacturer: 'Ångström',
    ReferringPhysicianName: 'Referrer^Rita',
    StudyDescription: 'Head without contrast',
    SeriesDescription: 'Axial',
    PatientName: 'Müller^Jörg',
    PatientID: 'P-1',
    IssuerOfPatientID: 'Hospital',
    PatientBirthDate: '19700101',
    PatientSex: 'O',
    BodyPartExamined: 'HEAD',
    StudyID: 'S1',
    SeriesNumber: '2',
    InstanceNumber: '3',
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    NumberOfFrames: '1',
    Rows: 4,
    Columns: 8,
    BitsAllocated: 16,
  }),
];

export const pixels: DicomElement = { tag: 'PixelData', value: new Uint8Array(64).fill(7) };

/** Undefined and defined lengths, nested, private, and unknown VRs. */
export const sequences: readonly DicomElement[] = [
  {
    tag: 'ReferencedImageSequence',
    undefinedLength: true,
    value: {
      items: [
        elementsFrom({ ReferencedSOPClassUID: CT_IMAGE_STORAGE, ReferencedSOPInstanceUID: '2.25.99' }),
        [
          {
            tag: 'ReferencedImageSequence',
            value: { items: [[], elementsFrom({ PatientID: 'not the patient' })] },
          },
        ],
      ],
    },
  },
  { tag: 0x00090010, vr: 'LO', value: 'VENDOR' },
  { tag: 0x00091001, vr: 'UN', value: Uint8Array.of(1, 2, 3, 4) },
  { tag: 0x00091002, vr: 'SQ', value: { items: [elementsFrom({ StudyInstanceUID: '1.2' })] } },
];

export async function inspect(
  bytes: Uint8Array,
  options?: DicomInspectorOptions,
  chunkBytes = bytes.length,
): Promise<DicomVerdict> {
  const inspector = new DicomInspector(options);
  for (let at = 0; at < bytes.length; at += chunkBytes) inspector.write(bytes.subarray(at, at + chunkBytes));
  return inspector.end();
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
