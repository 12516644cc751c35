import { TextDecoder } from 'node:util';

import { latin1 } from './latin1.js';

/**
 * SpecificCharacterSet (0008,0005): the defined terms of PS3.3 section C.12.1.1.2 by the WHATWG encoding that reads
 * them. The default repertoire, ISO_IR 6, is ASCII; bytes above it are illegal there and mostly Latin-1 in practice.
 */
const DEFAULT_LABEL = 'iso-8859-1';

const LABELS: Readonly<Record<string, string>> = {
  'ISO_IR 6': DEFAULT_LABEL,
  'ISO_IR 100': 'iso-8859-1',
  'ISO_IR 101': 'iso-8859-2',
  'ISO_IR 109': 'iso-8859-3',
  'ISO_IR 110': 'iso-8859-4',
  'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 127': 'iso-8859-6',
  'ISO_IR 126': 'iso-8859-7',
  'ISO_IR 138': 'iso-8859-8',
  'ISO_IR 148': 'iso-8859-9',
  'ISO_IR 203': 'iso-8859-15',
  'ISO_IR 13': 'shift_jis',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 192': 'utf-8',
  GB18030: 'gb18030',
  GBK: 'gbk',
  'ISO 2022 IR 58': 'gbk',
  'ISO 2022 IR 149': 'euc-kr',
};

/** Escape sequences (without ESC) that designate G1, or a single-byte G0, by the encoding that reads what follows. */
const ESCAPES_TO_LABEL: Readonly<Record<string, string>> = {
  '-A': 'iso-8859-1',
  '-B': 'iso-8859-2',
  '-C': 'iso-8859-3',
  '-D': 'iso-8859-4',
  '-L': 'iso-8859-5',
  '-G': 'iso-8859-6',
  '-F': 'iso-8859-7',
  '-H': 'iso-8859-8',
  '-M': 'iso-8859-9',
  '-b': 'iso-8859-15',
  '-T': 'windows-874',
  ')I': 'shift_jis',
  '$)C': 'euc-kr',
  '$)A': 'gbk',
};

/** Escape sequences that designate a two-byte G0, by the byte which puts each of its characters into EUC-JP. */
const ESCAPES_TO_TWO_BYTES: Readonly<Record<string, readonly number[]>> = {
  $B: [],
  '$@': [],
  '$(D': [0x8f],
};
const ESCAPES_TO_ASCII: ReadonlySet<string> = new Set(['(B', '(J']);

const ESC = 0x1b;
/** Code extensions end at these (PS3.5 section 6.1.2.5.3): TAB LF FF CR, `\`, and `^` `=` of person names. */
const RESETS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x5c, 0x5e, 0x3d]);

const decoders = new Map<string, TextDecoder>();

/** Decodes with replacement characters instead of errors; an encoding unknown to the platform reads as Latin-1. */
function decodeAs(label: string, bytes: Uint8Array): string {
  let decoder = decoders.get(label);
  if (decoder === undefined) {
    try {
      decoder = new TextDecoder(label, { ignoreBOM: true });
    } catch {
      decoder = new TextDecoder(DEFAULT_LABEL);
    }
    decoders.set(label, decoder);
  }
  return decoder.decode(bytes);
}

/** The encoding a text begins in: that of the first term, be it one with or without code extensions. */
function initialLabel(terms: readonly string[]): string {
  const first = (terms[0] ?? '')
    .trim()
    .toUpperCase()
    .replace(/^ISO[ _-]IR[ _-]/, 'ISO_IR ');
  return LABELS[first] ?? LABELS[first.replace(/^ISO 2022 IR /, 'ISO_IR ')] ?? DEFAULT_LABEL;
}

/**
 * Decodes text by the terms of SpecificCharacterSet. Never throws: unknown terms read as Latin-1, illegal bytes become
 * U+FFFD. Escape sequences are followed wherever they occur, whether or not the terms announce them.
 */
export function decodeText(bytes: Uint8Array, terms: readonly string[]): string {
  if (isPlainAscii(bytes)) return latin1(bytes);
  const initial = initialLabel(terms);
  // GB18030 and UTF-8 know no code extensions (PS3.3 section C.12.1.1.2), and ESC is no character of theirs.
  if (!bytes.includes(ESC)) return decodeAs(initial, bytes);

  let text = '';
  let label = initial;
  let twoBytes: readonly number[] | undefined;
  let start = 0;
  const flush = (end: number): void => {
    if (end > start) {
      const run = bytes.subarray(start, end);
      text += twoBytes === undefined ? decodeAs(label, run) : decodeAs('euc-jp', toEucJp(run, twoBytes));
    }
    start = end;
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === ESC) {
      flush(at);
      const escape = escapeAt(bytes, at + 1);
      if (escape in ESCAPES_TO_LABEL) {
        label = ESCAPES_TO_LABEL[escape]!;
        if (escape === ')I' || escape.startsWith('-')) twoBytes = undefined;
      } else if (escape in ESCAPES_TO_TWO_BYTES) twoBytes = ESCAPES_TO_TWO_BYTES[escape];
      else if (ESCAPES_TO_ASCII.has(escape)) twoBytes = undefined;
      at += escape.length;
      start = at + 1;
    } else if (twoBytes === undefined && RESETS.has(byte) && label !== initial) {
      flush(at);
      label = initial;
    }
  }
  flush(bytes.length);
  return text;
}

/** ISO 2022: intermediate bytes 0x20 to 0x2F, then one final byte. */
function escapeAt(bytes: Uint8Array, at: number): string {
  let end = at;
  while (end < bytes.length && end < at + 3 && bytes[end]! >= 0x20 && bytes[end]! <= 0x2f) end++;
  return latin1(bytes.subarray(at, end + 1));
}

/** Two-byte characters in G0 are EUC-JP with the high bits cleared; a byte that belongs to none is kept as it is. */
function toEucJp(run: Uint8Array, prefix: readonly number[]): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < run.length; at++) {
    const isPair = run[at]! > 0x20 && at + 1 < run.length && run[at + 1]! > 0x20;
    if (isPair) out.push(...prefix, run[at]! | 0x80, run[++at]! | 0x80);
    else out.push(run[at]!);
  }
  return Uint8Array.from(out);
}

function isPlainAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80 || byte === ESC) return false;
  return true;
}
