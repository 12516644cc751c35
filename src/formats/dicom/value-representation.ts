import { isDate, isDateTime, isTime } from './date-time.js';

/** A value as it is kept: text, or for the VRs that hold binary numbers below 2^53 a number. */
export type SingleValue = string | number;

/** What a value is, or in words that repeat none of it, what is wrong with it. */
export type Reading<Value = SingleValue> =
  { readonly value: Value } | { readonly problem: string; readonly value?: undefined };

const problem = (words: string): { problem: string } => ({ problem: words });

/** VRs whose values are sequences or bytes rather than text and numbers. */
const BULK: ReadonlySet<string> = new Set(['SQ', 'OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN']);

/** VRs that never have several values; a backslash is a character of theirs (PS3.5 section 6.4). */
const UNDIVIDED: ReadonlySet<string> = new Set(['ST', 'LT', 'UT', 'UR']);

export const isBulkVr = (vr: string): boolean => BULK.has(vr);
export const isUndividedVr = (vr: string): boolean => UNDIVIDED.has(vr);

/** Characters that no VR may hold, and those that only texts of several lines may (PS3.5 section 6.1.3). */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/u;
const CONTROL_IN_TEXT = /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/u;

interface TextRule {
  /** In characters, of a value without its padding. */
  readonly maximum?: number;
  readonly lines?: true;
  /** Leading spaces count: only those at the end are padding. */
  readonly leadingSpaces?: true;
  readonly test?: (text: string) => boolean;
  readonly words?: string;
}

const matches = (expression: RegExp) => (text: string) => expression.test(text);

/** PS3.5 table 6.2-1. */
const TEXT: Readonly<Record<string, TextRule>> = {
  AE: { maximum: 16, test: matches(/^[ -~]+$/), words: 'must be ASCII' },
  AS: { test: matches(/^\d{3}[DWMY]$/), words: 'must be an age, as in 018M or 054Y' },
  AT: { test: matches(/^[\dA-F]{8}$/), words: 'must be a tag of 8 hexadecimal digits' },
  CS: {
    maximum: 16,
    test: matches(/^[A-Z0-9 _]+$/),
    words: 'must have capital letters, digits, spaces and underscores only',
  },
  DA: { test: isDate, words: 'must be a date, YYYYMMDD' },
  DS: { maximum: 16, test: isDecimal, words: 'must be a decimal number' },
  DT: { test: isDateTime, words: 'must be a date and time, YYYYMMDDHHMMSS.FFFFFF&ZZXX' },
  IS: { maximum: 12, test: isInteger32, words: 'must be an integer of 32 bits' },
  LO: { maximum: 64 },
  LT: { maximum: 10_240, lines: true, leadingSpaces: true },
  PN: { test: isPersonName, words: 'must have at most 3 groups of 5 components and 64 characters' },
  SH: { maximum: 16 },
  ST: { maximum: 1024, lines: true, leadingSpaces: true },
  SV: { test: isBetween(-(2n ** 63n), 2n ** 63n - 1n), words: 'must be an integer of 64 bits' },
  TM: { test: isTime, words: 'must be a time, HHMMSS.FFFFFF' },
  UC: { leadingSpaces: true },
  UR: { test: matches(/^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/), words: 'must be a URI' },
  UT: { lines: true, leadingSpaces: true },
  UV: { test: isBetween(0n, 2n ** 64n - 1n), words: 'must be a positive integer of 64 bits' },
};

/** Text by the standard that JSON may as well write as a number. */
const NUMERIC_TEXT: ReadonlySet<string> = new Set(['DS', 'IS', 'SV', 'UV']);

/** The largest numbers that FL holds; those of FD are all that JSON has. */
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;
const NUMBERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  FL: [-MAX_FLOAT, MAX_FLOAT],
  FD: [-Number.MAX_VALUE, Number.MAX_VALUE],
  SL: [-(2 ** 31), 2 ** 31 - 1],
  SS: [-(2 ** 15), 2 ** 15 - 1],
  UL: [0, 2 ** 32 - 1],
  US: [0, 2 ** 16 - 1],
};

/**
 * Checks one value from JSON by its VR (PS3.5 section 6.2) and puts it into the form in which it is kept: text without
 * padding; DS, IS, SV and UV as text too, so that no digit is lost; other numbers as numbers.
 */
export function readValue(vr: string, input: unknown): Reading {
  const range = NUMBERS[vr];
  if (range !== undefined) return readNumber(vr, input, range);
  const rule = TEXT[vr];
  if (rule === undefined) return problem(`has values of ${vr}, which JSON does not hold`);
  if (typeof input === 'number' && NUMERIC_TEXT.has(vr)) return readNumberAsText(vr, input, rule);
  if (typeof input !== 'string')
    return problem(NUMERIC_TEXT.has(vr) ? 'must be text or a number' : 'must be text');
  const text = withoutPadding(vr === 'AT' ? input.toUpperCase() : input, rule.leadingSpaces);
  return readText(vr, text, rule);
}

function readText(vr: string, text: string, rule: TextRule): Reading {
  if (text === '' || (vr === 'PN' && /^[\^= ]*$/.test(text))) return problem('must not be empty');
  if ((rule.lines ? CONTROL_IN_TEXT : CONTROL).test(text))
    return problem('must not contain control characters');
  if (!isUndividedVr(vr) && text.includes('\\'))
    return problem('must not contain a backslash: several values are a list');
  if (rule.maximum !== undefined && longerThan(text, rule.maximum))
    return problem(`must have at most ${rule.maximum} characters`);
  return rule.test?.(text) === false ? problem(rule.words!) : { value: text };
}

function readNumber(vr: string, input: unknown, [least, most]: readonly [number, number]): Reading {
  if (typeof input !== 'number') return problem('must be a number');
  if (!vr.startsWith('F') && !Number.isInteger(input)) return problem('must be an integer');
  if (!(input >= least && input <= most)) return problem(`must be a number that ${vr} can hold`);
  return { value: input === 0 ? 0 : input }; // -0 is no number of JSON
}

function readNumberAsText(vr: string, input: number, rule: TextRule): Reading {
  // Beyond these the parser of JSON has already rounded.
  if (vr !== 'DS' && !Number.isSafeInteger(input)) return problem(rule.words!);
  return readText(vr, String(input), rule);
}

/** Values are filled up with spaces on either side or, where leading ones count, at their end. */
export function withoutPadding(text: string, keepLeading = false): string {
  let start = 0;
  let end = text.length;
  while (end > 0 && text[end - 1] === ' ') end--;
  while (!keepLeading && start < end && text[start] === ' ') start++;
  return text.slice(start, end);
}

/** In characters, not in the halves of them that a string's length counts. */
function longerThan(text: string, maximum: number): boolean {
  return text.length > maximum && (text.length > 2 * maximum || [...text].length > maximum);
}

function isDecimal(text: string): boolean {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text));
}

function isInteger32(text: string): boolean {
  return /^[+-]?\d+$/.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

function isBetween(least: bigint, most: bigint): (text: string) => boolean {
  return (text) => {
    if (!/^-?\d{1,20}$/.test(text)) return false;
    const value = BigInt(text);
    return value >= least && value <= most;
  };
}

/** Alphabetic, ideographic and phonetic group; family, given, middle name, prefix, suffix (PS3.5 section 6.2.1). */
function isPersonName(text: string): boolean {
  const groups = text.split('=');
  return (
    groups.length <= 3 && groups.every((group) => group.split('^').length <= 5 && !longerThan(group, 64))
  );
}
