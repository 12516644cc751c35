import { createHash, type Hash } from 'node:crypto';
import type { ExportStatement } from '../export.manifest.js';

/** Hashes a file as it goes by, part by part, as the manifest has them. */
export class Parts {
  private index = 0;
  private seen = 0;
  private hash: Hash = createHash('sha256');
  /** The first part that is not as it was written, from 1; one more than there are when the file goes on. */
  bad: number | undefined;

  constructor(private readonly parts: ExportStatement['parts']) {}

  /** Hands the bytes on, up to the first part that is bad and one after it at most. */
  async *through(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of bytes) {
      this.take(chunk);
      yield chunk;
      if (this.isPastEnd) return;
    }
    this.skipEmpty();
    if (this.index < this.parts.length) this.bad ??= this.index + 1;
  }

  get isPastEnd(): boolean {
    return this.index >= this.parts.length && this.seen > 0;
  }

  private take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      this.skipEmpty();
      const part = this.parts[this.index];
      if (!part) {
        this.seen += rest.length;
        this.bad ??= this.parts.length + 1;
        return;
      }
      const piece = rest.subarray(0, part.bytes - this.seen);
      this.hash.update(piece);
      this.seen += piece.length;
      rest = rest.subarray(piece.length);
      this.skipEmpty();
    }
  }

  /** Closes the part that is full, and those that are empty. */
  private skipEmpty(): void {
    for (let part = this.parts[this.index]; part && part.bytes === this.seen; part = this.parts[this.index]) {
      if (this.hash.digest('hex') !== part.sha256) this.bad ??= this.index + 1;
      this.hash = createHash('sha256');
      this.seen = 0;
      this.index++;
    }
  }
}
