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

/** Reads sealed events. One that is lost is told, whatever the filter: it may be one that is wanted. */
export async function sealedEvents(ledger: Ledger, stretch: Stretch): Promise<SealedEvents> {
  const wanted = new WantedEvents(stretch);
  const events: SealedEvents = { runs: [], lost: [] };
  for (const tree of await sealedTrees(ledger, stretch)) {
    const { lines, lost } = await linesOf(ledger, tree);
    for (const some of lines) events.runs.push(...wanted.runsOf(some));
    for (const { position, time } of lost)
      if (position >= stretch.next && position < stretch.until)
        events.lost.push({ position, time: time && !wanted.isWithin(time) ? time : undefined });
  }
  return events;
}
