import { crc32, deflateRawSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';

import { openZip, type OpenZipOptions, type ZipArchive } from './archive.js';
import { bytesSource } from './range-source.js';
import { collect, ruleOf, writeZip, type ZipFixtureEntry, type ZipFixtureOptions } from './zip.fixture.js';

async function opened(bytes: Uint8Array, options?: OpenZipOptions): Promise<ZipArchive> {
  const result = await openZip(bytesSource(bytes), options);
  if (!result.ok) throw new Error(`refused: ${result.rule} at ${result.where}`);
  return result.archive;
}

async function contents(bytes: Uint8Array): Promise<[name: string, text: string][]> {
  const archive = await opened(bytes);
  const found: [string, string][] = [];
  for (const entry of archive.entries)
    found.push([entry.name, (await collect(archive.read(entry))).toString()]);
  return found;
}

const refusal = (entries: readonly ZipFixtureEntry[], options?: ZipFixtureOptions): Promise<string> =>
  ruleOf(writeZip(entries, options));

const a: ZipFixtureEntry = { name: 'a', data: 'the first entry' };
const b: ZipFixtureEntry = { name: 'd/b', data: 'the second entry, '.repeat(50) };

describe('openZip reads', () => {
  const expected = [
    ['a', 'the first entry'],
    ['d/b', 'the second entry, '.repeat(50)],
  ];

  it.each<[string, readonly ZipFixtureEntry[], ZipFixtureOptions?]>([
    ['deflated entries', [a, b]],
    ['stored entries', [a, b].map((entry) => ({ ...entry, method: 0 }))],
    ['a comment', [a, b], { comment: 'made by nobody' }],
    ['ZIP64 entries', [a, b].map((entry) => ({ ...entry, zip64: true }))],
    ['a ZIP64 directory', [a, b], { zip64End: true }],
    ['descriptors', [a, b].map((entry) => ({ ...entry, descriptor: 'plain' as const }))],
    ['descriptors without signature', [a, b].map((entry) => ({ ...entry, descriptor: 'bare' as const }))],
    ['ZIP64 descriptors', [a, b].map((entry) => ({ ...entry, zip64: true, descriptor: 'zip64' as const }))],
    ['a descriptor after sizes that were known', [{ ...a, descriptor: 'plain', local: { size: 15 } }, b]],
    ['junk between entries and directory', [a, b], { gap: new Uint8Array(100).fill(9) }],
    ['what was read from a pipe', [a, b].map((entry) => ({ ...entry, mode: 0o010600 }))],
    ['extra fields', [{ ...a, local: { extra: Uint8Array.of(0xfe, 0xca, 1, 0, 7) } }, b]],
    ['levels of compression in one header only', [{ ...a, local: { flags: 0x0806 } }, b]],
  ])('%s', async (_name, entries, options = {}) => {
    expect(await contents(writeZip(entries, options))).toEqual(expected);
  });

  it('entries in the order of their data, numbered in that of the directory', async () => {
    const bytes = writeZip([a, b]);
    const offset = bytes.indexOf('PK\x01\x02', 'latin1');
    const second = bytes.indexOf('PK\x01\x02', offset + 4, 'latin1');
    const end = bytes.indexOf('PK\x05\x06', 'latin1');
    const swapped = Buffer.concat([
      bytes.subarray(0, offset),
      bytes.subarray(second, end),
      bytes.subarray(offset, second),
      bytes.subarray(end),
    ]);
    const { entries } = await opened(swapped);
    expect(entries.map(({ name, number }) => [name, number])).toEqual([
      ['a', 2],
      ['d/b', 1],
    ]);
  });

  it('an empty archive, and directories', async () => {
    expect(await contents(writeZip([]))).toEqual([]);
    const archive = await opened(writeZip([{ name: 'd/', method: 0, mode: 0o040755 }, b]));
    expect(archive.entries.map((entry) => entry.isDirectory)).toEqual([true, false]);
  });

  it('names as the directory encodes them', async () => {
    const archive = await opened(
      writeZip([
        { name: 'Schädel/1' },
        { name: Buffer.from([0x8e]), flags: 0 }, // code page 437
        {
          name: 'plain',
          central: { extra: unicodePath('plain', 'Prüfung') },
        },
      ]),
    );
    expect(archive.entries.map((entry) => entry.name)).toEqual(['Schädel/1', 'Ä', 'Prüfung']);
  });

  it('nothing of an entry beyond what is asked for, and each entry once', async () => {
    const archive = await opened(writeZip([a, { ...b, central: { crc32: 1 }, local: { crc32: 1 } }]));
    for await (const _chunk of archive.read(archive.entries[1]!)) break; // its checksum is never looked at
    expect((await collect(archive.read(archive.entries[0]!))).toString()).toBe('the first entry');
    await expect(collect(archive.read(archive.entries[0]!))).rejects.toThrow('read once');
  });
});

function unicodePath(rawName: string, name: string): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt16LE(0x7075, 0);
  head.writeUInt16LE(5 + Buffer.byteLength(name), 2);
  head.writeUInt8(1, 4);
  head.writeUInt32LE(crc32(rawName), 5);
  return Buffer.concat([head, Buffer.from(name)]);
}

