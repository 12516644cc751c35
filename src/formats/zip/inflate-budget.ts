/** Below this many inflated bytes no ratio is looked at: small files of zeros are no attack. */
const FREE_BYTES = 256 * 1024 * 1024;
const MAX_RATIO = 200;
/** 20 GiB, far more than a study: how long one archive keeps a worker busy has an end, whatever its ratio. */
const MAX_INFLATED_BYTES = 20 * 1024 ** 3;

export interface InflateBudgetOptions {
  /** Inflated bytes that are always allowed; 256 MiB by default. */
  readonly freeBytes?: number;
  /** Inflated bytes allowed a compressed one; 200 by default. */
  readonly maxRatio?: number;
  /** Inflated bytes that are never exceeded; 20 GiB by default. */
  readonly maxBytes?: number;
}

/** What all entries of an archive together, and the gzip files among them, may inflate to. */
export class InflateBudget {
  readonly limit: number;
  /** The rule that is broken beyond it. */
  readonly rule: 'zip.ratio' | 'zip.too-large';
  private used = 0;

  /** @param compressedBytes the sum over the entries, so that junk between them buys nothing. */
  constructor(compressedBytes: number, options: InflateBudgetOptions = {}) {
    const byRatio = Math.max(
      options.freeBytes ?? FREE_BYTES,
      compressedBytes * (options.maxRatio ?? MAX_RATIO),
    );
    const maxBytes = options.maxBytes ?? MAX_INFLATED_BYTES;
    this.limit = Math.min(byRatio, maxBytes);
    this.rule = byRatio > maxBytes ? 'zip.too-large' : 'zip.ratio';
  }

  /** Counts inflated bytes; false once they are too many. */
  take(bytes: number): boolean {
    this.used += bytes;
    return this.used <= this.limit;
  }
}
