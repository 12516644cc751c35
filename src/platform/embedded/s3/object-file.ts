import {
  closeSync,
  constants,
  fstatSync,
  fsync as fsyncCallback,
  open as openCallback,
  openSync,
  readSync,
  writev as writevCallback,
} from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

/**
 * One version of an object is one file: its bytes, its metadata as JSON, and a fixed tail (magic, length and CRC-32 of
 * the JSON). A rename therefore swaps bytes and metadata together. Copies and completed multipart uploads have no bytes
 * of their own: their metadata names `pieces`, hard links to files of which the first `size` bytes count.
 */
const MAGIC = Buffer.from('S3OBJ\x00\x01\n', 'latin1');
const TAIL_BYTES = 16;
/** Most metadata fits into one read of this size. */
const GUESS_BYTES = 2048;

export interface Piece {
  id: string;
  size: number;
}

export interface ObjectMetadata {
  bucket: string;
  key: string;
  size: number;
  /** Without quotes. */
  etag: string;
  /** Milliseconds since the epoch. */
  lastModified: number;
  contentType: string;
  /** Stored standard headers (cache-control, content-disposition, ...), by lower case name. */
  headers: Record<string, string>;
  /** User metadata without the x-amz-meta- prefix. */
  user: Record<string, string>;
  checksum?: { algorithm: string; value: string; type: 'FULL_OBJECT' | 'COMPOSITE' };
  encryption?: 'AES256';
  /** Number of parts of a completed multipart upload. */
  partCount?: number;
  pieces?: Piece[];
}

/** The bytes that end an object's file. */
export function encodeFooter(metadata: ObjectMetadata): Buffer {
  const json = Buffer.from(JSON.stringify(metadata), 'utf8');
  const tail = Buffer.alloc(TAIL_BYTES);
  MAGIC.copy(tail);
  tail.writeUInt32BE(json.length, 8);
  tail.writeUInt32BE(crc32(json), 12);
  return Buffer.concat([json, tail]);
}

/** A file that is no object, or a damaged one. */
export class DamagedObjectError extends Error {
  constructor(reason: string) {
    super(`damaged object file: ${reason}`);
    this.name = 'DamagedObjectError';
  }
}

function footerLength(end: Buffer): number {
  const tail = end.subarray(end.length - TAIL_BYTES);
  if (tail.length < TAIL_BYTES || !tail.subarray(0, 8).equals(MAGIC)) throw new DamagedObjectError('no tail');
  return tail.readUInt32BE(8) + TAIL_BYTES;
}

/** Reads the metadata from the last bytes of a file (at least the whole footer). */
export function decodeFooter(end: Buffer): ObjectMetadata {
  const length = footerLength(end);
  if (length > end.length) throw new DamagedObjectError('short metadata');
  const json = end.subarray(end.length - length, end.length - TAIL_BYTES);
  if (crc32(json) !== end.readUInt32BE(end.length - 4)) throw new DamagedObjectError('metadata checksum');
  return JSON.parse(json.toString('utf8')) as ObjectMetadata;
}

/**
 * Reads an object's metadata; undefined when there is no such file. Synchronous on purpose: a system call on a cached
 * inode takes about a microsecond, a trip through the thread pool tens of them, and a listing page needs thousands.
 */
export function readMetadata(path: string): ObjectMetadata | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return readMetadataFrom(fd);
  } finally {
    closeSync(fd);
  }
}

/** The same from an open file, so that metadata and bytes are those of one version. */
export function readMetadataFrom(fd: number): ObjectMetadata {
  const size = fstatSync(fd).size;
  let end = readEnd(fd, size, GUESS_BYTES);
  const length = footerLength(end);
  if (length > end.length) end = readEnd(fd, size, length);
  return decodeFooter(end);
}

function readEnd(fd: number, size: number, wanted: number): Buffer {
  const length = Math.min(size, wanted);
  const buffer = Buffer.allocUnsafe(length);
  const read = readSync(fd, buffer, 0, length, size - length);
  if (read !== length) throw new DamagedObjectError('short read');
  return buffer;
}

const BATCH_BYTES = 1024 * 1024;
const writev = promisify(writevCallback);
const fsync = promisify(fsyncCallback);
// Creating a file waits for the journal while another file is being synced: never on the event loop.
const open = promisify(openCallback);
/** Elsewhere (macOS) O_DSYNC does not reach the medium; there the file is synced. */
const O_DSYNC = process.platform === 'linux' ? constants.O_DSYNC : 0;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/**
 * Writes a new file in batches of 1 MiB with one write in flight, so that receiving and hashing overlap the disk and
 * memory stays flat. An object below the batch size is one write to a file opened with O_DSYNC: data and size are
 * durable when it returns, without a sync of its own.
 */
export class ObjectFileWriter {
  private fd: number | undefined;
  private batch: Buffer[] = [];
  private batched = 0;
  private pending: Promise<unknown> = Promise.resolve();

  constructor(
    readonly path: string,
    private readonly durable: boolean,
  ) {}

  /** Returns nothing when the chunk was only taken into the batch. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.batch.push(chunk);
    this.batched += chunk.length;
    return this.batched >= BATCH_BYTES ? this.flush() : undefined;
  }

  private async flush(flags = 0): Promise<void> {
    await this.pending;
    const buffers = this.batch;
    this.batch = [];
    this.batched = 0;
    this.fd ??= await open(this.path, CREATE | flags, 0o600);
    this.pending = writeFully(this.fd, buffers);
    this.pending.catch(() => undefined); // awaited by the next flush or by finish
  }

  /** Appends the metadata, makes the file durable and closes it. */
  async finish(metadata: ObjectMetadata): Promise<void> {
    const single = this.fd === undefined && this.durable && O_DSYNC !== 0;
    this.batch.push(encodeFooter(metadata));
    await this.flush(single ? O_DSYNC : 0);
    await this.pending;
    if (this.durable && !single) await fsync(this.fd!);
    this.close();
  }

  private close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  /** Closes the file after a failure; the caller removes it. */
  async abandon(): Promise<void> {
    await this.pending.catch(() => undefined);
    this.close();
  }
}

async function writeFully(fd: number, buffers: Buffer[]): Promise<void> {
  const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const { bytesWritten } = await writev(fd, buffers);
  if (bytesWritten === total) return;
  // A short write (signal, nearly full disk): the rest once more, as one buffer; a full disk then throws ENOSPC.
  let rest = Buffer.concat(buffers).subarray(bytesWritten);
  while (rest.length > 0) rest = rest.subarray((await writev(fd, [rest])).bytesWritten);
}
