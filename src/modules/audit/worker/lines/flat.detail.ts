/** More members than a detail of ours has. */
const MOST_MEMBERS = 32;
/** Of an integer, with its sign: a double holds any of so many digits. */
const EXACT_LENGTH = 15;

const [QUOTE, BACKSLASH, COMMA, HYPHEN] = [0x22, 0x5c, 0x2c, 0x2d];
const [OBJECT, OBJECT_END, LIST, DIGIT_0, DIGIT_9] = [0x7b, 0x7d, 0x5b, 0x30, 0x39];

/** Where the members of a detail begin, where their names end and where they do. Nobody waits while he uses them. */
const begins = new Int32Array(MOST_MEMBERS);
const colons = new Int32Array(MOST_MEMBERS);
const ends = new Int32Array(MOST_MEMBERS);

/**
 * Writes what `canonicalDetail` makes of a jsonb's text from `from` up to `end`, when all it takes is another order and no
 * blanks: members that are texts, integers or constants, with names in ASCII. What Postgres escapes, and how, is the same.
 * @returns where `out` goes on; -1 when nothing is written, since it takes more
 */
export function writeFlatDetail(text: Buffer, from: number, end: number, out: Buffer, at: number): number {
  const count = text[from] === OBJECT ? findMembers(text, from + 1, end - 1) : -1;
  if (count < 0) return -1;
  out[at++] = OBJECT;
  for (let member = 0; member < count; member++) {
    if (member > 0) out[at++] = COMMA;
    for (let next = begins[member]!; next <= colons[member]!; next++) out[at++] = text[next]!;
    for (let next = colons[member]! + 2; next < ends[member]!; next++) out[at++] = text[next]!;
  }
  out[at++] = OBJECT_END;
  return at;
}

/** @returns how many there are, in the order of their names; -1 when it takes more */
function findMembers(text: Buffer, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; at += ', '.length) {
    const colon = behindName(text, at);
    if (colon < 0 || count === MOST_MEMBERS) return -1;
    const behind = behindValue(text, colon + ': '.length);
    if (behind < 0) return -1;
    let place = count++;
    for (; place > 0 && isBefore(text, at, colon, place - 1); place--) {
      begins[place] = begins[place - 1]!;
      colons[place] = colons[place - 1]!;
      ends[place] = ends[place - 1]!;
    }
    [begins[place], colons[place], ends[place]] = [at, colon, behind];
    at = behind;
  }
  return count;
}

function behindName(text: Buffer, from: number): number {
  let at = from + 1;
  for (; text[at] !== QUOTE; at++) if (text[at] === BACKSLASH || text[at]! >= 0x80) return -1;
  return at + 1;
}

function behindValue(text: Buffer, from: number): number {
  let at = from;
  const first = text[at++]!;
  if (first === QUOTE) {
    for (; text[at] !== QUOTE; at++) if (text[at] === BACKSLASH) at++;
    return at + 1;
  }
  if (first === OBJECT || first === LIST) return -1;
  while (text[at] !== COMMA && text[at] !== OBJECT_END) at++;
  if (first !== HYPHEN && (first < DIGIT_0 || first > DIGIT_9)) return at; // true, false, null
  if (at - from > EXACT_LENGTH) return -1;
  for (let digit = from + 1; digit < at; digit++)
    if (text[digit]! < DIGIT_0 || text[digit]! > DIGIT_9) return -1;
  return at;
}

/** Whether the name from `from` up to `colon` comes before that of a member. */
function isBefore(text: Buffer, from: number, colon: number, member: number): boolean {
  const begin = begins[member]!;
  const [length, other] = [colon - from - 1, colons[member]! - begin - 1];
  for (let at = 1; at < length && at < other; at++)
    if (text[from + at] !== text[begin + at]) return text[from + at]! < text[begin + at]!;
  return length < other;
}
