import { gzipSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { InflateBudget } from '../zip/inflate-budget.js';
import { NiftiInspector, type NiftiVerdict } from './inspector.js';
import { type NiftiFixture, writeNifti } from './nifti.fixture.js';

async function inspect(
  bytes: Uint8Array,
  sizes: readonly number[] = [bytes.length],
  budget = new InflateBudget(bytes.length),
): Promise<NiftiVerdict> {
  const inspector = new NiftiInspector(budget);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    inspector.write(bytes.subarray(at, at + size));
    if (inspector.drained) await inspector.drained;
    at += size;
  }
  return inspector.end();
}

const refused = (options: NiftiFixture): Promise<NiftiVerdict> => inspect(writeNifti(options));

describe('NiftiInspector accepts', () => {
  it.each([
    [1, true],
    [1, false],
    [2, true],
    [2, false],
  ] as const)('NIfTI-%i, little endian: %s', async (version, littleEndian) => {
    const file = writeNifti({ version, littleEndian, dimensions: [3, 2, 2, 5, 1, 2] });
    const header = {
      version,
      littleEndian,
      dimensions: [3, 2, 2, 5, 1, 2],
      volumes: 10,
      datatype: 4,
      bitsPerVoxel: 16,
      voxelOffset: version === 1 ? 352 : 544,
      voxelBytes: 240,
    };
    expect(await inspect(file)).toEqual({ ok: true, header });
    expect(await inspect(gzipSync(file))).toEqual({ ok: true, header });
  });

  it.each<[string, NiftiFixture]>([
    ['a line', { dimensions: [8] }],
    ['three dimensions, which are one volume', { dimensions: [2, 2, 2] }],
    ['extensions before the voxels', { voxelOffset: 1024 }],
    ['bytes behind the voxels', { voxels: Buffer.alloc(17) }],
    ['complex numbers of 256 bits', { datatype: 2048, bitpix: 256, voxels: Buffer.alloc(256) }],
    ['sizes behind the last dimension', { header: (bytes) => bytes.writeInt16LE(-1, 48) }],
  ])('%s', async (_name, options) => {
    expect(await refused(options)).toMatchObject({ ok: true, header: { volumes: 1 } });
  });

  it('gzip in several members, and NULs behind them', async () => {
    const file = writeNifti();
    const members = [gzipSync(file.subarray(0, 100)), gzipSync(file.subarray(100)), Buffer.alloc(512)];
    expect(await inspect(Buffer.concat(members))).toMatchObject({ ok: true });
  });

  it('the same, however the bytes are split', async () => {
    const file = writeNifti({ dimensions: [40, 40, 40] });
    const files = [
      file,
      gzipSync(file),
      file.subarray(0, -1),
      gzipSync(file).subarray(0, -9),
      Buffer.alloc(3),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 10 }),
        async (bytes, sizes) => {
          expect(await inspect(bytes, sizes)).toEqual(await inspect(bytes));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('NiftiInspector refuses', () => {
  it.each<[string, NiftiFixture]>([
    ['sizeof_hdr', { header: (bytes) => bytes.writeInt32LE(349, 0) }],
    ['magic', { magic: 'ni1\0' }], // half of a pair
    ['magic', { version: 2, magic: 'ni2\0\r\n\x1a\n' }],
    ['magic', { version: 2, magic: 'n+2\0\n\x1a\n\n' }], // sent as text
    ['magic', { magic: '\0\0\0\0' }], // ANALYZE 7.5
    ['dim[0]', { header: (bytes) => bytes.writeInt16LE(0, 40) }],
    ['dim[0]', { header: (bytes) => bytes.writeInt16LE(8, 40) }],
    ['dim[2]', { dimensions: [2, 0, 2] }],
    ['dim[3]', { version: 2, dimensions: [2, 2, -2], voxels: Buffer.alloc(16) }],
    ['datatype', { datatype: 0 }],
    ['datatype', { datatype: 1, bitpix: 1 }],
    ['bitpix', { bitpix: 32 }],
    ['vox_offset', { voxelOffset: 348 }],
    ['vox_offset', { voxelOffset: 352.5 }],
    ['vox_offset', { voxelOffset: NaN }],
    ['vox_offset', { voxelOffset: Infinity }],
    ['vox_offset', { version: 2, voxelOffset: 540 }],
  ])('nifti.header at %s %#', async (where, options) => {
    expect(await refused(options)).toMatchObject({ ok: false, rule: 'nifti.header', where });
  });

  it('nifti.header for nothing, or less than a header', async () => {
    for (const length of [0, 1, 3, 4, 347])
      expect(await inspect(writeNifti().subarray(0, length))).toMatchObject({ rule: 'nifti.header' });
    expect(await inspect(gzipSync(Buffer.alloc(0)))).toMatchObject({ rule: 'nifti.header' });
  });

  it('nifti.truncated', async () => {
    expect(await inspect(writeNifti().subarray(0, -1))).toMatchObject({ rule: 'nifti.truncated' });
    expect(await refused({ dimensions: Array(7).fill(0x7fff), voxels: Buffer.alloc(9) })).toMatchObject({
      rule: 'nifti.truncated',
    });
    const huge = { version: 2, dimensions: Array(7).fill(2 ** 53), voxels: Buffer.alloc(9) } as const;
    expect(await refused(huge)).toMatchObject({ rule: 'nifti.truncated' });
    expect(await inspect(gzipSync(writeNifti()).subarray(0, -9))).toMatchObject({ rule: 'nifti.truncated' });
  });

  it('nifti.corrupt', async () => {
    const damaged = gzipSync(writeNifti());
    damaged.writeUInt32LE(0, damaged.length - 8);
    expect(await inspect(damaged)).toMatchObject({ rule: 'nifti.corrupt' });
    const trailed = Buffer.concat([gzipSync(writeNifti()), Buffer.from('PK')]);
    expect(await inspect(trailed)).toMatchObject({ rule: 'nifti.corrupt' });
  });

  it('nifti.ratio, soon, and takes no more', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const budget = new InflateBudget(0, { freeBytes: 1024 * 1024 });
    expect(await inspect(bomb, [1000], budget)).toMatchObject({ rule: 'nifti.ratio' });
    expect(await inspect(gzipSync(writeNifti()), undefined, budget)).toMatchObject({ rule: 'nifti.ratio' });
  });
});