describe('openZip refuses by the directory', () => {
  it.each<[string, readonly ZipFixtureEntry[], ZipFixtureOptions?]>([
    ['zip.encrypted', [b, { ...a, flags: 0x0801 }]],
    ['zip.encrypted', [b, { ...a, method: 99, raw: Buffer.from('x') }]],
    ['zip.malformed', [b, { ...a, method: 12, raw: Buffer.from('BZh') }]],
    ['zip.path', [b, { ...a, name: '/etc/passwd' }]],
    ['zip.path', [b, { ...a, name: 'x/../../y' }]],
    ['zip.path', [b, { ...a, name: '..' }]],
    ['zip.path', [b, { ...a, name: 'x\\y' }]],
    ['zip.path', [b, { ...a, name: 'C:y' }]],
    ['zip.path', [b, { ...a, name: 'x\0y' }]],
    ['zip.path', [b, { ...a, name: '' }]],
    ['zip.path', [b, { ...a, name: 'x\x1b[2Jy' }]],
    ['zip.path', [b, { ...a, name: 'x\x1b[2Jy', flags: 0 }]], // an arrow in code page 437
    ['zip.path', [b, { ...a, name: 'x\x7f' }]],
    ['zip.path', [b, { ...a, name: 'x\u009b2Jy' }]],
    ['zip.path', [b, { ...a, name: 'x\u202egpj.exe' }]],
    ['zip.path', [b, { ...a, name: 'x\u2066y' }]],
    ['zip.path', [b, { ...a, name: 'Icon\r/x' }]],
    ['zip.path', [b, { ...a, name: 'plain', central: { extra: unicodePath('plain', 'x\u202ey') } }]],
    ['zip.path', [b, { ...a, name: 'plain', central: { extra: unicodePath('plain', '../up') } }]],
    ['zip.path', [b, { ...a, name: '../up', central: { extra: unicodePath('../up', 'plain') } }]],
    ['zip.link', [b, { ...a, data: '/etc/passwd', mode: 0o120777 }]],
    ['zip.link', [b, { ...a, mode: 0o020666 }]],
    ['zip.duplicate', [b, { ...a, name: 'd/b' }]],
    ['zip.duplicate', [b, { ...a, name: './d//b' }]],
    [
      'zip.duplicate',
      [
        { ...b, name: 'e\u0301' },
        { ...a, name: '\u00e9' },
      ],
    ],
    ['zip.lying-size', [b, { ...a, method: 0, central: { size: 4 } }]],
    ['zip.lying-size', [b, { ...a, central: { compressedBytes: 100_000 } }]],
    ['zip.lying-size', [b, { ...a, name: 'd/' }]],
    ['zip.overlap', [b, { ...a, central: { offset: 0 } }]],
    ['zip.overlap', [b, { ...a, central: { compressedBytes: 40 } }]],
  ])('%s %#', async (rule, entries, options = {}) => {
    expect(await refusal(entries, options)).toBe(
      rule === 'zip.overlap' && entries[1]!.central!.offset === 0
        ? 'open: zip.overlap at entry 1'
        : `open: ${rule} at entry 2`,
    );
  });

  it('zip.encrypted, when the whole directory may be', async () => {
    expect(await refusal([{ ...a, central: { flags: 0x0840 } }])).toBe('open: zip.encrypted at undefined');
  });

  it('zip.overlap of entries that quote each other’s headers', async () => {
    // D. Fifield, A better zip bomb (2019): each file holds the headers of the next ones, and one kernel at last.
    const kernel = deflateRawSync(Buffer.alloc(1000));
    const bomb = writeZip([
      {
        name: 'a',
        raw: Buffer.concat([kernel, Buffer.alloc(1000)]),
        central: { compressedBytes: kernel.length + 31 },
      },
      { name: 'b', raw: kernel },
    ]);
    expect(await ruleOf(bomb)).toMatch(/zip\.(overlap|header-mismatch)/);
    const shared = writeZip([
      { name: 'a', data: 'x' },
      { name: 'b', data: 'x', central: { name: 'b', offset: 0 } },
    ]);
    expect(await ruleOf(shared)).toBe('open: zip.overlap at entry 1');
  });

  it('zip.entries above 20,000', async () => {
    const many = (count: number): Buffer =>
      writeZip(Array.from({ length: count }, (_, i) => ({ name: `f${i}`, method: 0 })));
    expect((await opened(many(20_000))).entries).toHaveLength(20_000);
    expect(await ruleOf(many(20_001))).toBe('open: zip.entries at undefined');
  });

  it('zip.entries for a directory of more than 32 MiB', async () => {
    const extra = Buffer.alloc(65_000);
    extra.writeUInt16LE(0xcafe, 0);
    extra.writeUInt16LE(64_996, 2);
    const entries = Array.from({ length: 520 }, (_, i) => ({ name: `f${i}`, central: { extra } }));
    expect(await refusal(entries)).toBe('open: zip.entries at undefined');
  });

  it('zip.ratio for sizes that need not be inflated to be too large', async () => {
    const data = Buffer.alloc(300_000);
    const bytes = writeZip([{ name: 'zeros', data }]);
    expect(await ruleOf(bytes)).toBe('ok'); // below 256 MiB no ratio matters
    expect(await ruleOf(bytes, { freeBytes: 200_000 })).toBe('open: zip.ratio at undefined');
    const huge = { size: 0xf0000000 };
    expect(await refusal([{ name: 'zeros', data, local: huge, central: huge }])).toBe(
      'open: zip.ratio at undefined',
    );
  });
});

