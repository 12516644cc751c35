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

  push(chunk: Buffer): void {
    let at = this.held > 0 ? this.complete(chunk) : 0;
    while (at >= 0 && at + HEADER_BYTES <= chunk.length) {
      const end = endOf(chunk, at);
      if (end > chunk.length) break;
      if (!this.read(chunk, at, end)) return;
      at = end;
    }
    if (at >= 0 && at < chunk.length) this.hold(chunk, at, chunk.length);
  }

  /** @returns where the next message begins; -1 when there is none to be read */
  private complete(chunk: Buffer): number {
    const behindHeader = this.fill(chunk, 0, HEADER_BYTES);
    if (this.held < HEADER_BYTES) return -1;
    const end = endOf(this.begun, 0);
    const at = this.fill(chunk, behindHeader, end);
    if (this.held < end) return -1;
    this.held = 0;
    return this.read(this.begun, 0, end) ? at : -1;
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
