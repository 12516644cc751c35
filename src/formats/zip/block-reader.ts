import { type RangeSource, ShortRead } from './range-source.js';

/** 4 MiB a request: some 250 of them for a gigabyte, however small the entries. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Blocks held at a time, those on their way included: 16 MiB, whatever the size of the archive. */
const MAX_BLOCKS = 4;

export interface BlockReaderOptions {
  /** Bytes of a request; 4 MiB by default. */
  readonly blockBytes?: number;
  /** Blocks held at a time; 4 by default. */
  readonly maxBlocks?: number;
}

/**
 * Reads a source in aligned blocks and keeps the last few. Who reads forward finds the next block on its way already.
 * What is handed out are views of a block: they stay valid, and keep it in memory for as long as they are held.
 */
export class BlockReader {
  readonly size: number;
  private readonly blockBytes: number;
  private readonly maxBlocks: number;
  /** By index; the least recently used first. */
  private readonly blocks = new Map<number, Promise<Buffer>>();
  private closed = false;

  constructor(
    private readonly source: RangeSource,
    options: BlockReaderOptions = {},
  ) {
    this.size = source.size;
    this.blockBytes = options.blockBytes ?? BLOCK_BYTES;
    this.maxBlocks = options.maxBlocks ?? MAX_BLOCKS;
  }

  /**
   * `length` bytes at `position` in one piece, or fewer where the source ends.
   * @throws what the source throws
   */
  async read(position: number, length: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const piece of this.pieces(position, position + length)) parts.push(piece);
    if (parts.length === 1) return parts[0] as Buffer;
    return Buffer.concat(parts);
  }

  /**
   * The bytes from `start` up to `end` or the end of the source, a block's share at a time.
   * @throws what the source throws
   */
  async *pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    const stop = Math.min(end, this.size);
    for (let at = start; at < stop;) {
      const index = Math.floor(at / this.blockBytes);
      const block = await this.block(index);
      const from = at - index * this.blockBytes;
      const piece = block.subarray(from, Math.min(block.length, from + stop - at));
      at += piece.length;
      yield piece;
    }
  }

  /** Lets go of everything; requests under way end with their next bytes. */
  close(): void {
    this.closed = true;
    this.blocks.clear();
  }

  private block(index: number): Promise<Buffer> {
    const block = this.hold(index);
    const forward = this.blocks.has(index - 1);
    const ahead = index + 1;
    if (forward && !this.blocks.has(ahead) && ahead * this.blockBytes < this.size) {
      void this.hold(ahead);
      void this.hold(index); // the one in use goes last
    }
    return block;
  }

  private hold(index: number): Promise<Buffer> {
    const held = this.blocks.get(index);
    const block = held ?? this.fetch(index);
    this.blocks.delete(index);
    this.blocks.set(index, block);
    if (held !== undefined) return held;
    block.catch(() => {
      // The next to ask tries again; nobody may be waiting for a block that was read ahead.
      if (this.blocks.get(index) === block) this.blocks.delete(index);
    });
    for (const oldest of this.blocks.keys()) {
      if (this.blocks.size <= this.maxBlocks) break;
      this.blocks.delete(oldest);
    }
    return block;
  }

  private async fetch(index: number): Promise<Buffer> {
    const start = index * this.blockBytes;
    const block = Buffer.allocUnsafeSlow(Math.min(this.blockBytes, this.size - start));
    let filled = 0;
    for await (const chunk of this.source.read(start, start + block.length)) {
      if (this.closed) throw new ShortRead();
      if (filled + chunk.length > block.length) throw new ShortRead();
      block.set(chunk, filled);
      filled += chunk.length;
    }
    if (filled < block.length) throw new ShortRead();
    return block;
  }
}
