import { hash } from 'node:crypto';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';

/** Bytes of one part, at least, but for the last: 10,000 parts are 160 GB. */
export const PART_BYTES = 16 * 1024 * 1024;
/** Characters that are held as texts. Beyond them they become bytes, which the collector of garbage need not look after. */
const TEXT_LENGTH = 256 * 1024;

/** A part may be this much larger than the one before it. */
const MARGIN_BYTES = 1024 * 1024;

/** A part that is in the bucket. */
export interface SentPart {
  number: number;
  etag: string;
  bytes: number;
  sha256: Buffer;
  rows: number;
  /** Where the next one begins. */
  next: number;
  /** Positions of its events: half-open ranges, their bounds one after another. */
  held: number[];
}

/**
 * Writes texts as the parts of one object, whole texts each. One part is on its way while the next is filled; that and
 * nothing more is held in memory.
 */
export class ExportParts {
  private texts: string[] = [];
  private length = 0;
  private bytes: Buffer[] = [];
  /** The first of buffers that lie one behind the other, as lines are written, and the length of them all. */
  private run: Buffer | undefined;
  private runLength = 0;
  private size = 0;
  private memory = Buffer.alloc(0);
  private rows = 0;
  private held: number[] = [];
  private underWay: Promise<void> = Promise.resolve();

  /**
   * @param begin is called before the first part
   * @param sent is told of each part, in order, and waited for
   */
  constructor(
    private readonly begin: () => Promise<MultipartUpload>,
    private readonly sent: (part: SentPart) => Promise<void>,
    private readonly partBytes = PART_BYTES,
  ) {}

  /** Text that is no event: what stands around them. */
  add(text: string | Buffer): void {
    if (typeof text !== 'string') return this.addBytes(text);
    if (text === '') return;
    this.texts.push(text);
    this.length += text.length;
    if (this.length >= TEXT_LENGTH) this.settle();
  }

  /** Whether it is time to {@link breathe}: asked of each of a million events, which a promise each would hold up. */
  get full(): boolean {
    return this.size + this.length >= this.partBytes;
  }

  /** Sends what there is when it is as much as a part. @param next position of the event that comes after it */
  async breathe(next: number): Promise<void> {
    if (this.full) await this.flush(next);
  }

  /** @param before what stands before it */
  addEvent(position: number, before: string, text: string | Buffer): void {
    this.add(before);
    this.add(text);
    this.rows++;
    if (this.held.at(-1) === position) this.held[this.held.length - 1] = position + 1;
    else this.held.push(position, position + 1);
  }

  /** Sends what is left. Resolves when all of it is in the bucket. @param next behind the last event */
  async end(next: number): Promise<void> {
    if (this.size + this.length > 0) await this.flush(next);
    await this.underWay;
  }

  private async flush(next: number): Promise<void> {
    this.settle();
    this.endRun();
    const { bytes, size, rows, held } = this;
    [this.bytes, this.size, this.rows, this.held] = [[], 0, 0, []];
    await this.underWay;
    const part = this.joined(bytes, size);
    this.underWay = this.send(part, { rows, held, next });
    this.underWay.catch(() => undefined); // whoever waits for it next is told
  }

  /** In the memory of the part before, which is in the bucket: fresh memory costs more than the copy. */
  private joined(bytes: readonly Buffer[], size: number): Buffer {
    if (this.memory.length < size) this.memory = Buffer.allocUnsafeSlow(size + MARGIN_BYTES);
    let at = 0;
    for (const run of bytes) at += run.copy(this.memory, at);
    return this.memory.subarray(0, size);
  }

  private addBytes(bytes: Buffer): void {
    if (this.length > 0) this.settle();
    this.size += bytes.length;
    const { run } = this;
    if (run && run.buffer === bytes.buffer && run.byteOffset + this.runLength === bytes.byteOffset)
      this.runLength += bytes.length;
    else {
      this.endRun();
      [this.run, this.runLength] = [bytes, bytes.length];
    }
  }

  private endRun(): void {
    const { run, runLength } = this;
    if (run) this.bytes.push(Buffer.from(run.buffer, run.byteOffset, runLength));
    [this.run, this.runLength] = [undefined, 0];
  }

  private settle(): void {
    if (this.length === 0) return;
    const bytes = Buffer.from(this.texts.join(''));
    [this.texts, this.length] = [[], 0];
    this.addBytes(bytes);
  }

  private async send(bytes: Buffer, about: Pick<SentPart, 'rows' | 'held' | 'next'>): Promise<void> {
    const upload = await this.begin();
    const sha256 = hash('sha256', bytes, 'buffer');
    const { number, etag } = await upload.add(bytes, sha256);
    await this.sent({ ...about, number, etag, bytes: bytes.length, sha256 });
  }
}
