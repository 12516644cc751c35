import { expect } from '@jest/globals';
import type { Fault, Incarnation, MovableClock } from '../support/incarnation.js';

export const MINUTE = 60_000;

/** A life that goes through everything a worker does; the clock passes the lifetimes of URLs and copies. */
export async function live(worker: Incarnation, clock: MovableClock): Promise<void> {
  clock.travel(20_000); // what stands still is queued again
  await worker.live(1);
  clock.travel(2 * 60 * MINUTE); // URLs have expired, copies are given up, studies close
  await worker.live(1);
}

/** Copies are swept a second time, for the sake of workers that only stood still. */
export async function sweepAgain(worker: Incarnation, clock: MovableClock): Promise<void> {
  clock.travel(2 * 60 * MINUTE);
  await worker.purge.run();
}

/** Tries `scenario` with each kind of fault at each step, until a life is lived without being struck. */
export async function atEveryStep(
  scenario: (fault: Fault, name: (worker: Incarnation) => string) => Promise<Incarnation>,
): Promise<void> {
  for (const kind of ['died', 'refused', 'unanswered'] as const)
    for (let step = 1; ; step++) {
      const name = ({ struck }: Incarnation) => `${kind} at step ${step}: ${struck ?? 'none'}`;
      const worker = await scenario({ step, kind }, name);
      if (worker.struck) continue;
      expect(worker.steps).toBe(step - 1); // the last step of all was struck, too
      break;
    }
}
