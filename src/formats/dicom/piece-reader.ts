/**
 * Turns chunks that may be split anywhere into the pieces a format asks for: `needed` bytes that lie together, or
 * `skip` bytes that nobody looks at. Only a piece that a chunk boundary cuts in two is copied.
 */
export abstract class PieceReader {
  /** Bytes that are dealt with, those in `partial` not included. */
  protected position = 0;
  /** Bytes which the next step wants to have in one piece. */
  protected needed: number;
  /** Bytes which are still to be passed over. */
  protected skip = 0;
  /** The first bytes of a piece whose rest has not come yet. */
  private partial: Uint8Array;
  private partialLength = 0;

  constructor(needed: number, largestUsual: number) {
    this.needed = needed;
    this.partial = new Uint8Array(largestUsual);
  }

  /** Whether no further byte matters. */
  protected abstract get finished(): boolean;

  /** Acts on the piece at `at`; returns how many bytes it used, 0 to be called again (with more, if it raised `needed`). */
  protected abstract step(bytes: Uint8Array, at: number, available: number): number;

  /** Sees all bytes that are dealt with, once and in order, whichever way they came. */
  protected abstract passed(bytes: Uint8Array, start: number, end: number): void;

  /** Called after each step and each skip that is complete. */
  protected abstract settled(): void;

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.finished) {
      if (this.skip > 0) {
        const count = Math.min(this.skip, chunk.length - at);
        this.skip -= count;
        this.pass(chunk, at, count);
        at += count;
      } else if (this.partialLength === 0 && chunk.length - at >= this.needed) {
        const used = this.step(chunk, at, chunk.length - at);
        this.pass(chunk, at, used);
        at += used;
      } else {
        at += this.fillPartial(chunk, at);
        while (this.partialLength >= this.needed && !this.finished) {
          const used = this.step(this.partial, 0, this.partialLength);
          this.pass(this.partial, 0, used);
          if (used > 0) this.partialLength = 0;
        }
      }
      if (this.skip === 0) this.settled();
    }
  }

  /** The bytes at the end of the input that were too few for the next step. */
  protected remainder(): Uint8Array {
    return this.partial.subarray(0, this.partialLength);
  }

  private pass(bytes: Uint8Array, at: number, count: number): void {
    if (count === 0) return;
    this.position += count;
    this.passed(bytes, at, at + count);
  }

  /** Completes the piece that the next step needs; returns how many bytes of the chunk went into it. */
  private fillPartial(chunk: Uint8Array, at: number): number {
    if (this.partial.length < this.needed) {
      const grown = new Uint8Array(this.needed);
      grown.set(this.remainder());
      this.partial = grown;
    }
    const count = Math.min(this.needed - this.partialLength, chunk.length - at);
    this.partial.set(chunk.subarray(at, at + count), this.partialLength);
    this.partialLength += count;
    return count;
  }
}
