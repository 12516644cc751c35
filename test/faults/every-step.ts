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

export const FAULTS = ['died', 'refused', 'unanswered'] as const satisfies Fault['kind'][];

const EVERY_FAULT = process.env.SCANDOCK_EVERY_FAULT === 'true';

/** What a step is tried with: one of them, in turn, or each (`SCANDOCK_EVERY_FAULT=true`), which takes as many times longer. */
export const faultsAt = <T>(step: number, all: readonly T[]): readonly T[] =>
  EVERY_FAULT ? all : [all[step % all.length]!];

/** Tries `scenario` with a fault at each step, until a life is lived without being struck. @returns how many steps there are */
export async function atEveryStep(
  scenario: (fault: Fault, name: (worker: Incarnation) => string) => Promise<Incarnation>,
): Promise<number> {
  for (let step = 1; ; step++) {
    let struck = false;
    for (const kind of faultsAt(step, FAULTS)) {
      const name = (worker: Incarnation) => `${kind} at step ${step}: ${worker.struck ?? 'none'}`;
      const worker = await scenario({ step, kind }, name);
      if (worker.struck) struck = true;
      else expect(worker.steps).toBe(step - 1); // the last step of all was struck, too
    }
    if (!struck) return step - 1;
  }
}
