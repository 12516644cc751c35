import { canonicalDetail } from '../../audit.canonical.js';
import { writeFlatDetail } from './flat.detail.js';
import type { LineMemories } from './line-memories.js';

/** What an event is named by, and where the fields of that are in a row: a time and an id, each behind its length. */
export const NAME_COLUMNS = ['occurred_at', 'id'];
export const [TIME_AT, ID_AT, BEHIND_NAME] = [4, 16, 32];

/** The other columns of an event in the order of their members in the canonical form. {@link CanonicalLines} takes both. */
export const VALUE_COLUMNS = [
  ...[
    'action',
    'actor_id',
    'actor_kind',
    'actor_label',
    'user_agent',
    'detail',
    'ip',
    'outcome',
    'patient_ref',
  ],
  ...['request_id', 'resource_id', 'resource_type', 'scopes', 'study_ref', 'trace_id'],
];

/** What a byte of a text becomes at most: \u0000. */
const LONGEST_ESCAPE = 6;
/** More than stands around the values of an event. */
const AROUND_BYTES = 1024;
/** Postgres counts microseconds from here. */
const POSTGRES_EPOCH_MS = Date.UTC(2000);
const MINUTE_MS = 60_000;
/** ECMAScript, "Time Values and Time Range". */
const LATEST_MS = 8.64e15;
const [QUOTE, COMMA, HYPHEN, DIGIT_0] = [0x22, 0x2c, 0x2d, 0x30];

/** What RFC 8785 wants escaped in a text, and how: as JSON.stringify does it. */
const ESCAPES = Array.from({ length: 0x80 }, (_, code) => {
  const written = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
  return written.length > 1 ? Buffer.from(written) : undefined;
});
const ESCAPED = Uint8Array.from({ length: 256 }, (_, byte) => (ESCAPES[byte] ? 1 : 0));
const HEX = Buffer.from('0123456789abcdef');
const bytes = (text: string): Buffer => Buffer.from(text);
const [NULL, OPEN, CLOSE, INFINITY] = [bytes('null'), bytes('['), bytes(']'), bytes('infinity')];

/**
 * Writes `canonicalForm` and a line end from the bytes that COPY gives of an event's columns, line behind line. Texts are UTF-8
 * there as here and hardly any has something to escape, so that neither side makes strings of them (tests compare the two).
 * https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format"
 */
export class CanonicalLines {
  private readonly around: ReturnType<typeof aroundValues>;
  private out: Buffer = Buffer.alloc(0);
  private at = 0;
  private row: Buffer = this.out;
  private from = 0;
  private minute = NaN;
  private minuteText: Buffer = this.out;

  constructor(
    organizationId: string,
    private readonly memories: LineMemories,
  ) {
    this.around = aroundValues(organizationId);
  }

  /** The memory that the last line stands in, with others before it. */
  get memory(): Buffer {
    return this.out;
  }

  /** Where it ends there. */
  get end(): number {
    return this.at;
  }

  /** @param name where in the row its columns are, up to `end`. Returns the line's length in bytes; 0 when the other columns are null */
  write(row: Buffer, name: number, end: number): number {
    this.from = name + BEHIND_NAME;
    if (row[this.from]! & 0x80) return 0; // the length of an action
    this.row = row;
    this.reserve(LONGEST_ESCAPE * (end - name) + AROUND_BYTES);
    const { around, at } = this;
    for (const before of around.texts) {
      this.literal(before);
      this.text();
    }
    this.literal(around.detail);
    this.detail();
    this.literal(around.id);
    this.uuid(name + ID_AT);
    for (const before of around.moreTexts) {
      this.literal(before);
      this.text();
    }
    this.literal(around.scopes);
    this.texts();
    this.literal(around.study);
    this.text();
    this.literal(around.time);
    this.time(name + TIME_AT);
    this.literal(around.trace);
    this.text();
    this.literal(around.end);
    return this.at - at;
  }

  private reserve(length: number): void {
    if (this.at + length <= this.out.length) return;
    this.out = this.memories.take(length);
    this.at = 0;
  }

  private literal(bytes: Uint8Array): void {
    const { out } = this;
    let { at } = this;
    for (let index = 0; index < bytes.length; index++) out[at++] = bytes[index]!;
    this.at = at;
  }

  /** Four bytes: a number, or the length of what follows. */
  private word(): number {
    const { row, from } = this;
    this.from = from + 4;
    return (row[from]! << 24) | (row[from + 1]! << 16) | (row[from + 2]! << 8) | row[from + 3]!;
  }

