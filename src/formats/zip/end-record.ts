import type { BlockReader } from './block-reader.js';
import { ZipRefusal } from './rules.js';

const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_RECORD = 0x06064b50;
const ZIP64_END_RECORD_BYTES = 56;
const UNKNOWN_U16 = 0xffff;
const UNKNOWN_U32 = 0xffffffff;

/** Where the directory of an archive is, as its end record says. */
export interface EndRecord {
  readonly entryCount: number;
  readonly directoryOffset: number;
  readonly directoryBytes: number;
}

/**
 * Reads the end of central directory record (APPNOTE.TXT sections 4.3.14 to 4.3.16) and demands that nothing in it
 * contradicts anything else: where two readers could find two directories, neither is taken.
 * @throws {ZipRefusal} zip.malformed
 */
export async function readEndRecord(reader: BlockReader): Promise<EndRecord> {
  const { size } = reader;
  const tailStart = Math.max(0, size - END_RECORD_BYTES - MAX_COMMENT_BYTES - ZIP64_LOCATOR_BYTES);
  const tail = await reader.read(tailStart, size - tailStart);
  const at = findEndRecord(tail);
  const plain = {
    entryCount: tail.readUInt16LE(at + 10),
    directoryBytes: tail.readUInt32LE(at + 12),
    directoryOffset: tail.readUInt32LE(at + 16),
  };
  const disks = [tail.readUInt16LE(at + 4), tail.readUInt16LE(at + 6)];
  const onThisDisk = tail.readUInt16LE(at + 8);

  const locator = at - ZIP64_LOCATOR_BYTES;
  if (locator < 0 || tail.readUInt32LE(locator) !== ZIP64_LOCATOR) {
    demand(disks[0] === 0 && disks[1] === 0 && onThisDisk === plain.entryCount);
    return ending(plain, tailStart + at);
  }

  const recordOffset = Number(tail.readBigUInt64LE(locator + 8));
  demand(tail.readUInt32LE(locator + 4) === 0 && tail.readUInt32LE(locator + 16) <= 1);
  demand(recordOffset + ZIP64_END_RECORD_BYTES <= tailStart + locator);
  const record = await reader.read(recordOffset, ZIP64_END_RECORD_BYTES);
  demand(record.readUInt32LE(0) === ZIP64_END_RECORD);
  demand(recordOffset + 12 + Number(record.readBigUInt64LE(4)) === tailStart + locator);
  demand(record.readUInt32LE(16) === 0 && record.readUInt32LE(20) === 0);
  const large = {
    entryCount: Number(record.readBigUInt64LE(32)),
    directoryBytes: Number(record.readBigUInt64LE(40)),
    directoryOffset: Number(record.readBigUInt64LE(48)),
  };
  demand(Number(record.readBigUInt64LE(24)) === large.entryCount);
  // The record of 32 bits says the same, or that it cannot.
  demand(disks.every((disk) => disk === 0 || disk === UNKNOWN_U16));
  demand(onThisDisk === plain.entryCount);
  demand(plain.entryCount === large.entryCount || plain.entryCount === UNKNOWN_U16);
  demand(plain.directoryBytes === large.directoryBytes || plain.directoryBytes === UNKNOWN_U32);
  demand(plain.directoryOffset === large.directoryOffset || plain.directoryOffset === UNKNOWN_U32);
  return ending(large, recordOffset);
}

/** The last record whose comment ends with the file; a comment may not hide another one. */
function findEndRecord(tail: Buffer): number {
  for (let at = tail.length - END_RECORD_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_RECORD) continue;
    demand(at + END_RECORD_BYTES + tail.readUInt16LE(at + 20) === tail.length);
    return at;
  }
  throw new ZipRefusal('zip.malformed');
}

/** The directory ends where its end record begins: readers that look from either side find the same one. */
function ending(record: EndRecord, end: number): EndRecord {
  demand(record.directoryOffset + record.directoryBytes === end);
  return record;
}

function demand(condition: boolean): void {
  if (!condition) throw new ZipRefusal('zip.malformed');
}
