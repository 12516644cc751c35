const NEWLINE = 10;

/** A line that is longer than any of ours: read no further. */
export class LongLineError extends Error {
  override readonly name = 'LongLineError';
  constructor(readonly line: number) {
    super(`Line ${line} is longer than any that is written.`);
  }
}

/**
 * The lines of a stream without their newlines, a line in memory at a time.
 * @param longest in bytes @throws LongLineError
 */
export async function* linesOf(bytes: AsyncIterable<Buffer>, longest: number): AsyncGenerator<Buffer> {
  let kept: Buffer[] = [];
  let length = 0;
  let line = 1;
  for await (const chunk of bytes) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, at);
      if (length + rest.length > longest) throw new LongLineError(line);
      yield length === 0 ? rest : Buffer.concat([...kept, rest]);
      [kept, length, from] = [[], 0, at + 1];
      line++;
    }
    const rest = chunk.subarray(from);
    if (rest.length === 0) continue;
    kept.push(rest);
    length += rest.length;
    if (length > longest) throw new LongLineError(line);
  }
  if (length > 0) yield Buffer.concat(kept);
}
