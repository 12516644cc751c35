import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  box,
  compoundFile,
  CSV,
  fileType,
  heic,
  jpeg,
  jpegSegment,
  JPEG_SCAN,
  mp4,
  pdf,
  png,
  quickTime,
  rtf,
  svg,
  SVG_DOCTYPE,
  tiff,
  webp,
  webpChunk,
} from './document.fixture.js';
import {
  CLINICAL_TYPES,
  DOCUMENT_TYPES,
  type DocumentKind,
  INSPECT_TYPES,
  inspectDocument,
} from './document.js';
import { bytes, type Content, HOSTILE, latin1, utf16be, ZIP } from './hostile.fixture.js';

async function* piecesOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(size); // one that is used again, as those of a socket are
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    piece.set(part);
    yield piece.subarray(0, part.length);
  }
  await Promise.resolve();
}

const inspect = (kind: DocumentKind, content: Content, pieceSize = 1 << 16) => {
  const bytes = Buffer.from(content as string);
  return inspectDocument(piecesOf(bytes, Math.min(pieceSize, bytes.length || 1)), kind);
};
const ruleOf = async (kind: DocumentKind, content: Content, pieceSize?: number): Promise<string> => {
  const verdict = await inspect(kind, content, pieceSize);
  return verdict.ok ? 'ok' : verdict.rule;
};

/** Of an unpacked archive's shape, in the middle of a PDF. */
const attached = (archive: Uint8Array): Buffer =>
  pdf(
    `2 0 obj\n<</Type/EmbeddedFile>>\nstream\n${Buffer.from(archive).toString('latin1')}\nendstream\nendobj`,
  );

const VALID: [DocumentKind, Content][] = [
  ['clinical-pdf', pdf()],
  ['clinical-pdf', attached(ZIP)],
  ['clinical-png', png()],
  ['jpeg', jpeg()],
  ['jpeg', jpeg(jpegSegment(0xe1, jpeg()))],
  ['jpeg', bytes(jpeg(), jpeg())],
  ['jpeg', bytes(jpeg(), mp4())],
  ['jpeg', bytes(jpeg(), Buffer.alloc(5000))],
  // Progressive: tables between scans.
  [
    'jpeg',
    bytes(jpeg().subarray(0, -3), jpegSegment(0xc4, Buffer.alloc(17)), JPEG_SCAN, Buffer.from('ffd9', 'hex')),
  ],
  ['tiff', tiff()],
  ['tiff', tiff({ bigEndian: true, directory: 'first' })],
  ['tiff', tiff({ big: true })],
  ['tiff', tiff({ big: true, bigEndian: true })],
  ['webp', webp()],
  [
    'webp',
    webp(
      webpChunk('VP8X', Buffer.alloc(10)),
      webpChunk('ALPH', Buffer.alloc(3)),
      webpChunk('VP8 ', Buffer.alloc(11)),
    ),
  ],
  [
    'webp',
    webp(
      webpChunk('VP8X', Buffer.alloc(10)),
      webpChunk('ANIM', Buffer.alloc(6)),
      webpChunk('ANMF', Buffer.alloc(24)),
    ),
  ],
  ['svg', svg()],
  ['svg', svg('<script>alert(1)</script><a href="https://example.com"/>')],
  ['svg', svg('', `<?xml version="1.0" encoding="utf-8"?>\n<!-- c -->\n${SVG_DOCTYPE}`)],
  ['svg', '<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg>'],
  ['svg', svg(`<image href="data:image/png;base64,${'A'.repeat(300_000)}"/><g/>`, SVG_DOCTYPE)],
  ['csv', CSV],
  ['csv', bytes('\ufeff', CSV)],
  ['csv', latin1('Stra\xdfe;\x80\r\n')],
  ['csv', Buffer.from(`\ufeff${CSV}Grüße 🫀`, 'utf16le')],
  ['csv', utf16be(`\ufeff${CSV}Grüße 🫀`)],
  ['csv', 'PK,Name\n1,MZ\n'],
  ['csv', 'MZ;DZ\n'],
  ['clinical-txt', 'Kein Befund.\r\n\tGrüße 🫀\f'],
  ['clinical-txt', latin1('Gr\xfc\xdfe')],
  ['clinical-txt', ' \n'],
  ['clinical-txt', 'II. %PDF- <html>'],
  ['clinical-txt', '<0.01 <p>'],
  ['clinical-txt', '<anamnesis> <brain>'],
  ['doc', compoundFile()],
  ['doc', compoundFile({ version: 4 })],
  ['doc', compoundFile({}, bytes(Buffer.alloc(1024), ZIP))],
  ['doc', rtf()],
  ['doc', latin1('{\\rtf1}')],
  ['mp4', mp4()],
  ['mp4', quickTime()],
  ['mp4', bytes(mp4(), Buffer.alloc(20))],
  // A size of 64 bits, and one that says: up to the end.
  [
    'mp4',
    bytes(
      fileType('isom', 'isom'),
      box('moov'),
      Buffer.from('000000016d6461740000000000000014ffffffff', 'hex'),
    ),
  ],
  ['mp4', bytes(fileType('isom', 'isom'), box('moov'), Buffer.from('000000006d646174ffff', 'hex'))],
  ['heic', heic()],
  ['heic', bytes(fileType('mif1', 'mif1', 'heic'), heic().subarray(24))],
];

