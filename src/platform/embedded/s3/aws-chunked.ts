import { createHash } from 'node:crypto';
import { S3Error } from './s3-error.js';
import { hmac, sameSignature, sha256Hex } from './sigv4.js';

const MAX_LINE_BYTES = 8 * 1024;
const MAX_TRAILER_BYTES = 16 * 1024;
const EMPTY_SHA256 = sha256Hex('');

export interface ChunkChain {
  /** Signature the next chunk continues from; the request's own one at first. */
  signature: string;
  date: string;
  scope: string;
  key: Buffer;
}

export interface ChunkedOptions {
  /** Present when every chunk is signed (STREAMING-AWS4-HMAC-SHA256-PAYLOAD...). */
  chain?: ChunkChain;
  /** Names announced in x-amz-trailer, lower case; empty for bodies without trailer. */
  trailerNames: readonly string[];
  /** Receives the trailer, after its signature was verified. */
  onTrailer: (fields: ReadonlyMap<string, string>) => void;
}

/** Pulls lines and counted bytes out of a stream of buffers. */
class ByteReader {
  private buffer: Buffer = Buffer.alloc(0);
  private readonly source: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  private async fill(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done) return false;
    this.buffer = this.buffer.length === 0 ? next.value : Buffer.concat([this.buffer, next.value]);
    return true;
  }

  /** A line without its CRLF. */
  async line(): Promise<string> {
    for (let from = 0; ;) {
      const end = this.buffer.indexOf('\r\n', from);
      if (end >= 0) {
        const line = this.buffer.toString('latin1', 0, end);
        this.buffer = this.buffer.subarray(end + 2);
        return line;
      }
      if (this.buffer.length > MAX_LINE_BYTES) throw new S3Error('InvalidChunkSizeError');
      from = Math.max(0, this.buffer.length - 1);
      if (!(await this.fill())) throw new S3Error('IncompleteBody');
    }
  }

  /** Between 1 and `limit` bytes. */
  async some(limit: number): Promise<Buffer> {
    while (this.buffer.length === 0) if (!(await this.fill())) throw new S3Error('IncompleteBody');
    const piece = this.buffer.subarray(0, limit);
    this.buffer = this.buffer.subarray(piece.length);
    return piece;
  }

  async expectEnd(): Promise<void> {
    while (this.buffer.length === 0) if (!(await this.fill())) return;
    throw new S3Error('IncompleteBody', 'Bytes follow the end of the body.');
  }
}

/**
 * Decodes an `aws-chunked` body (AWS "Transferring Payload in Multiple Chunks"), verifying each chunk's signature at its
 * end: what was yielded must not be kept unless the iteration completes.
 * @throws S3Error SignatureDoesNotMatch, InvalidChunkSizeError, IncompleteBody, MalformedTrailerError
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  options: ChunkedOptions,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  for (;;) {
    const { size, signature } = parseChunkHeader(await reader.line(), options.chain !== undefined);
    const hash = options.chain && createHash('sha256');
    for (let left = size; left > 0;) {
      const piece = await reader.some(left);
      left -= piece.length;
      hash?.update(piece);
      yield piece;
    }
    if (options.chain && hash) verifyChunk(options.chain, signature, hash.digest('hex'));
    if (size === 0) break;
    if ((await reader.line()) !== '') throw new S3Error('InvalidChunkSizeError');
  }
  const fields = await readTrailer(reader, options);
  await reader.expectEnd();
  options.onTrailer(fields);
}

function parseChunkHeader(line: string, signed: boolean): { size: number; signature: string } {
  const m = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (!m || (m[2] !== undefined) !== signed) throw new S3Error('InvalidChunkSizeError');
  return { size: parseInt(m[1]!, 16), signature: m[2] ?? '' };
}

function verifyChunk(chain: ChunkChain, given: string, dataHash: string): void {
  const text = [
    'AWS4-HMAC-SHA256-PAYLOAD',
    chain.date,
    chain.scope,
    chain.signature,
    EMPTY_SHA256,
    dataHash,
  ].join('\n');
  const expected = hmac(chain.key, text).toString('hex');
  if (!sameSignature(expected, given)) throw new S3Error('SignatureDoesNotMatch');
  chain.signature = expected;
}

async function readTrailer(reader: ByteReader, options: ChunkedOptions): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  let canonical = '';
  let signature: string | undefined;
  for (let size = 0; ;) {
    const line = await reader.line();
    size += line.length;
    if (size > MAX_TRAILER_BYTES) throw new S3Error('MalformedTrailerError');
    if (line === '') break;
    const m = /^([A-Za-z0-9-]+):(.*)$/.exec(line);
    if (!m) throw new S3Error('MalformedTrailerError');
    const name = m[1]!.toLowerCase();
    const value = m[2]!.trim();
    if (name === 'x-amz-trailer-signature') signature = value;
    else {
      if (!options.trailerNames.includes(name) || fields.has(name))
        throw new S3Error('MalformedTrailerError');
      fields.set(name, value);
      canonical += `${name}:${value}\n`;
    }
  }
  if (fields.size !== options.trailerNames.length) throw new S3Error('MalformedTrailerError');
  if (options.chain && options.trailerNames.length > 0) {
    const { date, scope, signature: previous, key } = options.chain;
    const text = ['AWS4-HMAC-SHA256-TRAILER', date, scope, previous, sha256Hex(canonical)].join('\n');
    if (!sameSignature(hmac(key, text).toString('hex'), signature ?? ''))
      throw new S3Error('SignatureDoesNotMatch');
  }
  return fields;
}
