import type { DocumentFailure, DocumentReader, DocumentRule } from './rules.js';

/** Looks for an end in bytes as they come: how many of them go up to it, or -1 when it is not among them. */
type Scan = (bytes: Buffer) => number;
type Request = { readonly take: number } | { readonly skip: number } | { readonly scan: Scan };

/** A part of a format's reading: it asks for bytes and is resumed when they are there, or when there are no more. */
export type Parse<T> = Generator<Request, T, Buffer | boolean>;

const NOTHING = Buffer.alloc(0);

/**
 * Reads a binary format in the order of its bytes, however they come. `parse` is written as if all were at hand; what
 * it takes is held, and the rest is passed over.
 */
export abstract class StreamParser implements DocumentReader {
  /** Offset of the byte that comes next. */
  protected position = 0;
  private steps: Parse<DocumentRule | undefined> | undefined;
  private request: Request | undefined;
  /** Where the latest request began. */
  private from = 0;
  private held = NOTHING;
  private skipped = 0;
  private failure: DocumentFailure | undefined;

  /** Returns the rule that the document breaks, if it breaks one. Once it has returned, bytes that follow are ignored. */
  protected abstract parse(): Parse<DocumentRule | undefined>;

  write(bytes: Uint8Array): void {
    let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!this.steps) this.begin();
    while (rest.length > 0 && this.request) rest = rest.subarray(this.serve(this.request, rest));
  }

  end(): DocumentFailure | undefined {
    if (!this.steps) this.begin();
    while (this.request) this.resume('take' in this.request ? this.held : false);
    return this.failure;
  }

  /** The next `count` bytes; fewer at the end of the file. */
  protected *take(count: number): Parse<Buffer> {
    return count > 0 ? ((yield { take: count }) as Buffer) : NOTHING;
  }

  /** False when the file ends before. */
  protected *skip(count: number): Parse<boolean> {
    return count > 0 ? ((yield { skip: count }) as boolean) : true;
  }

  /** Goes on to where `scan` says. False when the file ends before. */
  protected *scan(scan: Scan): Parse<boolean> {
    return (yield { scan }) as boolean;
  }

  private begin(): void {
    this.steps = this.parse();
    this.resume(false);
  }

  /** How many of the bytes the request used. */
  private serve(request: Request, bytes: Buffer): number {
    if ('scan' in request) {
      const found = request.scan(bytes);
      const used = found < 0 ? bytes.length : found;
      this.position += used;
      if (found >= 0) this.resume(true);
      return used;
    }
    if ('skip' in request) {
      const used = Math.min(request.skip - this.skipped, bytes.length);
      this.position += used;
      this.skipped += used;
      if (this.skipped >= request.skip) this.resume(true);
      return used;
    }
    const part = bytes.subarray(0, request.take - this.held.length);
    this.position += part.length;
    this.held = Buffer.concat([this.held, part]);
    if (this.held.length === request.take) this.resume(this.held);
    return part.length;
  }

  private resume(answer: Buffer | boolean): void {
    this.held = NOTHING;
    this.skipped = 0;
    const { done, value } = this.steps!.next(answer);
    this.request = done ? undefined : value;
    if (!done) this.from = this.position;
    else if (value) this.failure = { rule: value, where: `byte ${this.from}` };
  }
}