describe('zip.too-large', () => {
  const GIB = 1024 ** 3;
  /** Sizes of 64 bits are in the extra field, and 32 bits full of ones say so. */
  const claiming = (name: string, size: number): ZipFixtureEntry => {
    const extra = Buffer.alloc(12);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(8, 2);
    extra.writeBigUInt64LE(BigInt(size), 4);
    const fields = { size: 0xffffffff, extra };
    return { name, data: 'x', local: fields, central: fields };
  };
  const anyRatio = { maxRatio: Infinity };

  it('is an entry of more than 5 GiB, by the directory', async () => {
    expect(await ruleOf(writeZip([a, claiming('c', 5 * GIB + 1)]), anyRatio)).toBe(
      'open: zip.too-large at entry 2',
    );
    expect(await ruleOf(writeZip([a, claiming('c', 5 * GIB)]), anyRatio)).toBe(
      'read: zip.lying-size at entry 2',
    );
  });

  it('is an archive of more than 20 GiB, by the directory', async () => {
    const entries = ['c', 'd', 'e', 'f'].map((name) => claiming(name, 5 * GIB));
    expect(await ruleOf(writeZip([...entries, a]), anyRatio)).toBe('open: zip.too-large at undefined');
    expect(await ruleOf(writeZip(entries), anyRatio)).toBe('read: zip.lying-size at entry 1');
  });

  it('is an archive that goes beyond while it is read', async () => {
    const archive = await opened(writeZip([b, { ...b, name: 'c' }]), { maxBytes: 1800 });
    expect(archive.budget.take(1)).toBe(true);
    await collect(archive.read(archive.entries[0]!));
    await expect(collect(archive.read(archive.entries[1]!))).rejects.toMatchObject({
      rule: 'zip.too-large',
      where: 'entry 2',
    });
  });
});

