import { describe, expect, it } from '@jest/globals';

import { ruleOf, writeZip, type ZipFixtureEntry } from './zip.fixture.js';

const a: ZipFixtureEntry = { name: 'a', data: 'the first entry' };
const b: ZipFixtureEntry = { name: 'd/b', data: 'the second entry' };

describe('openZip refuses as malformed', () => {
  const honest = writeZip([a, b]);

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['noise', Buffer.alloc(1000, 'PK')],
    ['an archive that is cut', honest.subarray(0, -1)],
    ['bytes behind the end', Buffer.concat([honest, Uint8Array.of(0)])],
    ['bytes before the start', Buffer.concat([Uint8Array.of(0), honest])],
    ['two end records', writeZip([a], { comment: honest.toString('latin1') })],
    ['several disks', writeZip([a], { end: (record) => record.writeUInt16LE(1, 4) })],
    ['entries on other disks', writeZip([a, b], { end: (record) => record.writeUInt16LE(1, 8) })],
    ['fewer entries than there are', writeZip([a, b], { end: countOf(1) })],
    ['more entries than there are', writeZip([a, b], { end: countOf(3) })],
    ['a directory elsewhere', writeZip([a], { end: (record) => record.writeUInt32LE(1, 16) })],
    ['a gap behind the directory', writeZip([a], { gapBehind: Buffer.from('x') })],
    ['another count in ZIP64', writeZip([a], { zip64End: true, end: countOf(2) })],
    ['a ZIP64 record elsewhere', writeZip([a], { zip64End: true, end64: (r) => r.writeUInt32LE(7, 64) })],
    [
      'a ZIP64 record of another size',
      writeZip([a], { zip64End: true, end64: (r) => r.writeUInt32LE(45, 4) }),
    ],
    [
      'a ZIP64 record without its mark',
      writeZip([a], { zip64End: true, end64: (r) => r.writeUInt32LE(7, 0) }),
    ],
    ['ZIP64 disks', writeZip([a], { zip64End: true, end64: (r) => r.writeUInt32LE(1, 16) })],
    [
      'ZIP64 sizes that are not there',
      writeZip([
        {
          ...a,
          central: { size: 0xffffffff, compressedBytes: 0xffffffff, extra: Uint8Array.of(1, 0, 0, 0) },
        },
      ]),
    ],
    ['extra fields that overflow', writeZip([{ ...a, central: { extra: Uint8Array.of(1, 0, 99, 0) } }])],
  ])('%s', async (_name, bytes) => {
    expect(await ruleOf(bytes)).toBe('open: zip.malformed at undefined');
  });

  function countOf(count: number): (record: Buffer) => void {
    return (record) => {
      record.writeUInt16LE(count, 8);
      record.writeUInt16LE(count, 10);
    };
  }
});
