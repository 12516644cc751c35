/** An instance that lands this long after the one before it still belongs to the same group: then the group closes. */
export const IDLE_MS = 60_000;

/** A study that is sent again within this time of its last landing overwrites; later, it is a new generation. */
export const OVERWRITE_MS = 5 * 60_000;

/** How long a group waits, past its time, for uploads its organization has still to verify. */
export const BACKLOG_LIMIT_MS = 15 * 60_000;

/** One generation of a study. All times are the bucket's own. */
export interface Submission {
  generation: number;
  openedAt: Date;
  lastLandedAt: Date;
  closesAt: Date;
}

/**
 * The submission an instance belongs to that brings something new: the present one, which it keeps open or opens again,
 * or the next. Landing is what counts, not when it was noticed or verified: a backlog changes nothing.
 */
export function submissionFor(present: Submission | undefined, landedAt: Date): Submission {
  if (present && landedAt.getTime() <= present.lastLandedAt.getTime() + OVERWRITE_MS) {
    const lastLandedAt = landedAt > present.lastLandedAt ? landedAt : present.lastLandedAt;
    return { ...present, lastLandedAt, closesAt: new Date(lastLandedAt.getTime() + IDLE_MS) };
  }
  return {
    generation: (present?.generation ?? 0) + 1,
    openedAt: landedAt,
    lastLandedAt: landedAt,
    closesAt: new Date(landedAt.getTime() + IDLE_MS),
  };
}
