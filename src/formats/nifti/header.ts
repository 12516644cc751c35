import { type NiftiFailure, niftiFailure } from './rules.js';

/** Bytes of the longer of the two headers, after which the header of any file can be read. */
export const MAX_NIFTI_HEADER_BYTES = 540;

/** What a NIfTI header says of its voxels. */
export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** Sizes along x, y, z, time and so on, 1 to 7 of them. */
  readonly dimensions: readonly number[];
  /** Volumes of x, y and z: the product of all further dimensions. */
  readonly volumes: number;
  /** The type's code in nifti1.h, `DT_INT16` is 4. */
  readonly datatype: number;
  readonly bitsPerVoxel: number;
  /** Bytes of the file before the first voxel. */
  readonly voxelOffset: number;
  /** Bytes of all voxels. */
  readonly voxelBytes: number;
}

export type NiftiHeaderResult = ({ readonly ok: true } & NiftiHeader) | NiftiFailure;

/** Bits of a voxel, by datatype (nifti1.h, DT_*). Of single bits (1) there is no agreement how they are packed. */
const BITS_PER_VOXEL: ReadonlyMap<number, number> = new Map([
  [2, 8],
  [4, 16],
  [8, 32],
  [16, 32],
  [32, 64],
  [64, 64],
  [128, 24],
  [256, 8],
  [512, 16],
  [768, 32],
  [1024, 64],
  [1280, 64],
  [1536, 128],
  [1792, 128],
  [2048, 256],
  [2304, 32],
]);
const MAX_DIMENSIONS = 7;

/** Where the two versions keep the same things. */
interface Layout {
  readonly version: 1 | 2;
  readonly bytes: number;
  readonly magicAt: number;
  readonly magic: string;
  readonly datatypeAt: number;
  readonly bitpixAt: number;
}
const NIFTI_1: Layout = {
  version: 1,
  bytes: 348,
  magicAt: 344,
  magic: 'n+1\0',
  datatypeAt: 70,
  bitpixAt: 72,
};
const NIFTI_2: Layout = {
  version: 2,
  bytes: 540,
  magicAt: 4,
  magic: 'n+2\0\r\n\x1a\n',
  datatypeAt: 12,
  bitpixAt: 14,
};
/** Every single file has four bytes behind its header that say whether there are extensions. */
const EXTENDER_BYTES = 4;

/**
 * Reads a header of NIfTI-1 (348 bytes) or NIfTI-2 (540), in either byte order. Pairs of .hdr and .img are refused:
 * they are half a file each.
 * @param head the first 540 bytes of the file, or all there are.
 */
export function readNiftiHeader(head: Buffer): NiftiHeaderResult {
  const fields = fieldsOf(head);
  if (fields === undefined) return niftiFailure('nifti.header', 'sizeof_hdr');
  const { layout, littleEndian, short, dimension, voxelOffset } = fields;
  if (head.toString('latin1', layout.magicAt, layout.magicAt + layout.magic.length) !== layout.magic)
    return niftiFailure('nifti.header', 'magic');

  const count = dimension(0);
  if (!(count >= 1 && count <= MAX_DIMENSIONS)) return niftiFailure('nifti.header', 'dim[0]');
  const dimensions = Array.from({ length: count }, (_, i) => dimension(i + 1));
  const empty = dimensions.findIndex((size) => size < 1);
  if (empty >= 0) return niftiFailure('nifti.header', `dim[${empty + 1}]`);

  const datatype = short(layout.datatypeAt);
  const bitsPerVoxel = BITS_PER_VOXEL.get(datatype);
  if (bitsPerVoxel === undefined) return niftiFailure('nifti.header', 'datatype');
  if (short(layout.bitpixAt) !== bitsPerVoxel) return niftiFailure('nifti.header', 'bitpix');

  const offset = voxelOffset();
  if (!Number.isSafeInteger(offset) || offset < layout.bytes + EXTENDER_BYTES)
    return niftiFailure('nifti.header', 'vox_offset');
  return {
    ok: true,
    version: layout.version,
    littleEndian,
    dimensions,
    volumes: product(dimensions.slice(3)),
    datatype,
    bitsPerVoxel,
    voxelOffset: offset,
    // A double: more than 2^53 bytes are not exact, and not in any file either.
    voxelBytes: product(dimensions) * (bitsPerVoxel / 8),
  };
}

interface Fields {
  readonly layout: Layout;
  readonly littleEndian: boolean;
  readonly short: (at: number) => number;
  readonly dimension: (index: number) => number;
  readonly voxelOffset: () => number;
}

/** By the size at the start, which tells version and byte order; undefined if it is neither's. */
function fieldsOf(head: Buffer): Fields | undefined {
  if (head.length < 4) return undefined;
  for (const layout of [NIFTI_1, NIFTI_2]) {
    for (const littleEndian of [true, false]) {
      const size = littleEndian ? head.readInt32LE(0) : head.readInt32BE(0);
      if (size !== layout.bytes || head.length < layout.bytes) continue;
      const short = (at: number): number => (littleEndian ? head.readInt16LE(at) : head.readInt16BE(at));
      const long = (at: number): number =>
        Number(littleEndian ? head.readBigInt64LE(at) : head.readBigInt64BE(at));
      const float = (at: number): number => (littleEndian ? head.readFloatLE(at) : head.readFloatBE(at));
      return layout.version === 1
        ? { layout, littleEndian, short, dimension: (i) => short(40 + 2 * i), voxelOffset: () => float(108) }
        : { layout, littleEndian, short, dimension: (i) => long(16 + 8 * i), voxelOffset: () => long(168) };
    }
  }
  return undefined;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}
