import { addRange, type Months, rangesOf } from '../../ranges.js';

/** A member of a form, behind which are two that are texts at most: in those it would have other quotes. Details come before it. */
const TIME = Buffer.from(',"time":"');
/** Of `YYYY-MM`; years of more than four digits have a sign and two more. */
const [MONTH_BYTES, LONG_MONTH_BYTES] = [7, 10];
const [PLUS, MINUS] = [0x2b, 0x2d];

/** Where the time of an event begins in canonical forms. @param end of the event's form */
export const timeAt = (forms: Buffer, end: number): number => forms.lastIndexOf(TIME, end) + TIME.length;

/**
 * Adds the events of some lines, by the times that are sealed.
 * @param first position of the first of them @param ends where each line ends, behind its line end
 */
export function addMonths(months: Months, first: number, lines: Buffer, ends: readonly number[]): void {
  let [month, begun] = ['', first];
  const add = (behind: number): void => {
    if (behind > begun) addRange(rangesOf(months, month), begun, behind);
    begun = behind;
  };
  for (const [index, end] of ends.entries()) {
    const at = timeAt(lines, end);
    const isLong = lines[at] === PLUS || lines[at] === MINUS;
    const next = lines.toString('latin1', at, at + (isLong ? LONG_MONTH_BYTES : MONTH_BYTES));
    if (next !== month) add(first + index);
    month = next;
  }
  add(first + ends.length);
}
