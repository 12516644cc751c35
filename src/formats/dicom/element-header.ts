import type { Encoding } from './transfer-syntax.js';
import type { Tag } from './tag.js';
import { explicitHeaderSize, VR_NONE, type VrCode } from './vr.js';

/** The length that says "until the delimiter" (PS3.5 section 7.1.1). */
export const UNDEFINED_LENGTH = 0xffffffff;

/** Bytes that any element, item or delimiter begins with. */
export const MIN_HEADER_BYTES = 8;

/** What `ElementHeader.read` answers instead of a size. */
export const NEEDS_MORE_BYTES = 0;
export const ILLEGAL_VR = -1;

/**
 * Tag, VR and length of one element. One instance is reused for all elements of an object: a header has thousands of
 * them, and an allocation for each would be most of the cost of reading it.
 */
export class ElementHeader {
  tag: Tag = 0;
  vr: VrCode = VR_NONE;
  length = 0;

  /**
   * Reads the header at `at`, of which `available` bytes (8 or more) are at hand.
   * @returns its size in bytes, 8 or 12, or `NEEDS_MORE_BYTES` (12 are wanted), or `ILLEGAL_VR`.
   */
  read(bytes: Uint8Array, at: number, available: number, encoding: Encoding): number {
    const little = encoding.littleEndian;
    const group = little ? readU16le(bytes, at) : readU16be(bytes, at);
    const element = little ? readU16le(bytes, at + 2) : readU16be(bytes, at + 2);
    this.tag = ((group << 16) | element) >>> 0;
    // Items and delimiters never carry a VR (PS3.5 section 7.5).
    if (!encoding.explicitVr || group === 0xfffe) {
      this.vr = VR_NONE;
      this.length = little ? readU32le(bytes, at + 4) : readU32be(bytes, at + 4);
      return 8;
    }
    this.vr = readU16be(bytes, at + 4);
    const size = explicitHeaderSize(this.vr, readU16le(bytes, at + 6));
    if (size === 0) return ILLEGAL_VR;
    if (size === 8) {
      this.length = little ? readU16le(bytes, at + 6) : readU16be(bytes, at + 6);
      return 8;
    }
    if (available < 12) return NEEDS_MORE_BYTES;
    this.length = little ? readU32le(bytes, at + 8) : readU32be(bytes, at + 8);
    return 12;
  }
}

export function readU16le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function readU16be(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readU32le(bytes: Uint8Array, at: number): number {
  return (readU16le(bytes, at) | (readU16le(bytes, at + 2) << 16)) >>> 0;
}

function readU32be(bytes: Uint8Array, at: number): number {
  return ((readU16be(bytes, at) << 16) | readU16be(bytes, at + 2)) >>> 0;
}
