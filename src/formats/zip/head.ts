/** The first bytes of a stream, and all of them. */
export interface Peeked {
  /** At least as many bytes as were asked for, or all there are. */
  readonly head: Buffer;
  /** The whole, from the first byte. Leaving its loop ends the stream. */
  readonly bytes: AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends the stream where nobody wants the rest. */
  close(): Promise<void>;
}

/** Reads so much of a stream that its kind can be told, without losing anything of it. */
export async function peek(
  stream: AsyncGenerator<Uint8Array, void, undefined>,
  count: number,
): Promise<Peeked> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const { done, value } = await stream.next();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  return { head: Buffer.concat(chunks), bytes: joined(chunks, stream), close: () => end(stream) };
}

async function end(stream: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
  await stream.return();
}

async function* joined(
  chunks: readonly Uint8Array[],
  stream: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks;
    yield* stream;
  } finally {
    await stream.return();
  }
}

/** All of a stream: of an entry whose size is known to be small. */
export async function readWhole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** All of a stream, unless it is longer than `limit` bytes: then undefined, after no more than that. */
export async function readAtMost(
  stream: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
