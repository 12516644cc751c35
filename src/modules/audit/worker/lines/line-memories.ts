/** Of one memory: a million small ones would keep the collector of garbage busy. */
const MEMORY_BYTES = 1024 * 1024;

/** Memory for lines, which is used again: what lies outside of its heap makes the collector of garbage run ever so often. */
export class LineMemories {
  private readonly free: Buffer[] = [];
  private used: Buffer[] = [];

  /** @param length in bytes, at least */
  take(length: number): Buffer {
    const memory = length <= MEMORY_BYTES ? this.free.pop() : undefined;
    const taken = memory ?? Buffer.allocUnsafeSlow(Math.max(length, MEMORY_BYTES));
    if (taken.length === MEMORY_BYTES) this.used.push(taken);
    return taken;
  }

  /** Nothing that was taken is looked at any more. */
  release(): void {
    this.free.push(...this.used);
    this.used = [];
  }
}
