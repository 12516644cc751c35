import type { BlockReader } from './block-reader.js';
import type { ZipEntry } from './entry.js';
import { placeOf, ZipRefusal } from './rules.js';

const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const DESCRIPTOR = 0x08074b50;
/** With its optional signature and sizes of 64 bits. */
const MAX_DESCRIPTOR_BYTES = 24;
const ZIP64_EXTRA = 0x0001;
const UNKNOWN_U32 = 0xffffffff;

/** Sizes and checksum come behind the data (APPNOTE.TXT section 4.3.9). */
const HAS_DESCRIPTOR = 0x0008;
/** How hard the writer tried to compress; some write it in one of the two headers only. */
const COMPRESSION_EFFORT = 0x0006;

/**
 * Reads the header before an entry's data, and the descriptor behind it, and demands that they say what the directory
 * says: a reader that goes through the file would otherwise find other entries than one that asks the directory.
 * @param limit where the next entry, or the directory, begins.
 * @returns the offset of the data in the archive.
 * @throws {ZipRefusal} or what the source throws
 */
export async function locateData(reader: BlockReader, entry: ZipEntry, limit: number): Promise<number> {
  const { header } = entry;
  const where = placeOf(entry);
  const fixed = await reader.read(header.offset, LOCAL_HEADER_BYTES);
  if (fixed.length < LOCAL_HEADER_BYTES || fixed.readUInt32LE(0) !== LOCAL_HEADER)
    throw new ZipRefusal('zip.header-mismatch', where);
  const flags = fixed.readUInt16LE(6);
  const nameBytes = fixed.readUInt16LE(26);
  const dataOffset = header.offset + LOCAL_HEADER_BYTES + nameBytes + fixed.readUInt16LE(28);
  const dataEnd = dataOffset + entry.compressedBytes;
  if (dataEnd > limit) throw new ZipRefusal('zip.overlap', where);

  const variable = await reader.read(
    header.offset + LOCAL_HEADER_BYTES,
    dataOffset - header.offset - LOCAL_HEADER_BYTES,
  );
  const agree =
    ((flags ^ header.flags) & ~COMPRESSION_EFFORT) === 0 &&
    fixed.readUInt16LE(8) === header.method &&
    variable.subarray(0, nameBytes).equals(header.rawName) &&
    sizesAgree(fixed, variable.subarray(nameBytes), entry);
  if (!agree) throw new ZipRefusal('zip.header-mismatch', where);
  if ((flags & HAS_DESCRIPTOR) !== 0) {
    const behind = await reader.read(dataEnd, Math.min(MAX_DESCRIPTOR_BYTES, limit - dataEnd));
    if (!descriptorAgrees(behind, entry)) throw new ZipRefusal('zip.header-mismatch', where);
  }
  return dataOffset;
}

function sizesAgree(fixed: Buffer, extra: Buffer, entry: ZipEntry): boolean {
  const crc32 = fixed.readUInt32LE(14);
  const sizes = localSizes(fixed, extra);
  if (sizes === undefined) return false;
  const known = crc32 === entry.header.crc32;
  if (known && sizes.compressed === entry.compressedBytes && sizes.inflated === entry.size) return true;
  if ((entry.header.flags & HAS_DESCRIPTOR) === 0) return false;
  // Not known yet when the header was written: each is right, or zero.
  return (
    (known || crc32 === 0) &&
    (sizes.compressed === entry.compressedBytes || sizes.compressed === 0) &&
    (sizes.inflated === entry.size || sizes.inflated === 0)
  );
}

function localSizes(fixed: Buffer, extra: Buffer): { compressed: number; inflated: number } | undefined {
  let compressed = fixed.readUInt32LE(18);
  let inflated = fixed.readUInt32LE(22);
  if (compressed !== UNKNOWN_U32 && inflated !== UNKNOWN_U32) return { compressed, inflated };
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== ZIP64_EXTRA) continue;
    let next = at + 4;
    const end = Math.min(extra.length, next + extra.readUInt16LE(at + 2));
    if (inflated === UNKNOWN_U32) {
      if (next + 8 > end) return undefined;
      inflated = Number(extra.readBigUInt64LE(next));
      next += 8;
    }
    if (compressed === UNKNOWN_U32) {
      if (next + 8 > end) return undefined;
      compressed = Number(extra.readBigUInt64LE(next));
    }
    return { compressed, inflated };
  }
  return undefined;
}

/** Four forms are in use: with or without a signature, with sizes of 32 or 64 bits. */
function descriptorAgrees(behind: Buffer, entry: ZipEntry): boolean {
  const { compressedBytes, size, header } = entry;
  return [4, 8].some((width) => {
    const form = Buffer.alloc(8 + 2 * width);
    form.writeUInt32LE(DESCRIPTOR, 0);
    form.writeUInt32LE(header.crc32, 4);
    if (width === 8) {
      form.writeBigUInt64LE(BigInt(compressedBytes), 8);
      form.writeBigUInt64LE(BigInt(size), 16);
    } else if (compressedBytes <= UNKNOWN_U32 && size <= UNKNOWN_U32) {
      form.writeUInt32LE(compressedBytes, 8);
      form.writeUInt32LE(size, 12);
    } else return false;
    const bare = form.subarray(4);
    return behind.subarray(0, form.length).equals(form) || behind.subarray(0, bare.length).equals(bare);
  });
}
