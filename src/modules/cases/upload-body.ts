import { createHash } from 'node:crypto';
import { Base64Decoder, NotBase64 } from '../../formats/base64/base64.decoder.js';
import { LargeMemberReader, MalformedObject } from '../../formats/json/large-member.js';
import { ApplicationError, validationError } from '../../platform/errors/application-error.js';
import { incompleteBody, payloadTooLarge, type WaitingBody } from '../../platform/http/raw-body.js';
import { type UploadInput, uploadInputSchema } from './patient-files.schemas.js';

/** A patient's file as it came, decoded. */
export interface ReceivedFile extends Pick<UploadInput, 'name' | 'caseId' | 'mimeType'> {
  /** The bytes, in order; together `size` of them. */
  blocks: Buffer<ArrayBuffer>[];
  size: number;
  sha256: Buffer;
}

/** What comes is gathered in blocks of so many bytes: a body in pieces of a few bytes must not become an object for each. */
const BLOCK_BYTES = 256 * 1024;

/** What a body may have besides its data: a name, an id, a type, and blanks. */
const OVERHEAD_BYTES = 64 * 1024;

/**
 * Slower than this on average, after a while, and the connection is cut: room in memory is for those who use it. While
 * others wait for it more is asked, or a few accounts together could keep all of it for as long as a file may take.
 */
const LEAST_BYTES_PER_SECOND = 16 * 1024;
const LEAST_BYTES_PER_SECOND_CROWDED = 128 * 1024;
const PATIENCE_MS = 15_000;
const WATCH_MS = 1_000;

/** Whether a body that long cannot hold a file of at most `limit` bytes: a slash may be escaped, and then takes two. */
const cannotFit = (length: number, limit: number): boolean =>
  length > 2 * 4 * Math.ceil(limit / 3) + OVERHEAD_BYTES;

/** Decodes the body as it streams: of the file no more than `limit` bytes are held, and its base64 text never is. */
class BodyReader {
  private readonly blocks: Buffer<ArrayBuffer>[] = [];
  private readonly base64 = new Base64Decoder();
  private readonly hash = createHash('sha256');
  private readonly json = new LargeMemberReader('data', (text) => this.take(this.base64.write(text)));
  private size = 0;
  private failure: Error | undefined;

  constructor(private readonly limit: number) {}

  write(piece: Buffer): void {
    if (this.failure) return; // read to its end all the same: to stop would cut the connection before the answer
    try {
      this.json.write(piece);
    } catch (error) {
      this.failure = error as Error;
      this.blocks.length = 0;
    }
  }

  /** @throws validation_error, payload_too_large */
  end(): ReceivedFile {
    try {
      if (this.failure) throw this.failure;
      this.take(this.base64.end());
      const { name, caseId, mimeType } = this.parse();
      if (this.size === 0) throw invalid('data', 'must not be empty');
      const { blocks, size } = this;
      const rest = size % BLOCK_BYTES;
      if (rest > 0) blocks.push(blocks.pop()!.subarray(0, rest));
      return { name, mimeType, ...(caseId && { caseId }), blocks, size, sha256: this.hash.digest() };
    } catch (error) {
      throw toValidationError(error);
    }
  }

  private parse(): UploadInput {
    const parsed = uploadInputSchema.safeParse(JSON.parse(this.json.end()));
    if (parsed.success) return parsed.data;
    throw validationError(
      parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
    );
  }

  private take(bytes: Buffer): void {
    if (this.size + bytes.length > this.limit) throw payloadTooLarge();
    this.hash.update(bytes);
    for (let from = 0; from < bytes.length;) {
      const filled = this.size % BLOCK_BYTES;
      if (filled === 0) this.blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES));
      const copied = bytes.copy(this.blocks.at(-1)!, filled, from);
      from += copied;
      this.size += copied;
    }
  }
}

/**
 * Reads the upload of seed 004: JSON with the file in base64.
 * @param limit bytes of the decoded file
 * @param isCrowded whether others wait for the room that this one takes
 * @throws validation_error, payload_too_large, bad_request
 */
export async function readUploadBody(
  body: WaitingBody,
  limit: number,
  isCrowded: () => boolean = () => false,
): Promise<ReceivedFile> {
  assertMayFit(body, limit);
  const reader = new BodyReader(limit);
  const begun = performance.now();
  let received = 0;
  const watch = setInterval(() => {
    const elapsed = performance.now() - begun;
    const least = isCrowded() ? LEAST_BYTES_PER_SECOND_CROWDED : LEAST_BYTES_PER_SECOND;
    if (elapsed > PATIENCE_MS && received < (elapsed / 1000) * least)
      body.pieces.destroy(new Error('the body came too slowly'));
  }, WATCH_MS);
  try {
    for await (const piece of body.pieces as AsyncIterable<Buffer>) {
      received += piece.length;
      if (cannotFit(received, limit)) throw payloadTooLarge(); // and the connection is cut, there is no end in sight
      reader.write(piece);
    }
  } catch (error) {
    throw error instanceof ApplicationError ? error : incompleteBody(error);
  } finally {
    clearInterval(watch);
  }
  return reader.end();
}

/** Before anything is read. @throws payload_too_large */
export function assertMayFit({ length }: WaitingBody, limit: number): void {
  if (length !== undefined && cannotFit(length, limit)) throw payloadTooLarge();
}

const invalid = (path: string, message: string): ApplicationError => validationError([{ path, message }]);

function toValidationError(error: unknown): unknown {
  if (error instanceof NotBase64)
    return invalid('data', `is not canonical base64 (RFC 4648) at character ${error.offset}`);
  if (error instanceof MalformedObject) return invalid('', error.message);
  return error instanceof SyntaxError ? invalid('', 'the body is not a JSON object') : error;
}
