import { randomBytes } from 'node:crypto';
import { newUid } from '../../src/demo/phantom.js';
import { elementsFrom, writeDicom } from '../../src/formats/dicom/write.js';

interface Facts {
  StudyInstanceUID?: string;
  SeriesInstanceUID?: string;
  SOPInstanceUID?: string;
  PatientID?: string;
  PatientName?: string;
  AccessionNumber?: string;
  InstanceNumber?: number;
}

/** A small valid CT instance with unique UIDs and random pixels; each fact can be given. */
export function ctInstance(facts: Facts = {}, pixelBytes = 512): Uint8Array {
  const rows = 16;
  return writeDicom({
    elements: elementsFrom({
      SpecificCharacterSet: 'ISO_IR 192',
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
      SOPInstanceUID: newUid(),
      StudyInstanceUID: newUid(),
      SeriesInstanceUID: newUid(),
      Modality: 'CT',
      PatientID: 'P-1',
      PatientName: 'Test^Patient',
      InstanceNumber: 1,
      StudyDate: '20260101',
      Rows: rows,
      Columns: pixelBytes / 2 / rows,
      BitsAllocated: 16,
      SamplesPerPixel: 1,
      PhotometricInterpretation: 'MONOCHROME2',
      PixelData: randomBytes(pixelBytes),
      ...facts,
    }),
  });
}

/** `count` instances of one series of one study. */
export function ctSeries(count: number, pixelBytes?: number): Uint8Array[] {
  const common = { StudyInstanceUID: newUid(), SeriesInstanceUID: newUid() };
  return Array.from({ length: count }, (_, index) =>
    ctInstance({ ...common, InstanceNumber: index + 1 }, pixelBytes),
  );
}
