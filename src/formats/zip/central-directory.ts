import { type Entry, fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader } from 'yauzl';

import type { BlockReader } from './block-reader.js';
import { type EndRecord, readEndRecord } from './end-record.js';
import { DEFLATED, STORED, type ZipEntry } from './entry.js';
import { isSafePath, normalPath } from './entry-path.js';
import { ZipRefusal, type ZipRule } from './rules.js';

const MAX_ENTRIES = 20_000;
/** 1,600 bytes an entry at most: their names are all held in memory. */
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024;
/** 5 GiB: an entry becomes an object, and S3 takes no larger one in one PUT. Reading it enforces its size. */
const MAX_ENTRY_BYTES = 5 * 1024 ** 3;
const DIRECTORY_HEADER_BYTES = 46;

/** Bits of the general purpose flags (APPNOTE.TXT section 4.4.4): encrypted, strongly encrypted, headers masked. */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
/** WinZip's method number for entries encrypted with AES. */
const AES_METHOD = 99;
/** Where Unix keeps the type of a file, in the upper half of the external attributes. */
const FILE_TYPE = 0xf000;
/** Symbolic links, character and block devices, sockets. A FIFO is what Info-ZIP calls whatever it read from a pipe. */
const LINKS_AND_DEVICES: ReadonlySet<number> = new Set([0xa000, 0x2000, 0x6000, 0xc000]);

export interface CentralDirectory {
  /** In the order of the directory. */
  readonly entries: readonly ZipEntry[];
  /** Where the directory begins, which is where the entries have to end. */
  readonly offset: number;
}

/**
 * Reads the central directory and judges what it says, entry by entry.
 * @throws {ZipRefusal} or what the source throws
 */
export async function readCentralDirectory(reader: BlockReader): Promise<CentralDirectory> {
  const end = await readEndRecord(reader);
  if (end.entryCount > MAX_ENTRIES || end.directoryBytes > MAX_DIRECTORY_BYTES)
    throw new ZipRefusal('zip.entries');
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let bytes = 0;
  for await (const found of yauzlEntries(reader)) {
    bytes += DIRECTORY_HEADER_BYTES + found.fileNameLength + found.extraFieldLength + found.fileCommentLength;
    if (bytes > end.directoryBytes) break;
    const entry = judge(found, entries.length + 1);
    const path = normalPath(entry.name, entry.header.rawName);
    if (names.has(path)) throw new ZipRefusal('zip.duplicate', `entry ${entry.number}`);
    names.add(path);
    entries.push(entry);
  }
  if (bytes !== end.directoryBytes) throw new ZipRefusal('zip.malformed');
  judgeExtents(entries, end, reader.size);
  return { entries, offset: end.directoryOffset };
}

function judge(found: Entry, number: number): ZipEntry {
  const refuse = (rule: ZipRule): ZipRefusal => new ZipRefusal(rule, `entry ${number}`);
  const { generalPurposeBitFlag: flags, compressionMethod: method, fileNameRaw: rawName } = found;
  if ((flags & ENCRYPTED) !== 0 || method === AES_METHOD) throw refuse('zip.encrypted');
  if (method !== STORED && method !== DEFLATED) throw refuse('zip.malformed');
  const name = getFileNameLowLevel(flags, rawName, found.extraFields, true);
  // Info-ZIP's Unicode Path may name another file than the header; whoever unpacks may follow either.
  const plainName = getFileNameLowLevel(flags, rawName, [], true);
  if (!isSafePath(name, rawName) || !isSafePath(plainName, rawName)) throw refuse('zip.path');
  if (LINKS_AND_DEVICES.has((found.externalFileAttributes >>> 16) & FILE_TYPE)) throw refuse('zip.link');
  const { compressedSize: compressedBytes, uncompressedSize: size } = found;
  const isDirectory = name.endsWith('/');
  if ((method === STORED && size !== compressedBytes) || (isDirectory && size > 0))
    throw refuse('zip.lying-size');
  if (size > MAX_ENTRY_BYTES) throw refuse('zip.too-large');
  const header = {
    offset: found.relativeOffsetOfLocalHeader,
    rawName: Buffer.from(rawName), // of its own: the view would hold extra fields and comment in memory
    flags,
    method,
    crc32: found.crc32,
  };
  return { number, name, compressedBytes, size, isDirectory, header };
}

/** By what the directory says; the lengths of the local headers, which it does not know, are looked at later. */
function judgeExtents(
  entries: readonly ZipEntry[],
  { directoryOffset }: EndRecord,
  archiveBytes: number,
): void {
  const inOrder = [...entries].sort((a, b) => a.header.offset - b.header.offset);
  inOrder.forEach((entry, i) => {
    const { offset, rawName } = entry.header;
    const end = offset + 30 + rawName.length + entry.compressedBytes;
    const where = `entry ${entry.number}`;
    if (end > archiveBytes) throw new ZipRefusal('zip.lying-size', where);
    if (end > (inOrder[i + 1]?.header.offset ?? directoryOffset)) throw new ZipRefusal('zip.overlap', where);
  });
}

/** yauzl's own reader makes four streams for every header; this one asks the blocks. */
class BlocksForYauzl extends RandomAccessReader {
  /** What the source threw: not the archive's fault. */
  failure: Error | undefined;

  constructor(private readonly blocks: BlockReader) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    this.blocks.read(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset);
        callback(null, bytes.length);
      },
      (error: unknown) => {
        this.failure = error as Error;
        callback(this.failure);
      },
    );
  }
}

async function* yauzlEntries(reader: BlockReader): AsyncGenerator<Entry, void, undefined> {
  const blocks = new BlocksForYauzl(reader);
  try {
    const options = { decodeStrings: false, validateEntrySizes: false };
    yield* (await fromRandomAccessReaderPromise(blocks, reader.size, options)).eachEntry();
  } catch (error) {
    if (blocks.failure !== undefined) throw blocks.failure;
    if (error instanceof ZipRefusal) throw error;
    const encrypted = error instanceof Error && error.message === 'strong encryption is not supported';
    throw new ZipRefusal(encrypted ? 'zip.encrypted' : 'zip.malformed');
  }
}
