import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DocumentKind, inPieces, inspectDocument } from './document.js';
import { pdf, png, PNG_HEADER, PNG_SIGNATURE, pngChunk, reportObject } from './document.fixture.js';

async function* piecesOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  await Promise.resolve();
}

const toBytes = (content: string | Uint8Array): Uint8Array => Buffer.from(content as string);
const inspect = (kind: DocumentKind, content: string | Uint8Array, pieceSize = 7) =>
  inspectDocument(piecesOf(toBytes(content), pieceSize), kind);
const ruleOf = async (kind: DocumentKind, content: string | Uint8Array, pieceSize?: number) => {
  const verdict = await inspect(kind, content, pieceSize);
  return verdict.ok ? 'ok' : verdict.rule;
};

const VALID: [DocumentKind, string | Uint8Array][] = [
  [
    'json',
    '{"findings":[{"label":"nodule","p":0.93,"box":[1,-2.5e3,0]}],"ok":true,"note":null,"t":"\\u00e9\\n"}',
  ],
  ['json', ' [ ] '],
  ['json', '0'],
  ['json', '"Grüße"'],
  ['json', `${'['.repeat(1000)}${']'.repeat(1000)}`],
  ['pdf', pdf()],
  ['pdf', pdf('%%EOF\n' + 'x'.repeat(5000))],
  ['sr', reportObject()],
  ['sr', reportObject('1.2.840.10008.5.1.4.1.1.88.33')],
  ['sr', reportObject('1.2.840.10008.5.1.4.1.1.104.1')],
  ['sr', reportObject('1.2.840.10008.5.1.4.1.1.104.2')],
  [
    'xml',
    '<?xml version="1.0" encoding="UTF-8"?>\n<r a="1" b="2"><!-- c --><x>&lt;é&#x41;</x><![CDATA[<]]></r>\n',
  ],
  ['xml', '\ufeff<r/>'],
  ['xml', `${'<a>'.repeat(1000)}${'</a>'.repeat(1000)}`],
  ['xml', `<r>${'x'.repeat(300_000)}<![CDATA[${'y'.repeat(300_000)}]]></r>`],
  ['xml', `<r a="${'x'.repeat(60_000)}"/>`],
  ['xml', `<r>${'<a/>'.repeat(999_999)}</r>`],
  ['png', png()],
  ['png', png(pngChunk('tEXt', Buffer.from('a\0b')))],
  ['txt', 'Kein Befund.\r\n\tGrüße 🫀\f'],
];

