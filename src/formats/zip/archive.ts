import { BlockReader, type BlockReaderOptions } from './block-reader.js';
import { readCentralDirectory } from './central-directory.js';
import { inflateEntry } from './entry-bytes.js';
import type { ZipEntry } from './entry.js';
import { InflateBudget, type InflateBudgetOptions } from './inflate-budget.js';
import { locateData } from './local-header.js';
import type { RangeSource } from './range-source.js';
import { type ZipFailure, ZipRefusal } from './rules.js';

export interface OpenZipOptions extends BlockReaderOptions, InflateBudgetOptions {}

export type OpenZipResult = { readonly ok: true; readonly archive: ZipArchive } | ZipFailure;

/**
 * Reads and judges the central directory of an archive: a few requests, whatever its size. What only the entries can
 * tell is thrown as a ZipRefusal while they are read.
 * @throws only what the source throws
 */
export async function openZip(source: RangeSource, options: OpenZipOptions = {}): Promise<OpenZipResult> {
  const reader = new BlockReader(source, options);
  try {
    const { entries, offset } = await readCentralDirectory(reader);
    const budget = new InflateBudget(sum(entries, 'compressedBytes'), options);
    // Sizes that are lies are found out while reading; those that are true need not be inflated to be refused.
    if (sum(entries, 'size') > budget.limit) throw new ZipRefusal(budget.rule);
    return { ok: true, archive: new ZipArchive(reader, entries, offset, budget) };
  } catch (error) {
    reader.close();
    if (error instanceof ZipRefusal) return error.failure;
    throw error;
  }
}

/** An archive whose directory is accepted. Entries are read one after the other, in the order they are listed. */
export class ZipArchive {
  /** In the order of their data, so that reading them all is reading the archive once, forward. */
  readonly entries: readonly ZipEntry[];
  private readonly limits = new Map<ZipEntry, number>();
  private readonly opened = new Set<ZipEntry>();

  constructor(
    private readonly reader: BlockReader,
    entries: readonly ZipEntry[],
    directoryOffset: number,
    /** Shared by all entries; gzip files among them take from it too. */
    readonly budget: InflateBudget,
  ) {
    this.entries = [...entries].sort((a, b) => a.header.offset - b.header.offset);
    this.entries.forEach((entry, i) => {
      this.limits.set(entry, this.entries[i + 1]?.header.offset ?? directoryOffset);
    });
  }

  /**
   * The inflated bytes of an entry; once, since each reading counts against the budget. Chunks stay valid. Leaving the
   * loop early is fine and leaves size and checksum unchecked.
   * @throws {ZipRefusal} while it is read, the last checks after the last bytes; or what the source throws
   */
  async *read(entry: ZipEntry): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.opened.has(entry)) throw new Error('an entry is read once');
    this.opened.add(entry);
    const start = await this.locate(entry);
    const compressed = this.reader.pieces(start, start + entry.compressedBytes);
    yield* inflateEntry(entry, compressed, this.budget);
  }

  /**
   * Looks at the header of an entry that is not read.
   * @throws {ZipRefusal} zip.header-mismatch, zip.overlap; or what the source throws
   */
  async check(entry: ZipEntry): Promise<void> {
    await this.locate(entry);
  }

  /** Lets go of the blocks in memory. Nothing can be read afterwards. */
  close(): void {
    this.reader.close();
  }

  private locate(entry: ZipEntry): Promise<number> {
    const limit = this.limits.get(entry);
    if (limit === undefined) throw new Error('an entry of another archive');
    return locateData(this.reader, entry, limit);
  }
}

function sum(entries: readonly ZipEntry[], field: 'size' | 'compressedBytes'): number {
  return entries.reduce((total, entry) => total + entry[field], 0);
}
