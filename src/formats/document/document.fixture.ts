import { crc32, deflateSync } from 'node:zlib';
import { elementsFrom, writeDicom } from '../dicom/write.js';
import { writeZip } from '../zip/zip.fixture.js';

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

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A JPEG segment: marker, length, content. */
export const jpegSegment = (marker: number, content: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0xff, marker]), u16(content.length + 2), content]);

/** 8 bit greyscale, of as many samples. */
export const jpegFrame = (lines = 1, samples = 1, marker = 0xc0): Buffer =>
  jpegSegment(
    marker,
    Buffer.concat([Buffer.from([8]), u16(lines), u16(samples), Buffer.from([1, 1, 0x11, 0])]),
  );

const HUFFMAN_TABLE = Buffer.from([0x00, 1, ...new Array<number>(15).fill(0), 0]);
export const JPEG_SCAN = Buffer.concat([
  jpegSegment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
  Buffer.from('3fff00ffd012ff00ffd134', 'hex'),
]);

/** 1 x 1, grey; `between` come behind SOI. The entropy-coded data has stuffed zeros and restart markers. */
export const jpeg = (...between: Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from('ffd8', 'hex'),
    ...between,
    jpegSegment(0xe0, latin1('JFIF\0\x01\x01\0\0\x01\0\x01\0\0')),
    jpegSegment(0xdb, Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 1)])),
    jpegFrame(),
    jpegSegment(0xc4, HUFFMAN_TABLE),
    Buffer.concat([
      jpegSegment(0xc4, Buffer.concat([Buffer.from([0x10]), HUFFMAN_TABLE.subarray(1)])),
      JPEG_SCAN,
    ]),
    Buffer.from('ffffd9', 'hex'),
  ]);

export interface TiffLayout {
  readonly big?: boolean;
  readonly bigEndian?: boolean;
  /** The directory at the end, as LibTIFF writes it, or before the pixels. */
  readonly directory?: 'first' | 'last';
  /** Fields to be added or changed. */
  readonly fields?: Readonly<Record<number, number>>;
}

/** 8 bit greyscale, 4 x 2, in one strip. */
export function tiff({
  big = false,
  bigEndian = false,
  directory = 'last',
  fields,
}: TiffLayout = {}): Buffer {
  const number = (value: number, size: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bigEndian ? bytes.subarray(8 - size) : Buffer.from(bytes.subarray(8 - size)).reverse();
  };
  const width = big ? 8 : 4;
  const header = big ? 16 : 8;
  const pixels = Buffer.alloc(8, 0x80);
  const values = { 256: 4, 257: 2, 258: 8, 259: 1, 262: 1, 273: 0, 278: 2, 279: pixels.length, ...fields };
  const tags = Object.keys(values).length;
  const directoryBytes = (big ? 8 : 2) + tags * (big ? 20 : 12) + width;
  const strip = directory === 'first' ? header + directoryBytes : header;
  const at = directory === 'first' ? header : header + pixels.length;
  const located = { ...values, 273: fields?.[273] ?? strip };
  const entries = Object.entries(located).map(([tag, value]) =>
    Buffer.concat([
      number(+tag, 2),
      number(4, 2),
      number(1, width),
      number(value, 4),
      Buffer.alloc(width - 4),
    ]),
  );
  const table = Buffer.concat([number(tags, big ? 8 : 2), ...entries, Buffer.alloc(width)]);
  return Buffer.concat([
    latin1(bigEndian ? 'MM' : 'II'),
    big ? Buffer.concat([number(43, 2), number(8, 2), number(0, 2)]) : number(42, 2),
    number(at, width),
    ...(directory === 'first' ? [table, pixels] : [pixels, table]),
  ]);
}

export function webpChunk(type: string, data: Uint8Array): Buffer {
  const size = u32(data.length).reverse();
  return Buffer.concat([latin1(type), size, data, Buffer.alloc(data.length % 2)]);
}

export const webp = (...chunks: Buffer[]): Buffer =>
  webpChunk('RIFF', Buffer.concat([latin1('WEBP'), ...(chunks.length > 0 ? chunks : [webpPixels])]));

/** 1 x 1, lossless. */
export const webpPixels = webpChunk('VP8L', Buffer.from('2f0000000010071011118888080700', 'hex'));

export const svg = (inside = '', before = '<?xml version="1.0"?>\n'): string =>
  `${before}<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">${inside}</svg>\n`;
