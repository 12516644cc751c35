import { readU16le, readU32le } from '../dicom/element-header.js';

/** An end of central directory record is the last thing in a ZIP file but for a comment of at most 64 KiB. */
const END_RECORD_BYTES = 22;
const WINDOW_BYTES = END_RECORD_BYTES + 0xffff;
const CENTRAL_HEADER_BYTES = 46;
const UNKNOWN_U32 = 0xffffffff;

const END_RECORD = 0x06054b50;
const CENTRAL_HEADER = 0x02014b50;

/** Whether the bytes at `at` are a ZIP local file header: where a data set could go on, an archive begins. */
export function isZipLocalHeader(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x50 && bytes[at + 1] === 0x4b && bytes[at + 2] === 0x03 && bytes[at + 3] === 0x04;
}

/** Padding to a block, which some devices write behind the pixels. */
export function isAllZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * Watches the bytes of a file, or those behind the end of an object, for an archive that was appended. ZIP readers look
 * for their directory from the end of the file, so such a file would be an image to one program and an archive to another.
 */
export class TrailingBytes {
  private window = new Uint8Array(0);
  private used = 0;
  /** How many bytes were seen. */
  total = 0;

  push(bytes: Uint8Array): void {
    this.total += bytes.length;
    const kept = bytes.length > WINDOW_BYTES ? bytes.subarray(bytes.length - WINDOW_BYTES) : bytes;
    this.reserve(kept.length);
    this.window.set(kept, this.used);
    this.used += kept.length;
  }

  /** Twice the window at most, so that moving the kept bytes to the front is paid for by as many new ones. */
  private reserve(bytes: number): void {
    if (this.used + bytes <= this.window.length) return;
    const kept = this.window.subarray(Math.max(0, this.used - WINDOW_BYTES), this.used);
    const wanted = Math.min(2 * WINDOW_BYTES, Math.max(64, 2 * (kept.length + bytes)));
    const grown = wanted > this.window.length ? new Uint8Array(wanted) : this.window;
    if (grown === this.window) this.window.copyWithin(0, this.used - kept.length, this.used);
    else grown.set(kept, 0);
    this.used = kept.length;
    this.window = grown;
  }

  /**
   * Where a structurally plausible end of central directory record begins, counted from the first byte pushed, or
   * undefined. Plausible: one disk, counts that agree, a directory that fits before the record and is one.
   */
  zipEndRecord(): number | undefined {
    for (const { start } of this.zipEndRecords()) return start;
    return undefined;
  }

  /** All of them, the last first, each with the offset behind its comment. Which one a program takes is its own affair. */
  *zipEndRecords(): Generator<{ readonly start: number; readonly end: number }> {
    const first = Math.max(0, this.used - WINDOW_BYTES);
    for (let at = this.used - END_RECORD_BYTES; at >= first; at--) {
      if (this.window[at] !== 0x50 || !this.isEndRecord(at)) continue;
      const start = this.total - this.used + at;
      yield { start, end: start + END_RECORD_BYTES + readU16le(this.window, at + 20) };
    }
  }

  /** Everything from `start` on (counted from the first byte pushed), or undefined if that is more than was kept. */
  from(start: number): Uint8Array | undefined {
    const count = this.total - start;
    return count > Math.min(this.used, WINDOW_BYTES)
      ? undefined
      : this.window.subarray(this.used - count, this.used);
  }

  private isEndRecord(at: number): boolean {
    const bytes = this.window;
    if (readU32le(bytes, at) !== END_RECORD) return false;
    if (at + END_RECORD_BYTES + readU16le(bytes, at + 20) > this.used) return false;
    const entries = readU16le(bytes, at + 10);
    if (readU16le(bytes, at + 4) !== readU16le(bytes, at + 6) || readU16le(bytes, at + 8) !== entries)
      return false;
    const directoryBytes = readU32le(bytes, at + 12);
    // ZIP64 keeps the true numbers in another record: nothing more can be said here, and a reader would follow it.
    if (directoryBytes === UNKNOWN_U32 || entries === 0xffff) return true;
    if (directoryBytes < entries * CENTRAL_HEADER_BYTES) return false;
    if (directoryBytes > this.total - this.used + at) return false;
    const directory = at - directoryBytes;
    return entries === 0 || directory < 0 || readU32le(bytes, directory) === CENTRAL_HEADER;
  }
}