describe('reading an entry refuses', () => {
  it.each<[string, ZipFixtureEntry]>([
    ['zip.header-mismatch', { ...a, local: { name: 'b' } }],
    ['zip.header-mismatch', { ...a, local: { method: 0 } }],
    ['zip.header-mismatch', { ...a, local: { flags: 0x0801 } }],
    ['zip.header-mismatch', { ...a, local: { flags: 0x0808 } }],
    ['zip.header-mismatch', { ...a, local: { size: 14 } }],
    ['zip.header-mismatch', { ...a, local: { compressedBytes: 14 } }],
    ['zip.header-mismatch', { ...a, local: { crc32: 14 } }],
    ['zip.header-mismatch', { ...a, local: { size: 0xffffffff } }],
    ['zip.header-mismatch', { ...a, local: { size: 0xffffffff, extra: Uint8Array.of(1, 0, 0, 0) } }],
    ['zip.header-mismatch', { ...a, descriptor: Buffer.alloc(16) }],
    ['zip.header-mismatch', { ...a, descriptor: 'plain', local: { size: 14 } }],
    ['zip.lying-size', { ...a, central: { size: 14 }, local: { size: 14 } }],
    ['zip.lying-size', { ...a, central: { size: 16 }, local: { size: 16 } }],
    ['zip.lying-size', { ...a, raw: Buffer.concat([deflateRawSync('the first entry'), Buffer.from('PK')]) }],
    ['zip.corrupt', { ...a, raw: deflateRawSync('the first entry').subarray(0, -3) }],
    ['zip.corrupt', { ...a, raw: Buffer.alloc(40, 0xff) }],
    ['zip.corrupt', { ...a, central: { crc32: 14 }, local: { crc32: 14 } }],
    ['zip.corrupt', { ...a, method: 0, raw: Buffer.from('the FIRST entry') }],
  ])('%s %#', async (rule, entry) => {
    expect(await refusal([b, entry])).toBe(`read: ${rule} at entry 2`);
  });

  it('zip.header-mismatch where there is no header', async () => {
    const bytes = writeZip([a, b]);
    bytes.write('XX', 0);
    expect(await ruleOf(bytes)).toBe('read: zip.header-mismatch at entry 1');
    const { archive } = (await openZip(bytesSource(bytes))) as { archive: ZipArchive };
    await expect(archive.check(archive.entries[0]!)).rejects.toMatchObject({ rule: 'zip.header-mismatch' });
  });

  it('zip.overlap through extra bytes that only the local header knows', async () => {
    const bytes = writeZip([a, b]);
    bytes.writeUInt16LE(100, 28);
    expect(await ruleOf(bytes)).toBe('read: zip.overlap at entry 1');
  });

  it('zip.ratio as a whole, not entry by entry', async () => {
    const archive = await opened(writeZip([b, { ...b, name: 'c' }]), { freeBytes: 1800, maxRatio: 1 });
    expect(archive.budget.take(1)).toBe(true); // a gzip file among the entries takes from the same budget
    await collect(archive.read(archive.entries[0]!));
    await expect(collect(archive.read(archive.entries[1]!))).rejects.toMatchObject({
      rule: 'zip.ratio',
      where: 'entry 2',
    });
  });

  it('and never quotes a name', async () => {
    const name = 'Mustermann^Max';
    const result = await openZip(bytesSource(writeZip([{ name, flags: 1 }])));
    expect(JSON.stringify(result)).not.toContain('Muster');
  });
});