  private text(): void {
    const length = this.word();
    if (length < 0) return this.literal(NULL);
    const { row, out } = this;
    let { from, at } = this;
    out[at++] = QUOTE;
    for (const end = from + length; from < end; from++) {
      const byte = row[from]!;
      if (ESCAPED[byte] === 0) out[at++] = byte;
      else at += ESCAPES[byte]!.copy(out, at);
    }
    out[at++] = QUOTE;
    this.from = from;
    this.at = at;
  }

  /** An array has the number of its dimensions, a flag and a type; then of each dimension its size and its first index. */
  private texts(): void {
    if (this.word() < 0) return this.literal(NULL);
    const sizes = new Array<number>(this.word());
    this.from += 8;
    for (let dimension = 0; dimension < sizes.length; dimension++) {
      sizes[dimension] = this.word();
      this.from += 4;
    }
    this.elements(sizes, 0);
  }

  private elements(sizes: readonly number[], dimension: number): void {
    this.literal(OPEN);
    for (let index = 0; index < (sizes[dimension] ?? 0); index++) {
      if (index > 0) this.out[this.at++] = COMMA;
      if (dimension === sizes.length - 1) this.text();
      else this.elements(sizes, dimension + 1);
    }
    this.literal(CLOSE);
  }

  /** A jsonb is a version and its text. */
  private detail(): void {
    const length = this.word();
    if (length < 0) return this.literal(NULL);
    const [from, end] = [this.from + 1, this.from + length];
    this.from = end;
    if (end - from === 2) {
      this.out[this.at++] = this.row[from]!; // most have none: {}
      this.out[this.at++] = this.row[from + 1]!;
      return;
    }
    const flat = writeFlatDetail(this.row, from, end, this.out, this.at);
    if (flat >= 0) this.at = flat;
    else this.at += this.out.write(canonicalDetail(this.row.toString('utf8', from, end)), this.at);
  }

  private uuid(from: number): void {
    const { row, out } = this;
    let { at } = this;
    for (let index = 0; index < 16; index++) {
      const byte = row[from + index]!;
      if (index === 4 || index === 6 || index === 8 || index === 10) out[at++] = HYPHEN;
      out[at++] = HEX[byte >> 4]!;
      out[at++] = HEX[byte & 15]!;
    }
    this.at = at;
  }

  private time(from: number): void {
    const ms = postgresTime(this.row.readInt32BE(from), this.row.readUInt32BE(from + 4));
    if (Math.abs(ms) > LATEST_MS) return this.literal(INFINITY); // only a superuser can have put it there
    const minute = Math.floor(ms / MINUTE_MS);
    if (minute !== this.minute) {
      const text = new Date(minute * MINUTE_MS).toISOString();
      [this.minute, this.minuteText] = [minute, Buffer.from(text.slice(0, -'00.000Z'.length))];
    }
    this.literal(this.minuteText);
    const left = ms - minute * MINUTE_MS;
    const { out, at } = this;
    out[at] = DIGIT_0 + Math.floor(left / 10_000);
    out[at + 1] = DIGIT_0 + (Math.floor(left / 1000) % 10);
    out[at + 2] = 0x2e;
    out[at + 3] = DIGIT_0 + (Math.floor(left / 100) % 10);
    out[at + 4] = DIGIT_0 + (Math.floor(left / 10) % 10);
    out[at + 5] = DIGIT_0 + (left % 10);
    this.at = at + 6;
  }
}

/** A timestamptz, which is two words, in milliseconds since 1970. */
export function postgresTime(high: number, low: number): number {
  const exact = Math.abs(high) < 2 ** 20; // until 2142 it is all in a double
  const ms = exact
    ? Math.floor((high * 2 ** 32 + low) / 1000)
    : Number(((BigInt(high) << 32n) | BigInt(low)) / 1000n);
  return POSTGRES_EPOCH_MS + ms;
}

/** What stands before each value. */
function aroundValues(organizationId: string) {
  return {
    texts: [
      bytes('{"action":'),
      bytes(',"actor":{"id":'),
      bytes(',"kind":'),
      bytes(',"label":'),
      bytes('},"agent":'),
    ],
    detail: bytes(',"detail":'),
    id: bytes(',"id":"'),
    moreTexts: [
      bytes('","ip":'),
      bytes(`,"organization":"${organizationId.toLowerCase()}","outcome":`),
      bytes(',"patient":'),
      bytes(',"request":'),
      bytes(',"resource":{"id":'),
      bytes(',"type":'),
    ],
    scopes: bytes('},"scopes":'),
    study: bytes(',"study":'),
    time: bytes(',"time":"'),
    trace: bytes('Z","trace":'),
    end: bytes(',"v":1}\n'),
  };
}