/** One of each, and more where a kind has several forms. */
const CONTENTS: [string, Content, readonly DocumentKind[]][] = [
  ['PDF', pdf(), ['clinical-pdf']],
  ['PNG', png(), ['clinical-png']],
  ['JPEG', jpeg(), ['jpeg']],
  ['TIFF', tiff(), ['tiff']],
  ['BigTIFF', tiff({ big: true, bigEndian: true }), ['tiff']],
  ['WebP', webp(), ['webp']],
  ['SVG', svg(), ['svg']],
  ['SVG without a declaration', svg('', ''), ['svg']],
  ['Word', compoundFile(), ['doc']],
  ['RTF', rtf(), ['doc']],
  ['CSV', CSV, ['csv', 'clinical-txt']],
  ['MP4', mp4(), ['mp4']],
  ['QuickTime', quickTime(), ['mp4']],
  ['HEIC', heic(), ['heic']],
  ['AVIF', bytes(fileType('avif', 'mif1', 'avif'), box('meta'), box('mdat')), []],
  ['ZIP', ZIP, []],
  ['Excel 97', compoundFile({ streamName: 'Workbook' }), []],
  ['Windows program', bytes('MZ\x90', Buffer.alloc(200)), []],
  ['Linux program', bytes('\x7fELF\x02\x01\x01', Buffer.alloc(100)), []],
  ['Java class', Buffer.from('cafebabe00000041', 'hex'), []],
  ['gzip', Buffer.from('1f8b0800000000000003', 'hex'), []],
  ['script', '#!/bin/sh\nexit\n', []],
  ['page', '<!DOCTYPE html><p>a', []],
  ['page behind blanks', ' \n\t<HTML></HTML>', []],
  ['script element', '<script>alert(1)</script>', []],
  ['GIF', 'GIF89a', []],
  ['WAV', 'RIFF    WAVEfmt ', []],
  ['PostScript', '%!PS-Adobe-3.0\n', []],
];

const KINDS = [...new Set(Object.values(INSPECT_TYPES))];

describe('the media types', () => {
  it('of reports are what they were', () => {
    expect(Object.keys(DOCUMENT_TYPES).sort()).toEqual([
      'application/dicom',
      'application/json',
      'application/pdf',
      'application/xml',
      'image/png',
      'text/plain',
      'text/xml',
    ]);
  });

  it('of patients are nine, and three more for inspections', () => {
    expect(Object.keys(CLINICAL_TYPES)).toHaveLength(9);
    expect(Object.keys(INSPECT_TYPES).filter((type) => !(type in CLINICAL_TYPES))).toEqual([
      'image/heic',
      'video/mp4',
      'video/quicktime',
    ]);
  });
});

describe('a file that is what it says', () => {
  it.each(VALID)('%s (%#)', async (kind, content) => {
    expect(await inspect(kind, content)).toEqual({ ok: true, kind });
  });
});

describe('a file by another name', () => {
  it.each(CONTENTS)('%s', async (_, content, accepting) => {
    const accepted: DocumentKind[] = [];
    for (const kind of KINDS) if ((await ruleOf(kind, content)) === 'ok') accepted.push(kind);
    expect(accepted.sort()).toEqual([...accepting].sort());
  });
});

