/** One entry of an archive, as the central directory describes it (APPNOTE.TXT section 4.3.12). */
export interface ZipEntry {
  /** Its place in the directory, from 1. Refusals name it, never its name. */
  readonly number: number;
  /** A relative path with `/`. It may hold a patient's name: never into a log, key or message. */
  readonly name: string;
  /** Bytes before inflating. */
  readonly compressedBytes: number;
  /** Bytes after it; reading the entry enforces them. */
  readonly size: number;
  readonly isDirectory: boolean;
  /** What the header before the data has to agree with. */
  readonly header: ZipEntryHeader;
}

/** The fields of the directory that an entry's local header repeats. */
export interface ZipEntryHeader {
  readonly offset: number;
  readonly rawName: Buffer;
  readonly flags: number;
  /** STORED or DEFLATED; nothing else is accepted. */
  readonly method: number;
  readonly crc32: number;
}

export const STORED = 0;
export const DEFLATED = 8;
