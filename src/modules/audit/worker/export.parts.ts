import { hash } from 'node:crypto';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';

/** Bytes of one part, at least, but for the last: 10,000 parts are 160 GB. */
export const PART_BYTES = 16 * 1024 * 1024;
/** Characters that are held as texts. Beyond them they become bytes, which the collector of garbage need not look after. */
const TEXT_LENGTH = 256 * 1024;

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
  private size = 0;
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

  /** Sends what there is when it is as much as a part. @param next position of the event that comes after it */
  async breathe(next: number): Promise<void> {
    if (this.size + this.length >= this.partBytes) await this.flush(next);
  }

  /** @param before what stands before it */
  async addEvent(position: number, before: string, text: string | Buffer): Promise<void> {
    await this.breathe(position);
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
    const part = Buffer.concat(this.bytes, this.size);
    const { rows, held } = this;
    [this.bytes, this.size, this.rows, this.held] = [[], 0, 0, []];
    await this.underWay;
    this.underWay = this.send(part, { rows, held, next });
    this.underWay.catch(() => undefined); // whoever waits for it next is told
  }

  private addBytes(bytes: Buffer): void {
    if (this.length > 0) this.settle();
    this.bytes.push(bytes);
    this.size += bytes.length;
  }

  private settle(): void {
    const bytes = Buffer.from(this.texts.join(''));
    [this.texts, this.length] = [[], 0];
    this.addBytes(bytes);
  }

  private async send(bytes: Buffer, about: Pick<SentPart, 'rows' | 'held' | 'next'>): Promise<void> {
    const upload = await this.begin();
    const sha256 = hash('sha256', bytes, 'buffer');
    const { number, etag } = await upload.add(bytes);
    await this.sent({ ...about, number, etag, bytes: bytes.length, sha256 });
  }
}
