import { createInflateRaw, type InflateRaw } from 'node:zlib';

import { readU32le } from './element-header.js';
import type { DicomFailure } from './rules.js';
import { isAllZero, TrailingBytes } from '../zip/trailing-bytes.js';

/** Bytes handed to zlib at a time: blocks of one size make its answers independent of how the input was split. */
const BLOCK_BYTES = 64 * 1024;

/**
 * Inflates a deflated data set (PS3.5 annex A.5) off the main thread, block by block, so that neither the compressed
 * nor the inflated bytes are ever held as a whole, and stops at a bound: a bomb costs no more than the bound does.
 */
export class BoundedInflate {
  private readonly inflate: InflateRaw = createInflateRaw();
  private readonly finished: Promise<void>;
  private full: Promise<void> | undefined;
  private block = new Uint8Array(BLOCK_BYTES);
  private blockLength = 0;
  private inflated = 0;
  private compressed = 0;
  private done = false;
  private tooLarge = false;
  private error: NodeJS.ErrnoException | undefined;
  private readonly trailing = new TrailingBytes();

  /**
   * @param limit the most bytes accepted, before as after inflating.
   * @param consume gets the inflated bytes; returns false when it wants no more.
   */
  constructor(
    private readonly limit: number,
    consume: (bytes: Uint8Array) => boolean,
  ) {
    this.finished = new Promise((resolve) => {
      const finish = (): void => {
        this.done = true;
        resolve();
      };
      this.inflate.on('data', (bytes: Uint8Array) => {
        if (this.done) return;
        const wanted = consume(bytes.subarray(0, Math.min(bytes.length, this.limit - this.inflated)));
        this.inflated += bytes.length;
        this.tooLarge = wanted && this.inflated > this.limit;
        if (wanted && !this.tooLarge) return;
        finish();
        this.inflate.destroy();
      });
      this.inflate.on('end', finish);
      this.inflate.on('error', (error) => {
        if (!this.done) this.error = error;
        finish();
      });
      this.inflate.on('close', finish);
    });
  }

  write(chunk: Uint8Array): void {
    this.trailing.push(chunk);
    let at = 0;
    while (at < chunk.length && !this.done && this.compressed <= this.limit) {
      const count = Math.min(BLOCK_BYTES - this.blockLength, chunk.length - at);
      this.block.set(chunk.subarray(at, at + count), this.blockLength);
      this.blockLength += count;
      at += count;
      if (this.blockLength === BLOCK_BYTES) this.flushBlock();
    }
  }

  /** Set while zlib has more than it can take: wait for it before the next chunk, or the whole file piles up in memory. */
  get drained(): Promise<unknown> | undefined {
    return this.full && Promise.race([this.full, this.finished]); // a stream that failed never drains
  }

  /** Says whether the stream was whole and where it ends in the file. Call once, after the last chunk. */
  async end(offset: number): Promise<DicomFailure | undefined> {
    if (!this.done) {
      this.flushBlock();
      this.inflate.end();
    }
    await this.finished;
    if (this.tooLarge || this.compressed > this.limit) return { rule: 'dicom.header-too-large' };
    if (this.error !== undefined) {
      return { rule: this.error.code === 'Z_BUF_ERROR' ? 'dicom.truncated' : 'dicom.malformed' };
    }
    const streamEnd = this.inflate.bytesWritten;
    const archiveEnd = this.trailing.zipEndRecord();
    if (archiveEnd !== undefined && archiveEnd >= streamEnd) {
      return { rule: 'dicom.polyglot', where: `byte ${offset + archiveEnd}` };
    }
    // One NUL makes the length even (PS3.5 annex A.5); more of them are padding, anything else is not DICOM.
    const rest = this.trailing.from(streamEnd);
    if (rest !== undefined && (isAllZero(rest) || this.isGzipTrailer(rest))) return undefined;
    return { rule: 'dicom.malformed', where: `byte ${offset + streamEnd}` };
  }

  /** Some old writers left the checksum and size of gzip (RFC 1952 section 2.3.1) behind the stream. */
  private isGzipTrailer(rest: Uint8Array): boolean {
    return rest.length >= 8 && readU32le(rest, 4) === this.inflated && isAllZero(rest.subarray(8));
  }

  private flushBlock(): void {
    if (this.blockLength === 0) return;
    this.compressed += this.blockLength;
    if (!this.inflate.write(this.block.subarray(0, this.blockLength)))
      this.full ??= new Promise((resolve) =>
        this.inflate.once('drain', () => {
          this.full = undefined;
          resolve();
        }),
      );
    this.block = new Uint8Array(BLOCK_BYTES);
    this.blockLength = 0;
  }
}
