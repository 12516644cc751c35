import { describe, expect, it } from '@jest/globals';
import { IDLE_MS, OVERWRITE_MS, type Submission, submissionFor } from './submission.js';

const START = Date.UTC(2026, 0, 1);
const at = (milliseconds: number): Date => new Date(START + milliseconds);
const after = (...landings: number[]): Submission | undefined =>
  landings.reduce<Submission | undefined>(
    (present, landing) => submissionFor(present, at(landing)),
    undefined,
  );

describe('the submission an instance belongs to', () => {
  it('begins with the first landing and closes an idle minute after it', () => {
    expect(after(0)).toEqual({ generation: 1, openedAt: at(0), lastLandedAt: at(0), closesAt: at(IDLE_MS) });
  });

  it('is kept open by what lands within the minute', () => {
    expect(after(0, 59_900)).toEqual({
      generation: 1,
      openedAt: at(0),
      lastLandedAt: at(59_900),
      closesAt: at(59_900 + IDLE_MS),
    });
  });

  it.each([
    ['at five minutes still the same', OVERWRITE_MS, 1],
    ['a millisecond later the next', OVERWRITE_MS + 1, 2],
  ])('is %s', (_, landing, generation) => {
    const submission = after(0, landing)!;
    expect(submission).toMatchObject({
      generation,
      lastLandedAt: at(landing),
      closesAt: at(landing + IDLE_MS),
    });
    expect(submission.openedAt).toEqual(at(generation === 1 ? 0 : landing));
  });

  it('counts the five minutes from the last landing, not from the first', () => {
    expect(after(0, 4 * 60_000, 8 * 60_000)).toMatchObject({ generation: 1, lastLandedAt: at(8 * 60_000) });
  });

  it('is not moved by what landed before its last landing, however much before', () => {
    const present = after(0, 30_000);
    expect(submissionFor(present, at(10_000))).toEqual(present);
    expect(submissionFor(present, at(-24 * 3_600_000))).toEqual(present);
  });

  it('of what came early and late around the window is the present one', () => {
    expect(after(0, OVERWRITE_MS + 1, OVERWRITE_MS)).toMatchObject({
      generation: 2,
      lastLandedAt: at(OVERWRITE_MS + 1),
      closesAt: at(OVERWRITE_MS + 1 + IDLE_MS),
    });
  });
});
