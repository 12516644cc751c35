import { createHash } from 'node:crypto';

/** Positions as half-open ranges, their bounds one after another: ascending, and apart. */
export type Ranges = number[];

/** Positions of the events of each month (`YYYY-MM`, UTC). */
export type Months = Map<string, Ranges>;

/** Those of a month, to be added to. */
export function rangesOf(months: Months, month: string): Ranges {
  let ranges = months.get(month);
  if (!ranges) months.set(month, (ranges = []));
  return ranges;
}

/** Adds positions behind all that there are. */
export function addRange(ranges: Ranges, from: number, to: number): void {
  if (ranges.at(-1) === from) ranges[ranges.length - 1] = to;
  else ranges.push(from, to);
}

/** Bounds that are written at once: the JSON of all of them may be longer than a string can be. */
const AT_ONCE = 10_000;

/** SHA-256 of the JSON of them, hex. */
export function hashOfRanges(ranges: Readonly<Ranges>): string {
  const sha256 = createHash('sha256').update('[');
  for (let from = 0; from < ranges.length; from += AT_ONCE)
    sha256.update(`${from > 0 ? ',' : ''}${ranges.slice(from, from + AT_ONCE).join()}`);
  return sha256.update(']').digest('hex');
}

/** How many positions they are. */
export const countOfRanges = (ranges: Readonly<Ranges>): number =>
  ranges.reduce((sum, bound, at) => (at % 2 ? sum + bound : sum - bound), 0);
