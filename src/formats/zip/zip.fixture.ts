import { crc32, deflateRawSync } from 'node:zlib';

import { openZip, type OpenZipOptions } from './archive.js';
import { bytesSource } from './range-source.js';
import { ZipRefusal } from './rules.js';

/** Fields of a header; each can be made to lie. */
export interface HeaderFields {
  readonly name: string | Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly compressedBytes: number;
  readonly size: number;
  readonly extra: Uint8Array;
}

export interface ZipFixtureEntry {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array | string;
  /** 8 (deflated) by default; any number can be claimed. */
  readonly method?: number;
  /** What stands in the file instead of the compressed data. */
  readonly raw?: Uint8Array;
  readonly flags?: number;
  /** Sizes and checksum behind the data: `plain` 16 bytes, `bare` without the signature, `zip64` 24 bytes. */
  readonly descriptor?: 'plain' | 'bare' | 'zip64' | Uint8Array;
  /** Sizes and offset in ZIP64 extra fields. */
  readonly zip64?: boolean;
  /** Unix mode, type included; a regular file by default. */
  readonly mode?: number;
  readonly comment?: string;
  readonly local?: Partial<HeaderFields>;
  readonly central?: Partial<HeaderFields & { readonly offset: number }>;
}

export interface ZipFixtureOptions {
  readonly comment?: string;
  readonly zip64End?: boolean;
  /** Changes the finished end record (22 bytes), or the 56 + 20 bytes of ZIP64 before it. */
  readonly end?: (record: Buffer) => void;
  readonly end64?: (record: Buffer) => void;
  /** Bytes between the entries and the directory. */
  readonly gap?: Uint8Array;
  /** Bytes between the directory and its end record. */
  readonly gapBehind?: Uint8Array;
}

/** Where the data of the nth entry is written, for archives whose entries overlap. */
interface Written {
  readonly offset: number;
  readonly fields: HeaderFields;
  readonly entry: ZipFixtureEntry;
}

/** Writes an archive, honest by default (APPNOTE.TXT section 4.3), and as hostile as the fields say. */
export function writeZip(entries: readonly ZipFixtureEntry[], options: ZipFixtureOptions = {}): Buffer {
  const parts: Uint8Array[] = [];
  let length = 0;
  const append = (bytes: Uint8Array): void => {
    parts.push(bytes);
    length += bytes.length;
  };
  const written: Written[] = entries.map((entry) => {
    const fields = fieldsOf(entry);
    const offset = length;
    append(localHeader(entry, fields));
    append(rawData(entry));
    append(descriptorOf(entry, fields));
    return { offset, fields, entry };
  });
  append(options.gap ?? new Uint8Array(0));
  const directoryOffset = length;
  for (const one of written) append(centralHeader(one));
  const directoryBytes = length - directoryOffset;
  append(options.gapBehind ?? new Uint8Array(0));
  append(endRecords(entries.length, directoryBytes, directoryOffset, length, options));
  return Buffer.concat(parts);
}

function rawData({ raw, data = '', method = 8 }: ZipFixtureEntry): Uint8Array {
  return raw ?? (method === 8 ? deflateRawSync(Buffer.from(data)) : Buffer.from(data));
}

function fieldsOf(entry: ZipFixtureEntry): HeaderFields {
  const data = Buffer.from(entry.data ?? '');
  return {
    name: entry.name,
    flags: (entry.flags ?? 0x0800) | (entry.descriptor === undefined ? 0 : 8),
    method: entry.method ?? 8,
    crc32: crc32(data),
    compressedBytes: rawData(entry).length,
    size: data.length,
    extra: new Uint8Array(0),
  };
}

function localHeader(entry: ZipFixtureEntry, honest: HeaderFields): Buffer {
  const unknown = entry.descriptor === undefined ? {} : { crc32: 0, compressedBytes: 0, size: 0 };
  let fields = { ...honest, ...unknown };
  if (entry.zip64) {
    const sizes = zip64Extra([fields.size, fields.compressedBytes]);
    fields = { ...fields, size: 0xffffffff, compressedBytes: 0xffffffff, extra: sizes };
  }
  fields = { ...fields, ...entry.local };
  const name = Buffer.from(fields.name as string);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(entry.zip64 ? 45 : 20, 4);
  writeShared(header, 6, fields);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(fields.extra.length, 28);
  return Buffer.concat([header, name, fields.extra]);
}

