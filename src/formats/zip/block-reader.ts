import { type RangeSource, ShortRead } from './range-source.js';

/** 4 MiB a request: some 250 of them for a gigabyte, however small the entries. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Blocks held at a time, those on their way included: 12 MiB, whatever the size of the archive. */
const MAX_BLOCKS = 3;
/** Bytes handed out at a time. */
const PIECE_BYTES = 64 * 1024;

export interface BlockReaderOptions {
  /** Bytes of a request; 4 MiB by default. */
  readonly blockBytes?: number;
  /** Blocks held at a time; 3 by default. */
  readonly maxBlocks?: number;
}

interface Block {
  readonly bytes: Buffer;
  /** Settles when the bytes are there. */
  readonly filled: Promise<void>;
  /** Whether they are. */
  full: boolean;
  /** Readers that are waiting for it, or copying from it. */
  readers: number;
  /** Whether it is kept for whoever asks next. */
  held: boolean;
}

/**
 * Reads a source in aligned blocks and keeps the last few. Who reads forward finds the next block on its way already.
 * Blocks are used again, and what is handed out are copies: left to the garbage collector, whose notion of urgency
 * does not know of buffers, the blocks of an archive would pile up by the dozen.
 */
export class BlockReader {
  readonly size: number;
  private readonly blockBytes: number;
  private readonly maxBlocks: number;
  /** By index; the least recently used first. */
  private readonly blocks = new Map<number, Block>();
  private readonly spare: Buffer[] = [];
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
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(position, position + length)) pieces.push(piece);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /**
   * The bytes from `start` up to `end` or the end of the source, at most 64 KiB at a time.
   * @throws what the source throws
   */
  async *pieces(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    const stop = Math.min(end, this.size);
    for (let at = start; at < stop;) {
      const piece = await this.piece(at, Math.min(stop, at + PIECE_BYTES));
      at += piece.length;
      yield piece;
    }
  }

  /** Lets go of everything; requests under way end with their next bytes. */
  close(): void {
    this.closed = true;
    this.blocks.clear();
    this.spare.length = 0;
  }

  /** A copy of the bytes from `start` to `end`, or to the end of the block that `start` is in. */
  private async piece(start: number, end: number): Promise<Buffer> {
    const index = Math.floor(start / this.blockBytes);
    const block = this.hold(index);
    block.readers++; // from now on its bytes stay
    try {
      if (this.blocks.has(index - 1)) this.readAhead(index);
      await block.filled;
      const from = start - index * this.blockBytes;
      return Buffer.from(block.bytes.subarray(from, from + end - start));
    } finally {
      block.readers--;
      this.recycle(block);
    }
  }

  private readAhead(index: number): void {
    const ahead = index + 1;
    if (this.blocks.has(ahead) || ahead * this.blockBytes >= this.size) return;
    this.hold(ahead);
    this.hold(index); // the one in use goes last
  }

  private hold(index: number): Block {
    const known = this.blocks.get(index);
    if (known === undefined) this.makeRoom();
    const block = known ?? this.request(index);
    this.blocks.delete(index);
    this.blocks.set(index, block);
    return block;
  }

  private makeRoom(): void {
    for (const [index, block] of this.blocks) {
      if (this.blocks.size < this.maxBlocks) return;
      this.blocks.delete(index);
      block.held = false;
      this.recycle(block);
    }
  }

  private recycle({ bytes, full, readers, held }: Block): void {
    if (full && readers === 0 && !held && bytes.length === this.blockBytes && !this.closed)
      this.spare.push(bytes);
  }

  private request(index: number): Block {
    const start = index * this.blockBytes;
    const length = Math.min(this.blockBytes, this.size - start);
    const spare = length === this.blockBytes ? this.spare.pop() : undefined;
    const bytes = spare ?? Buffer.allocUnsafeSlow(length);
    const block: Block = { bytes, filled: this.fill(bytes, start), full: false, readers: 0, held: true };
    block.filled.then(
      () => {
        block.full = true;
        this.recycle(block);
      },
      () => {
        // The next to ask tries again; nobody may be waiting for a block that was read ahead.
        if (this.blocks.get(index) === block) this.blocks.delete(index);
      },
    );
    return block;
  }

  private async fill(bytes: Buffer, start: number): Promise<void> {
    let filled = 0;
    for await (const chunk of this.source.read(start, start + bytes.length)) {
      if (this.closed || filled + chunk.length > bytes.length) throw new ShortRead();
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    if (filled < bytes.length) throw new ShortRead();
  }
}