const HOSTILE: [string, DocumentKind, string | Uint8Array, string][] = [
  ...(['json', 'pdf', 'sr', 'xml', 'png', 'txt'] as const).map(
    (kind): [string, DocumentKind, string, string] => ['nothing', kind, '', 'empty'],
  ),
  ['blanks', 'json', '  \n', 'type.mismatch'],
  ['cut short', 'json', '{"a":[1,2', 'type.mismatch'],
  ['a second value', 'json', '{} {}', 'type.mismatch'],
  ['a trailing comma', 'json', '[1,]', 'type.mismatch'],
  ['a leading zero', 'json', '[01]', 'type.mismatch'],
  ['a number cut short', 'json', '-', 'type.mismatch'],
  ['a bare word', 'json', 'nulL', 'type.mismatch'],
  ['NaN', 'json', '[NaN]', 'type.mismatch'],
  ['a line end in a string', 'json', '"a\nb"', 'type.mismatch'],
  ['an unknown escape', 'json', '"\\x41"', 'type.mismatch'],
  ['crossed brackets', 'json', '[{"a":1]}', 'type.mismatch'],
  ['a closing bracket alone', 'json', ']', 'type.mismatch'],
  ['a byte order mark', 'json', '\ufeff{}', 'type.mismatch'],
  ['a PDF', 'json', pdf(), 'type.mismatch'],
  ['ISO 8859-1', 'json', Buffer.from('"\xe9"', 'latin1'), 'text.encoding'],
  ['a character cut short', 'json', Buffer.from('"\xc3"', 'latin1'), 'text.encoding'],
  ['1,001 levels', 'json', `${'['.repeat(1001)}${']'.repeat(1001)}`, 'document.too-complex'],
  ['five million levels', 'json', '{"a":'.repeat(5_000_000), 'document.too-complex'],
  ['text', 'pdf', 'a report', 'type.mismatch'],
  ['a page before the header', 'pdf', Buffer.concat([Buffer.from('MZ'), pdf()]), 'type.mismatch'],
  ['cut short', 'pdf', pdf().subarray(0, -8), 'type.mismatch'],
  ['much behind its end', 'pdf', Buffer.concat([pdf(), Buffer.alloc(2000)]), 'type.mismatch'],
  ['HTML', 'png', '<html></html>', 'type.mismatch'],
  ['a signature alone', 'png', PNG_SIGNATURE, 'type.mismatch'],
  [
    'another signature',
    'png',
    Buffer.concat([Buffer.from('GIF89a\0\0'), png().subarray(8)]),
    'type.mismatch',
  ],
  ['cut short', 'png', png().subarray(0, -1), 'type.mismatch'],
  ['an archive behind it', 'png', Buffer.concat([png(), Buffer.from('PK\x03\x04')]), 'type.mismatch'],
  ['a flipped bit', 'png', png().map((byte, at) => (at === 45 ? byte ^ 1 : byte)), 'type.mismatch'],
  [
    'no image data',
    'png',
    Buffer.concat([PNG_SIGNATURE, pngChunk('IHDR', PNG_HEADER), pngChunk('IEND')]),
    'type.mismatch',
  ],
  ['two headers', 'png', png(pngChunk('IHDR', PNG_HEADER)), 'type.mismatch'],
  [
    'a header that comes late',
    'png',
    Buffer.concat([PNG_SIGNATURE, pngChunk('tEXt'), png().subarray(8)]),
    'type.mismatch',
  ],
  [
    'a chunk of 4 GiB',
    'png',
    Buffer.concat([png().subarray(0, 33), Buffer.from('ffffffff49444154', 'hex')]),
    'type.mismatch',
  ],
  ['a chunk type of no letters', 'png', png(pngChunk('a\0b1')), 'type.mismatch'],
  ['NUL', 'txt', 'a\0b', 'text.encoding'],
  ['ISO 8859-1', 'txt', Buffer.from('Gr\xfc\xdfe', 'latin1'), 'text.encoding'],
  ['UTF-16', 'txt', Buffer.from('\ufeffabc', 'utf16le'), 'text.encoding'],
  ['a character cut short', 'txt', Buffer.from('abc\xf0\x9f', 'latin1'), 'text.encoding'],
  ['text', 'sr', 'a report', 'dicom.not-part10'],
  ['cut short', 'sr', reportObject().subarray(0, -3), 'dicom.truncated'],
  ['an image', 'sr', reportObject('1.2.840.10008.5.1.4.1.1.2'), 'dicom.not-a-report'],
  ['a model for a printer', 'sr', reportObject('1.2.840.10008.5.1.4.1.1.104.3'), 'dicom.not-a-report'],
  ['text', 'xml', 'a report', 'type.mismatch'],
  ['blanks', 'xml', ' \n', 'type.mismatch'],
  ['a comment alone', 'xml', '<!-- r -->', 'type.mismatch'],
  ['cut short', 'xml', '<r><a></a>', 'type.mismatch'],
  ['a comment cut short', 'xml', '<r/><!-- ', 'type.mismatch'],
  ['two roots', 'xml', '<r/><r/>', 'type.mismatch'],
  ['text behind the root', 'xml', '<r/>x', 'type.mismatch'],
  ['a section before the root', 'xml', '<![CDATA[x]]><r/>', 'type.mismatch'],
  ['crossed elements', 'xml', '<r><a></r></a>', 'type.mismatch'],
  ['an attribute without quotes', 'xml', '<r a=1/>', 'type.mismatch'],
  ['an entity nobody declared', 'xml', '<r>&x;</r>', 'type.mismatch'],
  ['a declaration at the end', 'xml', '<r/><?xml version="1.0"?>', 'type.mismatch'],
  ['HTML', 'xml', '<!doctype html><p>a<br>b', 'xml.doctype'],
  ['a DTD', 'xml', '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', 'xml.doctype'],
  [
    'an external entity',
    'xml',
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
    'xml.doctype',
  ],
  [
    'a billion laughs',
    'xml',
    `<!DOCTYPE r [<!ENTITY a "ha">${'bcdefghij'.replace(/./g, (name) => `<!ENTITY ${name} "${`&${String.fromCharCode(name.charCodeAt(0) - 1)};`.repeat(10)}">`)}]><r>&j;</r>`,
    'xml.doctype',
  ],
  ['a control character', 'xml', '<r>\u0001</r>', 'text.encoding'],
  ['another encoding', 'xml', '<?xml version="1.0" encoding="ISO-8859-1"?><r/>', 'text.encoding'],
  ['UTF-16', 'xml', Buffer.from('\ufeff<r/>', 'utf16le'), 'text.encoding'],
  ['1,001 levels', 'xml', `${'<a>'.repeat(1001)}${'</a>'.repeat(1001)}`, 'document.too-complex'],
  [
    '1,001 attributes',
    'xml',
    `<r ${Array.from({ length: 1001 }, (_, at) => `a${at}=""`).join(' ')}/>`,
    'document.too-complex',
  ],
  ...(
    [
      ['elements', '<a/>'],
      ['comments', '<!--a-->'],
      ['instructions', '<?a?>'],
      ['sections', '<![CDATA[]]>'],
      ['attributes', '<a b=""/>'],
      ['references', '&#9;'],
    ] as const
  ).map(([name, part]): [string, DocumentKind, string, string] => [
    `a million parts that are ${name}`,
    'xml',
    `<r>${part.repeat(1_000_001)}</r>`,
    'document.too-complex',
  ]),
  ['an attribute of a megabyte', 'xml', `<r a="${'x'.repeat(2 ** 20)}"/>`, 'document.too-complex'],
];

