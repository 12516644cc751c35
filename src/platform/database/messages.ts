/** A code, and a length which counts itself. https://www.postgresql.org/docs/18/protocol-message-formats.html */
const [LENGTH_AT, HEADER_BYTES] = [1, 5];

/** Is given a message, from `at` up to `end`. Whatever is behind it is another's. Returns whether it wants the next. */
export type MessageReader = (bytes: Buffer, at: number, end: number) => boolean;

/** Where the body of a message is, behind where that begins. */
export const BODY_AT = HEADER_BYTES;

/** Cuts what a server of Postgres sends into messages, where they lie; only what two chunks share is copied. */
export class Messages {
  private begun = Buffer.alloc(1024);
  private held = 0;

  constructor(private readonly read: MessageReader) {}

  /** @returns how much of the chunk was taken: all of it, or what the reader wanted */
  push(chunk: Buffer): number {
    let at = 0;
    if (this.held > 0) {
      at = this.fill(chunk, at, HEADER_BYTES);
      if (this.held < HEADER_BYTES) return at;
      const end = endOf(this.begun, 0);
      at = this.fill(chunk, at, end);
      if (this.held < end) return at;
      this.held = 0;
      if (!this.read(this.begun, 0, end)) return at;
    }
    while (at + HEADER_BYTES <= chunk.length) {
      const end = endOf(chunk, at);
      if (end > chunk.length) break;
      if (!this.read(chunk, at, end)) return end;
      at = end;
    }
    this.hold(chunk, at, chunk.length);
    return chunk.length;
  }

  /** @param needed bytes to hold in all. Returns where the chunk goes on */
  private fill(chunk: Buffer, at: number, needed: number): number {
    const to = Math.min(at + Math.max(needed - this.held, 0), chunk.length);
    this.hold(chunk, at, to);
    return to;
  }

  private hold(chunk: Buffer, from: number, to: number): void {
    const length = this.held + to - from;
    if (length > this.begun.length)
      this.begun = Buffer.concat([this.begun.subarray(0, this.held)], 2 * length);
    chunk.copy(this.begun, this.held, from, to);
    this.held = length;
  }
}

const endOf = (bytes: Buffer, at: number): number => at + LENGTH_AT + bytes.readUInt32BE(at + LENGTH_AT);
