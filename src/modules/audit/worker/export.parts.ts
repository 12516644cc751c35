import { hash } from 'node:crypto';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';
import { addRange, type Months, type Ranges } from '../ranges.js';
import { addMonths } from './lines/months.js';
import type { EventRun } from './lines/wanted-events.js';

/** Bytes of one part, at least, but for the last: 10,000 parts are 80 GB. */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts that are on their way while the next is filled. */
const LEAVING = 2;
/** A part may be this much larger before its memory grows. */
const MARGIN_BYTES = 1024 * 1024;
/** UTF-8, of a UTF-16 code unit. */
const LONGEST_CHARACTER = 3;

/** A part that is in the bucket. */
export interface SentPart {
  number: number;
  etag: string;
  bytes: number;
  sha256: Buffer;
  rows: number;
  /** Where the next one begins. */
  next: number;
  /** Positions of its events. */
  held: Ranges;
  /** The same by the month they happened in, ascending. */
  months: [month: string, held: Ranges][];
}

/**
 * Writes texts as the parts of one object, whole texts each. While some are on their way the next is filled, in memory that
 * parts before it have left: fresh memory would keep the collector of garbage busy.
 */
export class ExportParts {
  private filling: Buffer = Buffer.alloc(0);
  private readonly free: Buffer[] = [];
  private size = 0;
  private rows = 0;
  private held: Ranges = [];
  private months: Months = new Map();
  private upload: Promise<MultipartUpload> | undefined;
  private readonly leaving: { sent: Promise<void>; memory: Buffer }[] = [];

  /**
   * @param begin is called before the first part
   * @param sent is told of each part, in order, and waited for
   */
  constructor(
    private readonly begin: () => Promise<MultipartUpload>,
    private readonly sent: (part: SentPart) => Promise<void>,
    private readonly partBytes = PART_BYTES,
  ) {}

  /** Text that is no event: what stands around them. It is copied. */
  add(text: string | Buffer): void {
    if (typeof text === 'string') {
      this.reserve(LONGEST_CHARACTER * text.length);
      this.size += this.filling.write(text, this.size);
      return;
    }
    this.reserve(text.length);
    this.size += text.copy(this.filling, this.size);
  }

  /** @param before what stands before them @param text of all of them */
  addEvents({ first, count, lines, ends }: EventRun, before: string, text: string | Buffer): void {
    this.add(before);
    this.add(text);
    this.rows += count;
    addMonths(this.months, first, lines, ends);
    addRange(this.held, first, first + count);
  }

  /** Sends what there is when it is as much as a part. @param next position of the event that comes after it */
  async breathe(next: number): Promise<void> {
    if (this.size >= this.partBytes) await this.flush(next);
  }

  /** Sends what is left. Resolves when all of it is in the bucket. @param next behind the last event */
  async end(next: number): Promise<void> {
    if (this.size > 0) await this.flush(next);
    await this.leaving.at(-1)?.sent;
  }

  /** Resolves when none is on its way any more, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.leaving.map(({ sent }) => sent));
  }

  private reserve(length: number): void {
    if (this.size + length <= this.filling.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.partBytes, this.size + length) + MARGIN_BYTES);
    this.filling.copy(larger, 0, 0, this.size);
    this.filling = larger;
  }

  private async flush(next: number): Promise<void> {
    if (this.leaving.length === LEAVING) {
      const first = this.leaving.shift()!;
      await first.sent;
      this.free.push(first.memory);
    }
    const { filling: memory, size, rows, held } = this;
    const months = [...this.months].sort(([one], [other]) => (one < other ? -1 : 1));
    const about = { rows, held, months, next };
    const sent = this.send(memory.subarray(0, size), about, this.leaving.at(-1)?.sent);
    sent.catch(() => undefined); // whoever waits for it is told
    this.leaving.push({ sent, memory });
    [this.filling, this.size, this.rows, this.held] = [this.free.pop() ?? Buffer.alloc(0), 0, 0, []];
    this.months = new Map();
  }

  private async send(
    bytes: Buffer,
    about: Pick<SentPart, 'rows' | 'held' | 'months' | 'next'>,
    before: Promise<void> | undefined,
  ): Promise<void> {
    const sha256 = hash('sha256', bytes, 'buffer');
    const upload = await (this.upload ??= this.begin());
    const { number, etag } = await upload.add(bytes, sha256);
    await before;
    await this.sent({ ...about, number, etag, bytes: bytes.length, sha256 });
  }
}
