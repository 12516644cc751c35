/** Furthest that the time of a seal may be ahead of the clock, in milliseconds: more than clocks of machines disagree by. */
export const MOST_AHEAD_MS = 5 * 60_000;

/** A seal would be of a time that is still to come, and so would all after it. None is signed before the clock is there. */
export class SealAhead extends Error {
  override readonly name = 'SealAhead';
}

/**
 * The time of the next seal. Seals do not go back in time, whatever the clock says, or that of another machine said; but a clock
 * that was far ahead for a moment is not to say when all seals to come were made.
 * @param former times that we have signed
 * @throws SealAhead
 */
export function nextSealTime(now: Date, former: readonly (Date | undefined)[]): Date {
  const latest = Math.max(now.getTime(), ...former.map((time) => time?.getTime() ?? 0));
  if (latest - now.getTime() > MOST_AHEAD_MS)
    throw new SealAhead(`The last seal is of ${new Date(latest).toISOString()}, which is still to come.`);
  return new Date(latest);
}
