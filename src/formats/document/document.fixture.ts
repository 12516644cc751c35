import { crc32, deflateSync } from 'node:zlib';
import { elementsFrom, writeDicom } from '../dicom/write.js';

/** Small valid documents, one of each kind. */

export const pdf = (inside = ''): Buffer =>
  Buffer.from(`%PDF-1.7\n1 0 obj\n<<>>\nendobj\n${inside}\ntrailer\n<<>>\nstartxref\n0\n%%EOF\n`, 'latin1');

export function pngChunk(type: string, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

export const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
/** 1 x 1, 8 bit greyscale. */
export const PNG_HEADER = Buffer.from('00000001000000010800000000', 'hex');

export const png = (...between: Buffer[]): Buffer =>
  Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', PNG_HEADER),
    ...between,
    pngChunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    pngChunk('IEND'),
  ]);

/** A Basic Text SR unless another class is named. */
export const reportObject = (SOPClassUID = '1.2.840.10008.5.1.4.1.1.88.11'): Uint8Array =>
  writeDicom({
    elements: elementsFrom({
      SOPClassUID,
      SOPInstanceUID: '2.25.1001',
      StudyInstanceUID: '2.25.1002',
      SeriesInstanceUID: '2.25.1003',
      Modality: 'SR',
    }),
  });
