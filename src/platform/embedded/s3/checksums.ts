import { type Hash, createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { crc32c } from './crc32c.js';

/** Checksums of S3 that this server computes; crc64nvme is not among them. */
export type ChecksumAlgorithm = 'crc32' | 'crc32c' | 'sha1' | 'sha256';

/** Length in bytes of each checksum. */
const LENGTHS: Record<ChecksumAlgorithm, number> = { crc32: 4, crc32c: 4, sha1: 20, sha256: 32 };

export function isChecksumAlgorithm(name: string): name is ChecksumAlgorithm {
  return Object.hasOwn(LENGTHS, name);
}

/** True for base64 of the right length. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean {
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === LENGTHS[algorithm] && bytes.toString('base64') === value;
}

/** A running checksum; `value` is base64 as in the x-amz-checksum-* headers (CRCs big-endian). */
export class Checksum {
  private readonly hash: Hash | undefined;
  private crc = 0;

  constructor(readonly algorithm: ChecksumAlgorithm) {
    if (algorithm === 'sha1' || algorithm === 'sha256') this.hash = createHash(algorithm);
  }

  update(chunk: Buffer): void {
    if (this.hash) this.hash.update(chunk);
    else this.crc = this.algorithm === 'crc32' ? crc32(chunk, this.crc) : crc32c(chunk, this.crc);
  }

  /** Ends the computation. */
  value(): string {
    if (this.hash) return this.hash.digest('base64');
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.crc >>> 0);
    return bytes.toString('base64');
  }
}
