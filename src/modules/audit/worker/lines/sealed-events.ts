import { type Ledger, sealedTrees } from './sealed-trees.rows.js';
import { linesOf, type LostEvent } from './tree-lines.js';
import { type EventRun, type Wanted, WantedEvents } from './wanted-events.js';

/** What there is of some trees. Ascending, both of it. */
export interface SealedEvents {
  runs: EventRun[];
  lost: LostEvent[];
}

/** Some trees of an organization, whole ones, and what of them is wanted. */
export interface Stretch extends Wanted {
  /** Positions of the first tree and behind the last. */
  firstTree: number;
  endTree: number;
}

/**
 * Reads sealed events. One that is lost is told, whatever the filter: it may be one that is wanted. It is, too, if it comes before
 * what is, since all of its tree was there when that was passed over; and so is a tree that was there a moment ago.
 */
export async function sealedEvents(ledger: Ledger, stretch: Stretch): Promise<SealedEvents> {
  const wanted = new WantedEvents(stretch);
  const events: SealedEvents = { runs: [], lost: [] };
  const trees = await sealedTrees(ledger, stretch);
  const found = await linesOf(ledger, trees);
  let next = stretch.firstTree;
  for (const { first, size } of trees) {
    if (first !== next) break;
    next += size;
    const { lines, lost } = found.get(first)!;
    for (const some of lines) events.runs.push(...wanted.runsOf(some));
    for (const { position, time } of lost)
      events.lost.push({ position, time, ...(time && wanted.isWithin(time) && { wanted: true }) });
  }
  if (next !== stretch.endTree) events.lost.push({ position: next, time: undefined });
  return events;
}
