import { addRange, type Months, type Ranges, rangesOf } from '../ranges.js';
import type { SentPart } from './export.parts.js';

/** A part of the file that is in the bucket. */
export type Part = Pick<SentPart, 'etag' | 'bytes' | 'rows' | 'sha256'>;

/** What an export's file holds, as far as it is. Positions are kept twice and no more: of a filter there may be millions apart. */
export class ExportContents {
  readonly parts: Part[] = [];
  /** Of all its events, ascending. */
  readonly positions: Ranges = [];
  /** The same by the month they happened in. */
  readonly months: Months = new Map();

  /** Adds the next part. */
  add({ etag, bytes, rows, sha256, held, months }: Omit<SentPart, 'number' | 'next'>): void {
    this.parts.push({ etag, bytes, rows, sha256 });
    addAll(this.positions, held);
    for (const [month, positions] of months) addAll(rangesOf(this.months, month), positions);
  }

  /** In bytes. */
  get size(): number {
    return this.parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

function addAll(to: Ranges, ranges: Readonly<Ranges>): void {
  for (let at = 0; at < ranges.length; at += 2) addRange(to, ranges[at]!, ranges[at + 1]!);
}
