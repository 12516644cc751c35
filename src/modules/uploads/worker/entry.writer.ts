import { createHash } from 'node:crypto';
import type { ZipEntry } from '../../../formats/zip/entry.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';

/** Entries up to this size, in bytes, are held in memory while they are written; larger ones stream. */
const SLOT_BYTES = 2 * 1024 * 1024;

/** Entries held at once: reading goes on while earlier ones are being written. */
const SLOTS = 4;

export interface WrittenEntry {
  key: string;
  size: number;
  sha256: Buffer;
}

/** Writes the entries of one archive to the bucket, each under a key of its own, in bounded memory. */
export class EntryWriter {
  private readonly written = new Map<ZipEntry, WrittenEntry>();
  private readonly underWay = new Set<Promise<void>>();
  /** Memory that is used again: a buffer for each of thousands of entries would pile up until it is collected. */
  private readonly free: Buffer[] = [];
  private slots = 0;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly storage: StorageService,
    private readonly prefix: string,
  ) {}

  /** Takes all bytes of an entry. Resolves when they are taken, which may be before they are written. */
  async write(entry: ZipEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.failure) throw this.failure.error;
    const key = `${this.prefix}/${entry.number}`;
    const hash = createHash('sha256');
    const hashed = hashing(bytes, hash);
    if (entry.size > SLOT_BYTES) await this.storage.write(key, hashed, entry.size);
    else await this.hold(key, hashed, entry.size);
    this.written.set(entry, { key, size: entry.size, sha256: hash.digest() });
  }

  /** All that was written, by entry. @throws what the bucket threw */
  async finish(): Promise<Map<ZipEntry, WrittenEntry>> {
    await this.settled();
    if (this.failure) throw this.failure.error;
    return this.written;
  }

  /** Resolves when no write is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private async hold(key: string, bytes: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    const slot = await this.take();
    let length = 0;
    try {
      for await (const chunk of bytes) {
        slot.set(chunk, length);
        length += chunk.length;
      }
    } catch (error) {
      this.free.push(slot);
      throw error;
    }
    const write: Promise<void> = this.storage
      .writeBytes(key, slot.subarray(0, size))
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => {
        this.free.push(slot);
        this.underWay.delete(write);
      });
    this.underWay.add(write);
  }

  private async take(): Promise<Buffer> {
    while (this.free.length === 0 && this.slots === SLOTS) await Promise.race(this.underWay);
    const slot = this.free.pop();
    if (slot) return slot;
    this.slots++;
    return Buffer.allocUnsafeSlow(SLOT_BYTES);
  }
}

async function* hashing(
  bytes: AsyncIterable<Uint8Array>,
  hash: { update(chunk: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}
