import { hash } from 'node:crypto';

/** Positions as half-open ranges, their bounds one after another: ascending, and apart. */
export type Ranges = number[];

/** Adds positions behind all that there are. */
export function addRange(ranges: Ranges, from: number, to: number): void {
  if (ranges.at(-1) === from) ranges[ranges.length - 1] = to;
  else ranges.push(from, to);
}

/** SHA-256 of the JSON of them, hex. */
export const hashOfRanges = (ranges: Readonly<Ranges>): string =>
  hash('sha256', JSON.stringify(ranges), 'hex');

/** How many positions they are. */
export const countOfRanges = (ranges: Readonly<Ranges>): number =>
  ranges.reduce((sum, bound, at) => (at % 2 ? sum + bound : sum - bound), 0);
