import { type DocumentFailure, type DocumentReader, MAX_DEPTH } from './rules.js';
import { Utf8Text } from './utf8-text.js';

/** What the grammar expects next. */
enum Next {
  Value,
  /** Directly after `[`. */
  ValueOrEnd,
  /** Directly after `{`. */
  KeyOrEnd,
  Key,
  Colon,
  CommaOrEnd,
  /** Within a string, after its backslash, and within `\uXXXX`. */
  String,
  Escape,
  Hex,
  /** Within `true`, `false` or `null`. */
  Literal,
  /** Within a number: after its `-`, its leading zero, its digits, its point, its fraction, its `e`, that one's sign and digits. */
  Minus,
  Zero,
  Digits,
  Point,
  Fraction,
  Exponent,
  ExponentSign,
  ExponentDigits,
  Failed,
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const LITERALS = new Map(['true', 'false', 'null'].map((word) => [word.charCodeAt(0), word.slice(1)]));
const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));
/** Where a number may end. */
const COMPLETE_NUMBER = new Set([Next.Zero, Next.Digits, Next.Fraction, Next.ExponentDigits]);

/**
 * The grammar of RFC 8259 and nothing else: no value is built. `JSON.parse` would make a hundred bytes of heap from
 * each `[]` of a hostile document.
 */
export class JsonReader implements DocumentReader {
  private readonly text = new Utf8Text();
  private next: Next = Next.Value;
  private readonly containers = new Uint8Array(MAX_DEPTH);
  private depth = 0;
  private inKey = false;
  private literal = '';
  /** Characters of a literal, or digits of `\uXXXX`, that were read. */
  private taken = 0;
  private offset = 0;
  private failure: DocumentFailure | undefined;

  write(bytes: Uint8Array): void {
    if (this.failure) return;
    this.text.decode(bytes);
    for (let at = 0; at < bytes.length; at++) {
      if (this.take(bytes[at]!)) continue;
      this.failure ??= { rule: 'type.mismatch', where: `byte ${this.offset + at}` };
      return;
    }
    this.offset += bytes.length;
  }

  end(): DocumentFailure | undefined {
    const complete = this.next === Next.CommaOrEnd || COMPLETE_NUMBER.has(this.next);
    const objection = this.text.end();
    if (this.failure) return this.failure;
    if (objection) return objection;
    return complete && this.depth === 0 ? undefined : { rule: 'type.mismatch', where: `byte ${this.offset}` };
  }

  /** False when the byte may not stand here. */
  private take(byte: number): boolean {
    switch (this.next) {
      case Next.String:
        if (byte === QUOTE) this.next = this.inKey ? Next.Colon : Next.CommaOrEnd;
        else if (byte === BACKSLASH) this.next = Next.Escape;
        return byte >= 0x20;
      case Next.Escape:
        this.taken = 0;
        this.next = byte === 0x75 ? Next.Hex : Next.String;
        return byte === 0x75 || ESCAPES.has(byte);
      case Next.Hex:
        if (++this.taken === 4) this.next = Next.String;
        return isDigit(byte) || ((byte | 0x20) - 0x61) >>> 0 < 6;
      case Next.Literal:
        if (byte !== this.literal.charCodeAt(this.taken)) return false;
        if (++this.taken === this.literal.length) this.next = Next.CommaOrEnd;
        return true;
      case Next.Value:
      case Next.ValueOrEnd:
      case Next.KeyOrEnd:
      case Next.Key:
      case Next.Colon:
      case Next.CommaOrEnd:
        return isBlank(byte) || this.takeStructural(byte);
      default:
        return this.takeNumeric(byte);
    }
  }

  private takeStructural(byte: number): boolean {
    switch (this.next) {
      case Next.ValueOrEnd:
        return byte === CLOSE_ARRAY ? this.close(byte) : this.beginValue(byte);
      case Next.KeyOrEnd:
        return byte === CLOSE_OBJECT ? this.close(byte) : this.beginKey(byte);
      case Next.Key:
        return this.beginKey(byte);
      case Next.Colon:
        this.next = Next.Value;
        return byte === COLON;
      case Next.CommaOrEnd:
        if (this.depth === 0) return false;
        if (byte !== COMMA) return this.close(byte);
        this.next = this.containers[this.depth - 1] === OPEN_OBJECT ? Next.Key : Next.Value;
        return true;
      default:
        return this.beginValue(byte);
    }
  }

  private beginKey(byte: number): boolean {
    this.inKey = true;
    this.next = Next.String;
    return byte === QUOTE;
  }

  private beginValue(byte: number): boolean {
    this.inKey = false;
    if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) return this.open(byte);
    if (byte === QUOTE) this.next = Next.String;
    else if (byte === 0x2d) this.next = Next.Minus;
    else if (byte === 0x30) this.next = Next.Zero;
    else if (isDigit(byte)) this.next = Next.Digits;
    else {
      this.literal = LITERALS.get(byte) ?? '';
      this.taken = 0;
      this.next = Next.Literal;
      return this.literal !== '';
    }
    return true;
  }

  private open(byte: number): boolean {
    if (this.depth === MAX_DEPTH) {
      this.failure = { rule: 'document.too-complex' };
      return false;
    }
    this.containers[this.depth++] = byte;
    this.next = byte === OPEN_ARRAY ? Next.ValueOrEnd : Next.KeyOrEnd;
    return true;
  }

  /** In ASCII a closing bracket is its opening one plus two. */
  private close(byte: number): boolean {
    if (byte !== this.containers[--this.depth]! + 2) return false;
    this.next = Next.CommaOrEnd;
    return true;
  }

  private takeNumeric(byte: number): boolean {
    const digit = isDigit(byte);
    const after = NUMBER_STEPS[this.next]?.(byte, digit);
    if (after !== undefined) {
      this.next = after;
      return true;
    }
    if (!COMPLETE_NUMBER.has(this.next)) return false;
    this.next = Next.CommaOrEnd;
    return isBlank(byte) || this.takeStructural(byte);
  }
}

type Step = (byte: number, digit: boolean) => Next | undefined;

const isExponent = (byte: number): boolean => (byte | 0x20) === 0x65;
const afterInteger: Step = (byte) =>
  byte === 0x2e ? Next.Point : isExponent(byte) ? Next.Exponent : undefined;

/** RFC 8259, section 6. */
const NUMBER_STEPS: Partial<Record<Next, Step>> = {
  [Next.Minus]: (byte, digit) => (byte === 0x30 ? Next.Zero : digit ? Next.Digits : undefined),
  [Next.Zero]: afterInteger,
  [Next.Digits]: (byte, digit) => (digit ? Next.Digits : afterInteger(byte, digit)),
  [Next.Point]: (_, digit) => (digit ? Next.Fraction : undefined),
  [Next.Fraction]: (byte, digit) => (digit ? Next.Fraction : isExponent(byte) ? Next.Exponent : undefined),
  [Next.Exponent]: (byte, digit) =>
    digit ? Next.ExponentDigits : byte === 0x2b || byte === 0x2d ? Next.ExponentSign : undefined,
  [Next.ExponentSign]: (_, digit) => (digit ? Next.ExponentDigits : undefined),
  [Next.ExponentDigits]: (_, digit) => (digit ? Next.ExponentDigits : undefined),
};

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