function centralHeader({ offset, fields: honest, entry }: Written): Buffer {
  let fields: HeaderFields & { offset: number } = { ...honest, offset };
  if (entry.zip64) {
    const extra = zip64Extra([fields.size, fields.compressedBytes, offset]);
    fields = { ...fields, size: 0xffffffff, compressedBytes: 0xffffffff, offset: 0xffffffff, extra };
  }
  fields = { ...fields, ...entry.central };
  const name = Buffer.from(fields.name as string);
  const comment = Buffer.from(entry.comment ?? '');
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 45, 4);
  header.writeUInt16LE(entry.zip64 ? 45 : 20, 6);
  writeShared(header, 8, fields);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(fields.extra.length, 30);
  header.writeUInt16LE(comment.length, 32);
  header.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
  header.writeUInt32LE(fields.offset, 42);
  return Buffer.concat([header, name, fields.extra, comment]);
}

/** Flags, method, time, checksum and sizes lie one after the other in both headers. */
function writeShared(header: Buffer, at: number, fields: HeaderFields): void {
  header.writeUInt16LE(fields.flags, at);
  header.writeUInt16LE(fields.method, at + 2);
  header.writeUInt32LE(fields.crc32, at + 8);
  header.writeUInt32LE(fields.compressedBytes, at + 12);
  header.writeUInt32LE(fields.size, at + 16);
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return extra;
}

function descriptorOf({ descriptor }: ZipFixtureEntry, fields: HeaderFields): Uint8Array {
  if (descriptor === undefined) return new Uint8Array(0);
  if (typeof descriptor !== 'string') return descriptor;
  const wide = descriptor === 'zip64';
  const bytes = Buffer.alloc(wide ? 24 : 16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(fields.crc32, 4);
  if (wide) {
    bytes.writeBigUInt64LE(BigInt(fields.compressedBytes), 8);
    bytes.writeBigUInt64LE(BigInt(fields.size), 16);
  } else {
    bytes.writeUInt32LE(fields.compressedBytes, 8);
    bytes.writeUInt32LE(fields.size, 12);
  }
  return descriptor === 'bare' ? bytes.subarray(4) : bytes;
}

function endRecords(
  count: number,
  directoryBytes: number,
  directoryOffset: number,
  at: number,
  options: ZipFixtureOptions,
): Buffer {
  const wide = options.zip64End === true;
  const comment = Buffer.from(options.comment ?? '');
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? 0xffffffff : directoryBytes, 12);
  end.writeUInt32LE(wide ? 0xffffffff : directoryOffset, 16);
  end.writeUInt16LE(comment.length, 20);
  options.end?.(end);
  if (!wide) return Buffer.concat([end, comment]);
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(directoryBytes), 40);
  end64.writeBigUInt64LE(BigInt(directoryOffset), 48);
  end64.writeUInt32LE(0x07064b50, 56);
  end64.writeBigUInt64LE(BigInt(at), 64);
  end64.writeUInt32LE(1, 72);
  options.end64?.(end64);
  return Buffer.concat([end64, end, comment]);
}

/** All that an iterable gives, in one piece. */
export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `rule at where`, from the directory or from reading everything; `ok` when there is nothing to say. */
export async function ruleOf(bytes: Uint8Array, options?: OpenZipOptions): Promise<string> {
  const result = await openZip(bytesSource(bytes), options);
  if (!result.ok) return `open: ${result.rule} at ${result.where}`;
  try {
    for (const entry of result.archive.entries) await collect(result.archive.read(entry));
    return 'ok';
  } catch (error) {
    if (error instanceof ZipRefusal) return `read: ${error.rule} at ${error.where}`;
    throw error;
  }
}
