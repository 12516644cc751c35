import { gzipSync } from 'node:zlib';

import { description, identity, pixels, sequences } from '../../src/formats/dicom/dicom.fixture.js';
import { TRANSFER_SYNTAX } from '../../src/formats/dicom/transfer-syntax.js';
import { elementsFrom, writeDicom } from '../../src/formats/dicom/write.js';
import type { DocumentKind } from '../../src/formats/document/document.js';
import * as document from '../../src/formats/document/document.fixture.js';
import { diffusion, writeNifti } from '../../src/formats/nifti/nifti.fixture.js';
import { writeZip, type ZipFixtureEntry } from '../../src/formats/zip/zip.fixture.js';
import type { Random } from './random.js';

/** A valid small file of each format, made by the project's own writers. */
const fragments = { fragments: [new Uint8Array(100).fill(3), new Uint8Array(20)] };
export const DICOM: readonly Buffer[] = Object.values(TRANSFER_SYNTAX).flatMap((transferSyntaxUid) => {
  const encapsulated = transferSyntaxUid === TRANSFER_SYNTAX.jpegBaseline;
  const pixelData = encapsulated ? ({ tag: 'PixelData', value: fragments } as const) : pixels;
  const elements = [...description, ...sequences, pixelData];
  return [{}, { preamble: null }].map((how) =>
    Buffer.from(writeDicom({ transferSyntaxUid, elements, ...how })),
  );
});

const plainNifti = ([1, 2] as const).flatMap((version) =>
  [true, false].map((littleEndian) => writeNifti({ version, littleEndian, dimensions: [3, 2, 2, 4] })),
);
export const NIFTI: readonly Buffer[] = [...plainNifti, ...plainNifti.map((file) => gzipSync(file))];

export const GRADIENTS: readonly (readonly [bval: Buffer, bvec: Buffer])[] = [
  [diffusion.bval, diffusion.bvec],
  [Buffer.from('0\r\n1e3\r\n.5E2\r\n7'), Buffer.from('0 .6 0 1 \r\n-0 0.8 -1 0\r\n0 0 0 0')],
];

const second = elementsFrom({ SOPInstanceUID: '2.25.14' });
const instance = Buffer.from(
  writeDicom({ elements: [...identity.filter(({ tag }) => tag !== second[0]!.tag), ...second, pixels] }),
);
const study: readonly ZipFixtureEntry[] = [
  { name: 'IM/', method: 0 },
  { name: 'IM/1.dcm', data: DICOM[1] },
  { name: 'IM/2', data: instance, method: 0 },
  { name: 'DICOMDIR', data: 'x' },
  { name: 'metadata.json', data: '{}' },
  { name: 'viewer.zip', data: writeZip([{ name: 'a' }]) },
];
const set: readonly ZipFixtureEntry[] = [
  { name: 'd.nii.gz', data: gzipSync(diffusion.nii), descriptor: 'plain' },
  { name: 'd.bval', data: diffusion.bval, zip64: true },
  { name: 'd.bvec', data: diffusion.bvec },
];
export const ZIP: readonly Buffer[] = [
  writeZip(study),
  writeZip(study.map((entry) => ({ ...entry, zip64: true }))),
  writeZip(study, { zip64End: true, comment: 'a comment' }),
  writeZip(study.map((entry) => ({ ...entry, descriptor: 'zip64' }))),
  writeZip(set),
];

/** Of each kind of document one or more, the archive behind it too where it would be another file as well. */
export const DOCUMENTS: readonly (readonly [DocumentKind, Buffer])[] = (
  [
    ['json', '{"findings":[{"label":"nodule","p":0.93,"box":[1,-2.5e3,0]}],"note":null}'],
    ['xml', '<?xml version="1.0"?><r a="1"><!-- c --><x>&lt;&#x41;</x><![CDATA[<]]></r>'],
    ['sr', document.reportObject()],
    ['pdf', document.pdf()],
    ['clinical-pdf', document.pdf()],
    ['clinical-pdf', document.archiveBehind(document.pdf(), '%%EOF')],
    ['png', document.png()],
    ['clinical-png', document.png(document.pngChunk('tEXt', Buffer.from('a\0b')))],
    ['jpeg', document.jpeg()],
    ['jpeg', document.archiveBehind(document.jpeg())],
    ['tiff', document.tiff()],
    ['tiff', document.tiff({ bigEndian: true, directory: 'first' })],
    ['tiff', document.tiff({ big: true })],
    ['webp', document.webp()],
    ['webp', document.webp(document.webpChunk('VP8X', Buffer.alloc(10)), document.webpPixels)],
    ['svg', document.svg('<g><path d="M0 0"/></g>', document.SVG_DOCTYPE)],
    ['txt', 'Grüße\n'],
    ['csv', document.CSV],
    ['csv', Buffer.from(`\ufeff${document.CSV}`, 'utf16le')],
    ['clinical-txt', 'Kein Befund.\r\n'],
    ['doc', document.compoundFile()],
    ['doc', document.compoundFile({ version: 4 })],
    ['doc', document.rtf()],
    ['mp4', document.mp4()],
    ['mp4', document.quickTime()],
    ['heic', document.heic()],
  ] satisfies [DocumentKind, string | Uint8Array][]
).map(([kind, content]) => [kind, Buffer.from(content as string)]);

/** An archive whose records are in order, or lie in one field, and whose entries are what `content` makes of them. */
export function composedZip(random: Random, content: (bytes: Buffer) => Buffer): Buffer {
  const whole = random.chance(12) ? [...set, ...study] : random.chance(3) ? set : study;
  const some = random.chance(6) ? whole.filter(() => random.chance(2)) : whole;
  const entries = some.map((entry): ZipFixtureEntry => {
    const data = random.chance(3) ? content(Buffer.from(entry.data ?? '')) : entry.data;
    const changed = { ...entry, data, method: random.chance(3) ? 0 : 8 };
    if (!random.chance(12)) return changed;
    const lie = {
      [random.pick(['flags', 'method', 'crc32', 'compressedBytes', 'size'])]: random.below(2000),
    };
    return random.chance(2) ? { ...changed, central: lie } : { ...changed, central: lie, local: lie };
  });
  if (entries.length > 0 && random.chance(10)) entries.push(random.pick(entries));
  return writeZip(entries, { zip64End: random.chance(4) });
}

/** Sequences within items within sequences, closed by nothing: 8 to 12 bytes a level, written by hand. */
export function nestedDicom(levels: number, random: Random): Buffer {
  const head = writeDicom({ elements: identity });
  const open = Buffer.from('08004011535100' + '00ffffffff' + 'feff00e0ffffffff', 'hex');
  const close = Buffer.from('feff0de000000000' + 'feffdde000000000', 'hex');
  const nested = Buffer.alloc(open.length * levels, open);
  return Buffer.concat(
    random.chance(2) ? [head, nested] : [head, nested, Buffer.alloc(close.length * levels, close)],
  );
}