describe('a file that is not what it says', () => {
  it.each(KINDS)('nothing as %s', async (kind) => {
    expect(await ruleOf(kind, '')).toBe('empty');
  });

  it.each(HOSTILE)('%s as %s', async (_, kind, content, rule) => {
    expect(await ruleOf(kind, content)).toBe(rule);
  });

  /** Bytes at the end that may be missing: line ends, and what is left of a sector behind its entries. */
  const WHOLE: [string, DocumentKind, Content, number][] = [
    ['PDF', 'clinical-pdf', pdf(), 1],
    ['PNG', 'clinical-png', png(), 0],
    ['JPEG', 'jpeg', jpeg(), 0],
    ['TIFF, directory last', 'tiff', tiff(), 0],
    ['TIFF, directory first', 'tiff', tiff({ directory: 'first' }), 0],
    ['BigTIFF', 'tiff', tiff({ big: true, bigEndian: true }), 0],
    ['WebP', 'webp', webp(), 0],
    ['SVG', 'svg', svg('<g/>', SVG_DOCTYPE), 1],
    ['Word', 'doc', compoundFile(), 256],
    ['RTF', 'doc', latin1('{\\rtf1 Befund}\r\n\0'), 3],
    ['MP4', 'mp4', mp4(), 0],
    ['QuickTime', 'mp4', quickTime(), 0],
    ['HEIC', 'heic', heic(), 0],
  ];
  it.each(WHOLE)('%s cut short anywhere', async (_, kind, content, spare) => {
    const whole = Buffer.from(content as string);
    for (let length = 1; length < whole.length - spare; length++)
      expect([length, await ruleOf(kind, whole.subarray(0, length))]).toEqual([length, 'type.mismatch']);
    expect(await ruleOf(kind, whole.subarray(0, whole.length - spare))).toBe('ok');
  });
});

describe('the verdict', () => {
  const FILES: (readonly [DocumentKind, Content])[] = [
    ...VALID.filter(([, content]) => content.length < 20_000),
    ...HOSTILE.filter(([, , content]) => content.length < 20_000).map(
      ([, kind, content]) => [kind, content] as const,
    ),
  ];

  it('does not depend on how the bytes come', async () => {
    for (const [kind, content] of FILES) {
      const whole = await inspect(kind, content);
      for (const size of [1, 7, 128, 1000]) expect(await inspect(kind, content, size)).toEqual(whole);
    }
  }, 30_000);

  it('nor does it on a file that is damaged', async () => {
    const edit = fc.record({ at: fc.nat(), removed: fc.nat(3), put: fc.uint8Array({ maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<readonly [DocumentKind, Content]>(...FILES),
        fc.array(edit, { maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        async ([kind, content], edits, size) => {
          const damaged = edits.reduce<Buffer>(
            (file, { at, removed, put }) => {
              const place = at % (file.length + 1);
              return bytes(file.subarray(0, place), put, file.subarray(place + removed));
            },
            Buffer.from(content as string),
          );
          expect(await inspect(kind, damaged, size)).toEqual(await inspect(kind, damaged));
        },
      ),
      { numRuns: 1000 },
    );
  }, 30_000);

  const GIBIBYTE = 2 ** 30;
  const piece = Buffer.alloc(2 ** 20, 0x41);
  const LARGE: [DocumentKind, Buffer, Buffer][] = [
    ['jpeg', jpeg().subarray(0, -3), Buffer.from('ffd9', 'hex')],
    ['mp4', bytes(mp4(), Buffer.from('000000006d646174', 'hex')), Buffer.alloc(1)],
    ['tiff', tiff({ directory: 'first' }), Buffer.alloc(1)],
  ];
  it.each(LARGE)(
    'on a %s of a gibibyte comes in bounded memory',
    async (kind, start, end) => {
      const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
      const before = used();
      let most = 0;
      const file = async function* () {
        yield start;
        for (let sent = 0; sent < GIBIBYTE; sent += piece.length) {
          yield piece;
          most = Math.max(most, used() - before);
        }
        yield end;
        await Promise.resolve();
      };
      expect(await inspectDocument(file(), kind)).toEqual({ ok: true, kind });
      expect(most).toBeLessThan(64 * 2 ** 20);
    },
    60_000,
  );
});