describe('a document that is what it says', () => {
  it.each(VALID)('%s (%#)', async (kind, content) => {
    expect(await inspect(kind, content)).toEqual({ ok: true, kind });
  });
});

describe('a document that is not', () => {
  it.each(HOSTILE)('%s as %s', async (_, kind, content, rule) => {
    expect(await ruleOf(kind, content, 4096)).toBe(rule);
  });

  it('says where, and in words that quote nothing of it', async () => {
    expect(await inspect('json', '{"name": Zebulon}')).toEqual({
      ok: false,
      rule: 'type.mismatch',
      message: 'The content is not a complete and well-formed document of its content type.',
      where: 'byte 9',
    });
    expect(await inspect('xml', '<r>\n<a>\n</b></r>')).toMatchObject({
      rule: 'type.mismatch',
      where: 'line 3',
    });
    expect(await inspect('sr', reportObject('1.2.840.10008.5.1.4.1.1.2'))).toMatchObject({
      where: '(0008,0016)',
    });
  });
});

describe('the verdict', () => {
  it('does not depend on how the bytes come', async () => {
    const bounded = [...VALID, ...HOSTILE.map(([, kind, content]) => [kind, content] as const)].filter(
      ([, content]) => content.length < 3000,
    );
    for (const [kind, content] of bounded) {
      const whole = await inspect(kind, content, 1 << 20);
      for (const size of [1, 3, 16]) expect(await inspect(kind, content, size)).toEqual(whole);
    }
  });

  it('on JSON is that of JSON.parse, on whatever looks like it', async () => {
    const parses = (text: string): boolean => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const mutated = fc
      .tuple(
        fc.json({ maxDepth: 4 }),
        fc.nat(),
        fc.constantFrom(...'{}[]",:\\0123-+.eEtrufalsn x\n'),
        fc.nat(2),
      )
      .map(([text, at, character, removed]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + character + text.slice(place + removed);
      });
    const soup = fc.string({
      unit: fc.constantFrom('[', ']', '{', '}', '"a"', ':', ',', '-', '0', '1', '.', 'e', 'null', ' '),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(mutated, soup, fc.json()),
        fc.integer({ min: 1, max: 9 }),
        async (text, size) => {
          fc.pre(text !== '');
          expect([text, await ruleOf('json', text, size)]).toEqual([
            text,
            parses(text) ? 'ok' : 'type.mismatch',
          ]);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('on 25 MB comes in bounded memory, and lets others have their turn', async () => {
    const size = 25 * 1024 * 1024;
    const worst: [DocumentKind, Buffer][] = [
      ['json', Buffer.from(`[${'[],'.repeat(size / 3 - 2)}0]`)],
      ['xml', Buffer.from(`<r>${'<a/>'.repeat(size / 4)}</r>`)],
      ['xml', Buffer.from(`<r><![CDATA[${']'.repeat(size)}]]></r>`)],
      ['xml', Buffer.from(`<r>${'&#9;'.repeat(size / 4)}</r>`)],
      ['xml', Buffer.from(`<r a=""${' '.repeat(size)}=""/>`)],
    ];
    for (const [kind, bytes] of worst) {
      const before = process.memoryUsage().heapUsed;
      // In processor time: what else the machine does is no pause of ours.
      const worked = () => process.cpuUsage().user / 1000;
      let [heap, pause, last] = [0, 0, worked()];
      const watched = async function* () {
        for await (const piece of inPieces(bytes)) {
          const now = worked();
          [heap, pause, last] = [
            Math.max(heap, process.memoryUsage().heapUsed - before),
            Math.max(pause, now - last),
            now,
          ];
          yield piece;
        }
      };
      await inspectDocument(watched(), kind);
      expect(heap).toBeLessThan(200e6);
      expect(pause).toBeLessThan(500); // 25 where nothing else runs
    }
  }, 60_000);
});
