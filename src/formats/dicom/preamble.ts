/** Length of the preamble, in bytes; `DICM` follows it (PS3.10 section 7.1). */
export const PREAMBLE_BYTES = 128;

const latin1 = (text: string): readonly number[] => [...Buffer.from(text, 'latin1')];

/**
 * First bytes which make another program run or unpack the file. A preamble exists so that a file can be two things,
 * for which TIFF is the honest use; vendors' own preambles are common and harmless.
 */
const REFUSED_STARTS: readonly (readonly number[])[] = [
  latin1('MZ'),
  latin1('\x7fELF'),
  latin1('#!'),
  latin1('PK'),
  [0xfe, 0xed, 0xfa, 0xce],
  [0xfe, 0xed, 0xfa, 0xcf],
  [0xce, 0xfa, 0xed, 0xfe],
  [0xcf, 0xfa, 0xed, 0xfe],
  [0xca, 0xfe, 0xba, 0xbe],
  [0xca, 0xfe, 0xba, 0xbf],
  [0xbe, 0xba, 0xfe, 0xca],
  [0xbf, 0xba, 0xfe, 0xca],
];

export function hasDicomPrefix(head: Uint8Array): boolean {
  return (
    head.length >= PREAMBLE_BYTES + 4 &&
    head[128] === 0x44 &&
    head[129] === 0x49 &&
    head[130] === 0x43 &&
    head[131] === 0x4d
  );
}

/** Whether the preamble makes the file an executable, a script, an archive or a PDF as well. */
export function isPolyglotPreamble(head: Uint8Array): boolean {
  const first = head[0];
  // Almost every preamble is zeros; PDF readers look for their mark anywhere near the start.
  if (REFUSED_STARTS.some((start) => start[0] === first && start.every((byte, i) => head[i] === byte)))
    return true;
  const preamble = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, PREAMBLE_BYTES));
  return preamble.includes('%PDF-', 0, 'latin1');
}
