import { randomBytes } from 'node:crypto';
import { newUid } from '../../src/demo/phantom.js';
import {
  type DicomElement,
  elementsFrom,
  type ElementValue,
  writeDicom,
} from '../../src/formats/dicom/write.js';

/** A marker of JPEG, JPEG-LS or JPEG 2000 with its bytes: enough to be told apart, not to be shown. */
const codestream = (begin: number[], bytes = 301): Uint8Array =>
  Buffer.concat([Buffer.from(begin), randomBytes(bytes), Buffer.from([0xff, 0xd9])]);

const JPEG = [0xff, 0xd8, 0xff];
const JPEG_LS = [0xff, 0xd8, 0xff, 0xf7];
const JPEG_2000 = [0xff, 0x4f, 0xff, 0x51];

const frames = (begin: number[], count = 2): ElementValue => ({
  fragments: Array.from({ length: count }, () => codestream(begin)),
});

/** One frame: a header of 64 bytes that says where its one segment begins (PS3.5 annex G.5). */
function runLength(): ElementValue {
  const header = Buffer.alloc(64);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(64, 4);
  const fragment = Buffer.concat([header, randomBytes(120)]);
  return { fragments: [fragment, fragment] };
}

/** One stream over several fragments, the last of odd length: video knows no frames of its own (PS3.5 annex A.4.9). */
const video = (): ElementValue => ({ fragments: [randomBytes(188), randomBytes(188), randomBytes(61)] });

/** Two frames of 16 x 16 pixels of 16 bits. */
const native = (): ElementValue => randomBytes(2 * 16 * 16 * 2);

/** Name, UID, pixel data of two frames: of every family of PS3.5 annex A, and a private one. */
export const TRANSFER_SYNTAXES: readonly [name: string, uid: string, pixels: () => ElementValue][] = [
  ['Implicit VR Little Endian', '1.2.840.10008.1.2', native],
  ['Explicit VR Little Endian', '1.2.840.10008.1.2.1', native],
  [
    'Encapsulated Uncompressed',
    '1.2.840.10008.1.2.1.98',
    () => ({ fragments: [randomBytes(512), randomBytes(512)] }),
  ],
  ['Deflated Explicit VR Little Endian', '1.2.840.10008.1.2.1.99', native],
  ['Explicit VR Big Endian', '1.2.840.10008.1.2.2', native],
  ['JPEG Baseline', '1.2.840.10008.1.2.4.50', () => frames(JPEG)],
  ['JPEG Extended', '1.2.840.10008.1.2.4.51', () => frames(JPEG)],
  ['JPEG Lossless', '1.2.840.10008.1.2.4.57', () => frames(JPEG)],
  ['JPEG Lossless SV1', '1.2.840.10008.1.2.4.70', () => frames(JPEG)],
  ['JPEG-LS Lossless', '1.2.840.10008.1.2.4.80', () => frames(JPEG_LS)],
  ['JPEG-LS Near-Lossless', '1.2.840.10008.1.2.4.81', () => frames(JPEG_LS)],
  ['JPEG 2000 Lossless', '1.2.840.10008.1.2.4.90', () => frames(JPEG_2000)],
  ['JPEG 2000', '1.2.840.10008.1.2.4.91', () => frames(JPEG_2000)],
  ['MPEG2 Main Profile', '1.2.840.10008.1.2.4.100', video],
  ['MPEG-4 AVC High Profile', '1.2.840.10008.1.2.4.102', video],
  ['HEVC Main Profile', '1.2.840.10008.1.2.4.107', video],
  ['High-Throughput JPEG 2000 Lossless', '1.2.840.10008.1.2.4.201', () => frames(JPEG_2000)],
  ['High-Throughput JPEG 2000', '1.2.840.10008.1.2.4.203', () => frames(JPEG_2000)],
  ['RLE Lossless', '1.2.840.10008.1.2.5', runLength],
  ['a private one', '1.2.752.24.3.7.7', () => frames([1, 2, 3])],
];

/** Private elements that a careless rewrite would lose: with and without a creator, binary, nested, of odd groups. */
const privateTags: readonly DicomElement[] = [
  { tag: 0x00090010, vr: 'LO', value: 'VENDOR' },
  { tag: 0x00091001, vr: 'UN', value: Uint8Array.of(1, 2, 3, 4) },
  {
    tag: 0x00091002,
    vr: 'SQ',
    value: { items: [elementsFrom({ PatientID: 'inner' })] },
    undefinedLength: true,
  },
  { tag: 0x00291010, vr: 'OB', value: Uint8Array.of(0, 255, 0, 255) },
];

/** A valid object of two frames with private tags, in one of the {@link TRANSFER_SYNTAXES}. */
export function multiFrame(transferSyntaxUid: string, pixels: ElementValue): Uint8Array {
  return writeDicom({
    transferSyntaxUid,
    preamble: Buffer.concat([Buffer.from('II*\0'), randomBytes(124)]), // as of a TIFF: not ours to change either
    elements: [
      ...elementsFrom({
        SpecificCharacterSet: 'ISO_IR 192',
        SOPClassUID: '1.2.840.10008.5.1.4.1.1.2.1',
        SOPInstanceUID: newUid(),
        StudyInstanceUID: newUid(),
        SeriesInstanceUID: newUid(),
        Modality: 'CT',
        PatientName: 'Müller^Jörg',
        PatientID: 'P-1',
        NumberOfFrames: '2',
        Rows: 16,
        Columns: 16,
        BitsAllocated: 16,
        SamplesPerPixel: 1,
        PhotometricInterpretation: 'MONOCHROME2',
      }),
      ...privateTags,
      { tag: 'PixelData', value: pixels, ...(pixels instanceof Uint8Array && { vr: 'OW' }) },
    ],
  });
}
