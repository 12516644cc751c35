import type { Answer } from './client.js';

/** A change must be in force this soon, in milliseconds. */
const WITHIN_MS = 1_000;

/**
 * Asks until `done` accepts the answer, all the while, since what is remembered must not be remembered for longer by being
 * used. What counts is when a question was sent: how long a busy machine takes to answer it is not the question.
 */
export async function soon<T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> {
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 25))) {
    const late = Date.now() - begun >= WITHIN_MS;
    const answer = await ask();
    if (done(answer)) return answer;
    if (late) throw new Error(`Not within a second; last seen: ${JSON.stringify(answer).slice(0, 500)}`);
  }
}

/** The same until the answer has that status. */
export function soonStatus(status: number, ask: () => Promise<Answer>): Promise<Answer> {
  return soon(ask, (answer) => answer.status === status);
}
