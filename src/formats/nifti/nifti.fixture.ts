export interface NiftiFixture {
  readonly version?: 1 | 2;
  readonly littleEndian?: boolean;
  /** Sizes, without the count before them. */
  readonly dimensions?: readonly number[];
  readonly datatype?: number;
  readonly bitpix?: number;
  readonly magic?: string;
  readonly voxelOffset?: number;
  /** 16 bits a voxel by default. */
  readonly voxels?: Uint8Array;
  /** Changes the finished header. */
  readonly header?: (bytes: Buffer) => void;
}

/** Writes a NIfTI file of a single part (nifti1.h, nifti2.h), honest by default: 2 x 2 x 2 voxels of 16 bits. */
export function writeNifti(options: NiftiFixture = {}): Buffer {
  const { version = 1, littleEndian = true, dimensions = [2, 2, 2], datatype = 4, bitpix = 16 } = options;
  const headerBytes = version === 1 ? 348 : 540;
  const offset = options.voxelOffset ?? headerBytes + 4;
  const bytes = Buffer.alloc(Math.max(headerBytes + 4, Number.isFinite(offset) ? Math.min(offset, 4096) : 0));
  const short = (value: number, at: number): unknown =>
    littleEndian ? bytes.writeInt16LE(value, at) : bytes.writeInt16BE(value, at);
  const long = (value: number, at: number): unknown =>
    littleEndian ? bytes.writeBigInt64LE(BigInt(value), at) : bytes.writeBigInt64BE(BigInt(value), at);
  if (littleEndian) bytes.writeInt32LE(headerBytes, 0);
  else bytes.writeInt32BE(headerBytes, 0);
  const dim = [dimensions.length, ...dimensions];
  if (version === 1) {
    dim.forEach((size, i) => short(size, 40 + 2 * i));
    short(datatype, 70);
    short(bitpix, 72);
    if (littleEndian) bytes.writeFloatLE(offset, 108);
    else bytes.writeFloatBE(offset, 108);
    bytes.write(options.magic ?? 'n+1\0', 344, 'latin1');
  } else {
    bytes.write(options.magic ?? 'n+2\0\r\n\x1a\n', 4, 'latin1');
    short(datatype, 12);
    short(bitpix, 14);
    dim.forEach((size, i) => long(size, 16 + 8 * i));
    long(offset, 168);
  }
  options.header?.(bytes);
  const voxels =
    options.voxels ??
    Buffer.alloc(
      dimensions.reduce((total, size) => total * size, 2),
      7,
    );
  return Buffer.concat([bytes, voxels]);
}

/** A set of four volumes: one without a gradient, three along the axes. */
export const diffusion = {
  nii: writeNifti({ dimensions: [2, 2, 2, 4] }),
  bval: Buffer.from('0 1000 1000 1000\n'),
  bvec: Buffer.from('0 1 0 0\n0 0 1 0\n0 0 0 -1\n'),
};
