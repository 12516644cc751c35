import { createGunzip, type Gunzip } from 'node:zlib';

import type { InflateBudget } from '../zip/inflate-budget.js';
import { MAX_NIFTI_HEADER_BYTES, type NiftiHeader, readNiftiHeader } from './header.js';
import { type NiftiFailure, niftiFailure, type NiftiRule } from './rules.js';

export type NiftiVerdict = { readonly ok: true; readonly header: NiftiHeader } | NiftiFailure;

/** Bytes that zlib hands out at a time. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Verifies one NIfTI file, gzipped or not, in one pass over its bytes: its header, and that the voxels it promises are
 * there. Chunks may be of any size and have to stay as they are until the end; voxels are counted, never kept.
 * It never throws.
 */
export class NiftiInspector {
  private readonly head = Buffer.alloc(MAX_NIFTI_HEADER_BYTES);
  /** Bytes of the file, inflated. */
  private length = 0;
  /** The first byte, when it came alone: two of them tell whether the file is gzipped. */
  private first: Uint8Array | undefined;
  private started = false;
  private gunzip: InflateOfFile | undefined;

  /** @param budget what a gzipped file may inflate to, together with all else that takes from it. */
  constructor(private readonly budget: InflateBudget) {}

  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.started) return this.pass(chunk);
    const start = this.first === undefined ? chunk : Buffer.concat([this.first, chunk]);
    if (start.length < 2) this.first = Uint8Array.from(start);
    else this.start(start);
  }

  /** Set while the reader cannot take more (gzipped files): wait for it before the next `write`. */
  get drained(): Promise<void> | undefined {
    return this.gunzip?.drained;
  }

  /** The verdict on the whole file. Call once, after the last chunk. */
  async end(): Promise<NiftiVerdict> {
    const failure = await this.gunzip?.end();
    if (failure !== undefined) return niftiFailure(failure);
    const result = readNiftiHeader(this.head.subarray(0, Math.min(this.length, MAX_NIFTI_HEADER_BYTES)));
    if (!result.ok) return result;
    const { ok: _, ...header } = result;
    if (this.length < header.voxelOffset + header.voxelBytes) return niftiFailure('nifti.truncated');
    return { ok: true, header };
  }

  private start(bytes: Uint8Array): void {
    this.started = true;
    if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      this.gunzip = new InflateOfFile((inflated) => this.take(inflated), this.budget);
    this.pass(bytes);
  }

  private pass(chunk: Uint8Array): void {
    if (this.gunzip === undefined) this.take(chunk);
    else this.gunzip.write(chunk);
  }

  private take(bytes: Uint8Array): void {
    if (this.length < MAX_NIFTI_HEADER_BYTES)
      this.head.set(bytes.subarray(0, MAX_NIFTI_HEADER_BYTES - this.length), this.length);
    this.length += bytes.length;
  }
}

/** Inflates gzip (RFC 1952) off the main thread, and stops where the budget does. */
class InflateOfFile {
  private readonly stream: Gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  private readonly finished: Promise<void>;
  private failure: NiftiRule | undefined;
  private done = false;
  private full: Promise<void> | undefined;
  private release: (() => void) | undefined;

  constructor(consume: (bytes: Uint8Array) => void, budget: InflateBudget) {
    this.finished = new Promise((resolve) => {
      const finish = (failure?: NiftiRule): void => {
        if (!this.done) this.failure = failure;
        this.done = true;
        this.release?.();
        resolve();
      };
      this.stream.on('data', (bytes: Uint8Array) => {
        if (this.done) return;
        if (budget.take(bytes.length)) return consume(bytes);
        finish('nifti.ratio');
        this.stream.destroy();
      });
      this.stream.on('drain', () => this.release?.());
      this.stream.on('end', () => finish());
      this.stream.on('error', (error: NodeJS.ErrnoException) =>
        finish(error.code === 'Z_BUF_ERROR' ? 'nifti.truncated' : 'nifti.corrupt'),
      );
      this.stream.on('close', () => finish('nifti.corrupt'));
    });
  }

  write(chunk: Uint8Array): void {
    if (this.done || this.stream.write(chunk) || this.full !== undefined) return;
    this.full = new Promise((resolve) => {
      this.release = (): void => {
        this.full = this.release = undefined;
        resolve();
      };
    });
  }

  get drained(): Promise<void> | undefined {
    return this.full;
  }

  async end(): Promise<NiftiRule | undefined> {
    if (!this.done) this.stream.end();
    await this.finished;
    return this.failure;
  }
}