/** What drawing programs put before it. */
export const SVG_DOCTYPE =
  '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n';

const FREE = 0xffffffff;
const END_OF_CHAIN = 0xfffffffe;

/**
 * An OLE2 compound file of an allocation table, the stream, and a directory ([MS-CFB]).
 * @param streamName of Word's binary format unless another is named
 */
export function compoundFile(
  { streamName = 'WordDocument', version = 3 } = {},
  content?: Uint8Array,
): Buffer {
  const sectorBytes = version === 3 ? 512 : 4096;
  const stream = content ?? Buffer.alloc(4096, 1);
  const streamSectors = Math.ceil(stream.length / sectorBytes);
  const header = Buffer.alloc(sectorBytes);
  header.write('d0cf11e0a1b11ae1', 'hex');
  for (const [at, value] of [
    [24, 0x3e],
    [26, version],
    [28, 0xfffe],
    [30, version === 3 ? 9 : 12],
    [32, 6],
  ] as const)
    header.writeUInt16LE(value, at);
  const directory = streamSectors + 1;
  const numbers = {
    40: version === 3 ? 0 : 1,
    44: 1,
    48: directory,
    56: 4096,
    60: END_OF_CHAIN,
    68: END_OF_CHAIN,
  };
  for (const [at, value] of Object.entries(numbers)) header.writeUInt32LE(value, +at);
  header.fill(0xff, 80, 512); // the table is sector 0, which is in the list already

  const table = Buffer.alloc(sectorBytes, 0xff);
  table.writeUInt32LE(0xfffffffd, 0);
  for (let sector = 1; sector <= streamSectors; sector++)
    table.writeUInt32LE(sector === streamSectors ? END_OF_CHAIN : sector + 1, 4 * sector);
  table.writeUInt32LE(END_OF_CHAIN, 4 * directory);

  const entry = (name: string, type: number, child: number, start: number, size: number): Buffer => {
    const bytes = Buffer.alloc(128);
    bytes.write(name, 'utf16le');
    bytes.writeUInt16LE(2 * (name.length + 1), 64);
    bytes.set([type, 1], 66);
    [FREE, FREE, child].forEach((id, at) => bytes.writeUInt32LE(id, 68 + 4 * at));
    bytes.writeUInt32LE(start, 116);
    bytes.writeUInt32LE(size, 120);
    return bytes;
  };
  const entries = [entry('Root Entry', 5, 1, END_OF_CHAIN, 0), entry(streamName, 2, FREE, 1, stream.length)];
  const whole = (bytes: Uint8Array, sectors: number): Buffer =>
    Buffer.concat([bytes, Buffer.alloc(sectors * sectorBytes - bytes.length)]);
  return Buffer.concat([header, table, whole(stream, streamSectors), whole(Buffer.concat(entries), 1)]);
}

export const rtf = (inside = ''): Buffer =>
  latin1(`{\\rtf1\\ansi{\\fonttbl\\f0 Arial;}\\f0 Befund${inside}\\par}\r\n\0`);

/** A box of an ISO base media file. */
export const box = (type: string, content: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([u32(content.length + 8), latin1(type), content]);
/** @param brands the main one first */
export const fileType = (...brands: string[]): Buffer =>
  box('ftyp', Buffer.concat([latin1(brands[0]!), u32(0), latin1(brands.slice(1).join(''))]));

export const mp4 = (): Buffer =>
  Buffer.concat([
    fileType('isom', 'isom', 'mp42'),
    box('moov', box('mvhd', Buffer.alloc(100))),
    box('mdat', Buffer.alloc(40)),
  ]);
export const quickTime = (): Buffer =>
  Buffer.concat([
    fileType('qt  ', 'qt  '),
    box('wide'),
    box('mdat', Buffer.alloc(40)),
    box('moov', Buffer.alloc(100)),
  ]);
export const heic = (): Buffer =>
  Buffer.concat([
    fileType('heic', 'mif1', 'heic'),
    box('meta', Buffer.alloc(60)),
    box('mdat', Buffer.alloc(40)),
  ]);

export const CSV = 'Datum;Wert\r\n2024-01-01;"3,5"\r\n';

/** A ZIP with `front` before it: the directory counts from the start of the whole. */
export const archiveBehind = (front: Uint8Array, comment = ''): Buffer =>
  Buffer.concat([front, writeZip([{ name: 'a.txt', data: 'a' }], { comment })]);
