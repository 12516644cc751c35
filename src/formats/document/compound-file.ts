const HEADER_BYTES = 512;
const LITTLE_ENDIAN = 0xfffe;
/** Sectors of the file allocation table that the header lists itself; more are listed elsewhere. */
const LISTED = 109;
/** Within the header (2.2). */
const VERSION_OFFSET = 26;
const BYTE_ORDER_OFFSET = 28;
const SECTOR_SHIFT_OFFSET = 30;
const DIRECTORY_OFFSET = 48;
const LIST_OFFSET = 76;
/** Numbers from here on are no sectors ([MS-CFB] 2.1). */
const FIRST_SPECIAL = 0xfffffffa;
const FREE = 0xffffffff;
const ENTRY_BYTES = 128;
/** Within a directory entry (2.6.1). */
const NAME_LENGTH_OFFSET = 64;
const TYPE_OFFSET = 66;
const STREAM = 2;
const ROOT = 5;

/** Bytes of a sector by the version and the exponent that the header gives. */
const SECTORS: readonly (readonly [version: number, shift: number])[] = [
  [3, 9],
  [4, 12],
];

/**
 * An OLE2 compound file ([MS-CFB]) as its bytes go by, in order: whether it has a stream of a name, and whether all
 * sectors are there that its allocation table has in use, as far as the header lists that table (7 MB, or 436 MB).
 */
export class CompoundFile {
  static readonly HEADER_BYTES = HEADER_BYTES;

  private readonly entryStart: Buffer;
  private readonly directoryOffset: number;
  /** Offsets of sectors of the allocation table, and how many come before each. */
  private readonly table = new Map<number, number>();
  private lastUsed = 0;
  private hasRoot = false;
  private hasStream = false;

  private constructor(
    header: Buffer,
    streamName: string,
    readonly sectorBytes: number,
  ) {
    this.entryStart = Buffer.from(`${streamName}\0`, 'utf16le');
    this.directoryOffset = this.offsetOf(header.readUInt32LE(DIRECTORY_OFFSET));
    for (let index = 0; index < LISTED; index++) {
      const sector = header.readUInt32LE(LIST_OFFSET + 4 * index);
      if (sector < FIRST_SPECIAL) this.table.set(this.offsetOf(sector), index);
    }
  }

  /** Undefined when it is no valid header (2.2); its signature has been seen. The first sector begins at `sectorBytes`. */
  static of(header: Buffer, streamName: string): CompoundFile | undefined {
    if (header.length < HEADER_BYTES || header.readUInt16LE(BYTE_ORDER_OFFSET) !== LITTLE_ENDIAN)
      return undefined;
    const [version, shift] = [header.readUInt16LE(VERSION_OFFSET), header.readUInt16LE(SECTOR_SHIFT_OFFSET)];
    if (!SECTORS.some(([v, s]) => v === version && s === shift)) return undefined;
    return new CompoundFile(header, streamName, 2 ** shift);
  }

  /** @param part a whole number of directory entries long; a rest is left out */
  read(part: Buffer, offset: number): void {
    for (let from = 0; from + ENTRY_BYTES <= part.length; from += ENTRY_BYTES) {
      const at = offset + from;
      if (at === this.directoryOffset) this.hasRoot = part[from + TYPE_OFFSET] === ROOT;
      if (part[from] === this.entryStart[0] && this.isStream(part, from)) this.hasStream = true;
      const sector = at - (at % this.sectorBytes);
      const index = this.table.get(sector);
      if (index !== undefined) this.readTable(part, from, (index * this.sectorBytes + at - sector) / 4);
    }
  }

  /** @param size of the file, all of which was read */
  isWhole(size: number): boolean {
    const tableEnd = Math.max(0, ...this.table.keys()) + this.sectorBytes;
    return this.hasRoot && this.hasStream && tableEnd <= size && this.offsetOf(this.lastUsed) < size;
  }

  private isStream(part: Buffer, from: number): boolean {
    const { entryStart } = this;
    return (
      part.compare(entryStart, 0, entryStart.length, from, from + entryStart.length) === 0 &&
      part.readUInt16LE(from + NAME_LENGTH_OFFSET) === entryStart.length &&
      part[from + TYPE_OFFSET] === STREAM
    );
  }

  private readTable(part: Buffer, from: number, first: number): void {
    for (let entry = 0; entry < ENTRY_BYTES / 4; entry++)
      if (part.readUInt32LE(from + 4 * entry) !== FREE)
        this.lastUsed = Math.max(this.lastUsed, first + entry);
  }

  private offsetOf(sector: number): number {
    return (sector + 1) * this.sectorBytes;
  }
}
