import { type ExportStatement, monthStatement, type TreeLine } from '../export.manifest.js';
import { addRange, countOfRanges, hashOfRanges, type Months, type Ranges, rangesOf } from '../ranges.js';

/** What the trees of an export have, to be compared with what it says of itself. */
export class Tally {
  /** Events of its trees that are not in the file. */
  leftOut = 0;
  private readonly positions: Ranges = [];
  private readonly months: Months = new Map();

  get rows(): number {
    return countOfRanges(this.positions);
  }

  /** @param line whose `held` makes sense */
  addTree({ tree: { first, size }, held }: TreeLine): void {
    this.leftOut += size;
    for (const [from, to] of held) {
      addRange(this.positions, first + from, first + to);
      this.leftOut -= to - from;
    }
  }

  /** An event of the tree that comes next, by the time that is sealed. */
  addEvent(position: number, month: string): void {
    addRange(rangesOf(this.months, month), position, position + 1);
  }

  /** What of the statement is not so. @param timed whether its file tells the times of its events */
  contradiction(statement: ExportStatement, timed: boolean): string | undefined {
    const { positions, rows } = this;
    const [first = null, last] = [positions[0], positions.at(-1)];
    if (rows !== statement.rows || first !== statement.first || (last ? last - 1 : null) !== statement.last)
      return `It has ${statement.rows} rows, its trees ${rows}.`;
    if (hashOfRanges(positions) !== statement.positions) return 'It has other events than its trees.';
    if (statement.complete && statement.from === null && statement.to === null && this.leftOut > 0)
      return 'It is complete, and leaves events out.';
    const month = timed ? this.otherMonth(statement) : undefined;
    return month && `It has other events of ${month} than its trees.`;
  }

  private otherMonth({ months }: ExportStatement): string | undefined {
    return [...new Set([...Object.keys(months), ...this.months.keys()])].find((month) => {
      const { events, positions } = monthStatement(this.months.get(month) ?? []);
      return months[month]?.events !== events || months[month].positions !== positions;
    });
  }
}
