import { writeZip } from '../zip/zip.fixture.js';
import {
  archiveBehind,
  box,
  compoundFile,
  fileType,
  heic,
  jpeg,
  jpegFrame,
  jpegSegment,
  JPEG_SCAN,
  mp4,
  pdf,
  png,
  pngChunk,
  rtf,
  svg,
  SVG_DOCTYPE,
  tiff,
  webp,
  webpChunk,
  webpPixels,
} from './document.fixture.js';
import type { DocumentKind } from './document.js';

export type Content = string | Uint8Array;

export const bytes = (...parts: Content[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
export const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
export const ZIP = writeZip([{ name: 'a.txt', data: 'a' }]);

/** What it is, the kind it is said to be, and the rule that refuses it. */
export const HOSTILE: [string, DocumentKind, Content, string][] = [
  ['a ZIP behind it', 'clinical-pdf', archiveBehind(pdf()), 'document.polyglot'],
  [
    'a ZIP whose comment is its end',
    'clinical-pdf',
    archiveBehind(pdf(), 'endstream\n%%EOF\n'),
    'document.polyglot',
  ],
  [
    'a ZIP, and another within its comment',
    'clinical-pdf',
    archiveBehind(pdf(), `${ZIP.toString('latin1')}endstream %%EOF`),
    'document.polyglot',
  ],
  [
    'a large ZIP behind it',
    'clinical-pdf',
    bytes(pdf(), writeZip([{ name: 'a', data: Buffer.alloc(5000, 7), method: 0 }])),
    'document.polyglot',
  ],
  ['a ZIP behind it', 'clinical-png', archiveBehind(png()), 'document.polyglot'],
  ['a PDF header', 'clinical-png', png(pngChunk('tEXt', Buffer.from('%PDF-1.7'))), 'document.polyglot'],
  ['a ZIP behind it', 'jpeg', archiveBehind(jpeg()), 'document.polyglot'],
  ['a PDF header', 'jpeg', jpeg(jpegSegment(0xfe, Buffer.from('%PDF-1.7'))), 'document.polyglot'],
  ...(
    [
      '#!/bin/sh\n',
      'Rar!\x1a\x07\0',
      '7z\xbc\xaf\x27\x1c',
      'MZ\x90\0\x03',
      '<script>',
      '<?php ',
      '\x1f\x8b\x08',
      '\0\0\0 \r\n\f\t<!-- -->',
      `${'\0'.repeat(300_000)}PK\x03\x04`,
    ] as const
  ).map((start): [string, DocumentKind, Content, string] => [
    `${JSON.stringify(start.slice(-20))} behind it`,
    'jpeg',
    bytes(jpeg(), latin1(start), Buffer.alloc(20)),
    'document.polyglot',
  ]),
  ['a ZIP behind it', 'tiff', archiveBehind(tiff()), 'document.polyglot'],
  ['a PDF header', 'tiff', bytes(tiff(), '%PDF-1.7'), 'document.polyglot'],
  ['a ZIP in it', 'webp', webp(webpPixels, webpChunk('EXIF', ZIP)), 'document.polyglot'],
  ['a ZIP behind it', 'mp4', archiveBehind(mp4()), 'document.polyglot'],
  ['a ZIP behind it', 'heic', archiveBehind(heic()), 'document.polyglot'],
  ['a ZIP behind it', 'doc', archiveBehind(compoundFile()), 'document.polyglot'],
  ['a ZIP behind it', 'doc', archiveBehind(rtf(), '}'), 'document.polyglot'],
  ['a PDF header', 'doc', rtf('%PDF-1.7'), 'document.polyglot'],

  ['no lines', 'jpeg', bytes(jpeg().subarray(0, 2), jpegFrame(0, 1), jpeg().subarray(2)), 'type.mismatch'],
  ['no columns', 'jpeg', bytes(jpeg().subarray(0, 2), jpegFrame(1, 0), jpeg().subarray(2)), 'type.mismatch'],
  [
    'tables alone',
    'jpeg',
    bytes(jpegSegment(0xd8, Buffer.alloc(0)).subarray(0, 2), Buffer.from('ffd9', 'hex')),
    'type.mismatch',
  ],
  [
    'a frame without a scan',
    'jpeg',
    bytes(Buffer.from('ffd8', 'hex'), jpegFrame(), Buffer.from('ffd9', 'hex')),
    'type.mismatch',
  ],
  [
    'a scan without a frame',
    'jpeg',
    bytes(Buffer.from('ffd8', 'hex'), JPEG_SCAN, Buffer.from('ffd9', 'hex')),
    'type.mismatch',
  ],
  ['a segment of length 1', 'jpeg', bytes(Buffer.from('ffd8ffe00001', 'hex'), jpeg()), 'type.mismatch'],
  ['bytes between segments', 'jpeg', jpeg(Buffer.from([0])), 'type.mismatch'],
  [
    'a frame of another length',
    'jpeg',
    jpeg(jpegSegment(0xc0, Buffer.from([8, 0, 1, 0, 1, 3, 1, 0x11, 0]))),
    'type.mismatch',
  ],

  [
    'a directory within the header',
    'tiff',
    bytes(tiff().subarray(0, 4), Buffer.from('04000000', 'hex'), tiff().subarray(8)),
    'type.mismatch',
  ],
  [
    'a directory behind the end',
    'tiff',
    bytes(tiff().subarray(0, 4), Buffer.from('ffffffff', 'hex'), tiff().subarray(8)),
    'type.mismatch',
  ],
  [
    'a directory at 2^63',
    'tiff',
    bytes(tiff({ big: true }).subarray(0, 8), Buffer.from('0000000000000080', 'hex'), Buffer.alloc(99)),
    'type.mismatch',
  ],
  ['offsets of four bytes in a BigTIFF', 'tiff', bytes('II+\0\x04\0\0\0', Buffer.alloc(99)), 'type.mismatch'],
  ['no width', 'tiff', tiff({ fields: { 256: 0 } }), 'type.mismatch'],
  ['a strip behind the end', 'tiff', tiff({ fields: { 273: 1000 } }), 'type.mismatch'],
  ['a strip that is too long', 'tiff', tiff({ fields: { 279: 1000 } }), 'type.mismatch'],

  ['a size that is too small', 'webp', bytes(webp(), 'abcd'), 'type.mismatch'],
  ['another first chunk', 'webp', webp(webpChunk('EXIF', Buffer.alloc(4)), webpPixels), 'type.mismatch'],
  ['no pixels', 'webp', webp(webpChunk('VP8X', Buffer.alloc(10))), 'type.mismatch'],
  [
    'a chunk that is longer than the file',
    'webp',
    webp(Buffer.from('VP8L\xff\xff\xff\xff', 'latin1')),
    'type.mismatch',
  ],

  ['another root', 'svg', '<html xmlns="http://www.w3.org/2000/svg"/>', 'type.mismatch'],
  ['no namespace', 'svg', '<svg/>', 'type.mismatch'],
  ['another namespace', 'svg', '<svg xmlns="http://www.w3.org/1999/xhtml"/>', 'type.mismatch'],
  ['a prefix nobody declared', 'svg', '<a:svg xmlns="http://www.w3.org/2000/svg"/>', 'type.mismatch'],
  ['an svg element within', 'svg', `<r>${svg('', '')}</r>`, 'type.mismatch'],
  ['an internal subset', 'svg', svg('&a;', '<!DOCTYPE svg [<!ENTITY a "b">]>'), 'xml.doctype'],
  ['a subset beside the DTD', 'svg', svg('', SVG_DOCTYPE.replace('>', ' [<!ENTITY a "b">]>')), 'xml.doctype'],
  ['a DTD of HTML', 'svg', svg('', '<!DOCTYPE html>'), 'xml.doctype'],
  ['two DTDs', 'svg', svg('', SVG_DOCTYPE + SVG_DOCTYPE), 'type.mismatch'],
  ['an entity of the DTD', 'svg', svg('&ns_svg;', SVG_DOCTYPE), 'type.mismatch'],
  [
    'a comment of a megabyte',
    'svg',
    svg(`<!--${'x'.repeat(2 ** 20)}-->`, SVG_DOCTYPE),
    'document.too-complex',
  ],
  ['1,001 levels', 'svg', svg(`${'<g>'.repeat(1001)}${'</g>'.repeat(1001)}`), 'document.too-complex'],

  ...(['csv', 'clinical-txt'] as const).flatMap((kind): [string, DocumentKind, Content, string][] => [
    ['NUL', kind, 'a\0b', 'text.encoding'],
    ['ESC', kind, 'a\x1b[0m', 'text.encoding'],
    ['a vertical tab', kind, 'a\x0bb', 'text.encoding'],
    ['a NUL in UTF-16', kind, Buffer.from('\ufeffa\0b', 'utf16le'), 'text.encoding'],
    ['UTF-16 of an odd length', kind, Buffer.from('\ufeffab', 'utf16le').subarray(0, -1), 'text.encoding'],
    ['half a character of UTF-16', kind, Buffer.from('\ufeffa\ud83e', 'utf16le'), 'text.encoding'],
    ['UTF-16 without its mark', kind, Buffer.from('abc', 'utf16le'), 'text.encoding'],
    ['a page in UTF-16', kind, utf16be('\ufeff <!DoctYpe html>'), 'type.mismatch'],
    ...[
      '<!--',
      '<title>',
      '<a href=x>',
      '<b>',
      '<body>',
      '<div>',
      '<P>',
      '<table ',
      '<style>',
      '<h1>',
      '<iframe ',
    ]
      .concat('<font size=1>', '<br/>')
      .flatMap((tag): [string, DocumentKind, Content, string][] => [
        [tag, kind, `${tag}a`, 'type.mismatch'],
        [`${tag} behind a mark and blanks`, kind, `\ufeff \n\t${tag}a`, 'type.mismatch'],
        [`${tag} in UTF-16`, kind, Buffer.from(`\ufeff\n${tag}a`, 'utf16le'), 'type.mismatch'],
      ]),
    ['a page behind a mark', kind, '\ufeff \n<html>', 'type.mismatch'],
    ['a page behind many blanks', kind, `${' '.repeat(200_000)}<html>`, 'type.mismatch'],
  ]),

  [
    'a .docx',
    'doc',
    writeZip([
      { name: '[Content_Types].xml', data: '<a/>' },
      { name: 'word/document.xml', data: '<a/>' },
    ]),
    'type.mismatch',
  ],
  [
    'a million and one segments',
    'jpeg',
    jpeg(Buffer.alloc(4 * 1_000_001, jpegSegment(0xe1, Buffer.alloc(0)))),
    'document.too-complex',
  ],
  [
    'a million and one chunks',
    'webp',
    webp(webpPixels, Buffer.alloc(8 * 1_000_001, webpChunk('EXIF', Buffer.alloc(0)))),
    'document.too-complex',
  ],
  [
    'a million and one boxes',
    'mp4',
    bytes(mp4(), Buffer.alloc(8 * 1_000_001, box('free'))),
    'document.too-complex',
  ],
  [
    'a million and one chunks',
    'clinical-png',
    png(Buffer.alloc(12 * 1_000_001, pngChunk('tEXt'))),
    'document.too-complex',
  ],
  [
    '2^64 fields',
    'tiff',
    bytes(tiff({ big: true }).subarray(0, 8), Buffer.from(`1000000000000000${'f'.repeat(16)}`, 'hex')),
    'document.too-complex',
  ],
  ['a million and one elements', 'svg', svg('<a/>'.repeat(1_000_000)), 'document.too-complex'],
  [
    'a hundred million characters',
    'svg',
    bytes(svg('', '').replace('</svg>\n', ''), Buffer.alloc(101 * 2 ** 20, 0x78), '</svg>'),
    'document.too-complex',
  ],

  ['no brace at its end', 'doc', rtf().subarray(0, -4), 'type.mismatch'],
  ['no directory', 'doc', compoundFile().subarray(0, 1024), 'type.mismatch'],
  [
    'a stream of that name amid its content',
    'doc',
    compoundFile({ streamName: 'Workbook' }, Buffer.from('WordDocument\0', 'utf16le')),
    'type.mismatch',
  ],
  [
    'sectors of another size',
    'doc',
    compoundFile().map((byte, at) => (at === 30 ? 10 : byte)),
    'type.mismatch',
  ],
  ['another byte order', 'doc', compoundFile().map((byte, at) => (at === 28 ? 0xff : byte)), 'type.mismatch'],

  ['a file type of no length', 'mp4', bytes(Buffer.from('0000000066747970', 'hex'), mp4()), 'type.mismatch'],
  ['a file type of 4 GiB', 'mp4', bytes(Buffer.from('fffffff866747970', 'hex'), mp4()), 'type.mismatch'],
  ['no film', 'mp4', bytes(fileType('isom', 'isom'), box('mdat')), 'type.mismatch'],
  ['nothing filmed', 'mp4', bytes(fileType('isom', 'isom'), box('moov')), 'type.mismatch'],
  [
    'a box of 2^64 bytes',
    'mp4',
    bytes(fileType('isom'), Buffer.from(`000000016d646174${'f'.repeat(16)}`, 'hex')),
    'type.mismatch',
  ],
];
