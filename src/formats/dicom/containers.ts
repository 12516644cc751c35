/**
 * How many sequences and items may be open at once. Real objects have fewer than 30; the bound keeps the memory of a
 * hostile one small, which could otherwise open a level with every 8 bytes of its header.
 */
export const MAX_NESTING = 1 << 20;

/**
 * The sequences and items that are open at a place of the data set: an explicit stack instead of recursion, so that
 * depth costs neither call stack nor time. Levels alternate: 0 is the data set, odd ones are sequences, even ones items.
 */
export class Containers {
  private readonly limits: number[] = [];
  private readonly definedLengths: boolean[] = [];
  /** Position that nothing inside the innermost container may cross; Infinity where none has a defined length. */
  limit = Infinity;
  /** Whether the innermost container ends at a position; otherwise a delimiter ends it. */
  hasDefinedLength = false;

  get depth(): number {
    return this.limits.length;
  }

  get inSequence(): boolean {
    return (this.limits.length & 1) === 1;
  }

  /** @param end position after the container, or undefined when a delimiter will end it. */
  open(end: number | undefined): void {
    this.hasDefinedLength = end !== undefined;
    this.definedLengths.push(this.hasDefinedLength);
    if (end !== undefined) this.limit = end;
    this.limits.push(this.limit);
  }

  close(): void {
    this.limits.pop();
    this.definedLengths.pop();
    const innermost = this.limits.length - 1;
    this.limit = innermost < 0 ? Infinity : this.limits[innermost]!;
    this.hasDefinedLength = innermost >= 0 && this.definedLengths[innermost]!;
  }
}
