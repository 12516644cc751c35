/** Below this many inflated bytes no ratio is looked at: small files of zeros are no attack. */
const FREE_BYTES = 256 * 1024 * 1024;
const MAX_RATIO = 200;

export interface InflateBudgetOptions {
  /** Inflated bytes that are always allowed; 256 MiB by default. */
  readonly freeBytes?: number;
  /** Inflated bytes allowed a compressed one; 200 by default. */
  readonly maxRatio?: number;
}

/** What all entries of an archive together, and the gzip files among them, may inflate to. */
export class InflateBudget {
  readonly limit: number;
  private used = 0;

  /** @param compressedBytes the sum over the entries, so that junk between them buys nothing. */
  constructor(compressedBytes: number, options: InflateBudgetOptions = {}) {
    this.limit = Math.max(options.freeBytes ?? FREE_BYTES, compressedBytes * (options.maxRatio ?? MAX_RATIO));
  }

  /** Counts inflated bytes; false once they are too many. */
  take(bytes: number): boolean {
    this.used += bytes;
    return this.used <= this.limit;
  }
}
