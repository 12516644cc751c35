import { PassThrough, type Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Admission } from './admission.js';

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate'] })); // those who still wait, wait on
afterEach(() => void jest.useRealTimers());

/** Work that is done when the test says so. */
function held(admission: Admission, principalId: string, body?: Readable) {
  const one = { principalId, begun: false, finish: () => {}, fail: (_: Error) => {} };
  const done = admission.run(
    principalId,
    () => {
      one.begun = true;
      return new Promise<void>((resolve, reject) => Object.assign(one, { finish: resolve, fail: reject }));
    },
    body,
  );
  done.catch(() => undefined);
  return Object.assign(one, { done });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const begunOf = (all: { begun: boolean }[]) => all.map(({ begun }) => begun);

describe('Admission', () => {
  it('lets in as many as there is room for, and the next when one has left, failed or not', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 2 });
    const all = ['a', 'b', 'c', 'd'].map((id) => held(admission, id));
    await turn();
    expect(begunOf(all)).toEqual([true, true, false, false]);
    all[0]!.fail(new Error('broken'));
    await expect(all[0]!.done).rejects.toThrow('broken');
    expect(begunOf(all)).toEqual([true, true, true, false]);
    all[2]!.finish();
    await all[2]!.done;
    expect(begunOf(all)).toEqual([true, true, true, true]);
  });

  it('gives one principal half of the room, and passes over its others for those who come later', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 4 });
    const greedy = [1, 2, 3, 4].map(() => held(admission, 'greedy'));
    const others = ['a', 'b', 'c'].map((id) => held(admission, id));
    await turn();
    expect(begunOf(greedy)).toEqual([true, true, false, false]);
    expect(begunOf(others)).toEqual([true, true, false]);
    others[0]!.finish();
    await others[0]!.done;
    expect(begunOf(others)).toEqual([true, true, true]);
    expect(begunOf(greedy)).toEqual([true, true, false, false]);
    greedy[0]!.finish();
    await greedy[0]!.done;
    expect(begunOf(greedy)).toEqual([true, true, true, false]);
  });

  it('lets somebody in where there is room for one only', async () => {
    await expect(
      new Admission({ FILES_UPLOADS_AT_ONCE: 1 }).run('a', () => Promise.resolve(7)),
    ).resolves.toBe(7);
  });

  it('keeps nobody waiting for more than two minutes, and the place is not lost', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 1 });
    const [first, second] = [held(admission, 'a'), held(admission, 'b')];
    jest.advanceTimersByTime(120_000);
    await expect(second.done).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    expect(second.begun).toBe(false);
    const third = held(admission, 'c');
    first.finish();
    await first.done;
    expect(third.begun).toBe(true);
  });

  it('keeps no place in the row for a request that has gone', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 1 });
    const [first, body, late] = [held(admission, 'a'), new PassThrough(), new PassThrough()];
    const second = held(admission, 'b', body);
    for (let one = 0; one < 99; one++) held(admission, 'b');
    const third = held(admission, 'c');
    body.destroy();
    await expect(second.done).rejects.toMatchObject({ code: 'bad_request', status: 400 });
    held(admission, 'b', late); // there is room for it again
    late.destroy();
    await expect(held(admission, 'd', late).done).rejects.toMatchObject({ status: 400 });
    first.finish();
    await first.done;
    expect([second.begun, third.begun]).toEqual([false, false]);
    expect(body.listenerCount('close')).toBe(0);
  });

  it('lets a request hang up once it is inside, and the work says so itself', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 1 });
    const [first, body] = [held(admission, 'a'), new PassThrough()];
    const second = held(admission, 'b', body);
    await turn();
    first.finish();
    await first.done;
    body.destroy();
    await turn();
    second.finish();
    await expect(second.done).resolves.toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('gives the next place to who has the fewest, and among equals to who came first', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 4 });
    const [one, , other] = ['a', 'a', 'b', 'c'].map((id) => held(admission, id));
    const waiting = ['b', 'c', 'd', 'e'].map((id) => held(admission, id));
    await turn();
    one!.finish();
    await one!.done;
    expect(begunOf(waiting)).toEqual([false, false, true, false]);
    other!.finish();
    await other!.done;
    expect(begunOf(waiting)).toEqual([true, false, true, false]); // b has none now, as e, and came first
  });

  it('is crowded while somebody waits for the room of others, and not for their own', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 2 });
    const [first] = [1, 2].map(() => held(admission, 'a'));
    expect(admission.crowded).toBe(false);
    const second = held(admission, 'b');
    held(admission, 'c');
    expect(admission.crowded).toBe(true);
    await turn();
    first!.finish();
    await first!.done;
    second.finish();
    await second.done;
    expect(admission.crowded).toBe(false);
  });

  it('lets one principal fill a part of the waiting room only, and a crowd all of it', async () => {
    const admission = new Admission({ FILES_UPLOADS_AT_ONCE: 1 });
    held(admission, 'a');
    for (let one = 0; one < 100; one++) held(admission, 'greedy');
    await expect(admission.run('greedy', () => Promise.resolve())).rejects.toMatchObject({ status: 503 });
    for (let one = 0; one < 900; one++) held(admission, `other ${one}`);
    await expect(admission.run('late', () => Promise.resolve())).rejects.toMatchObject({ status: 503 });
  });

  it('never has more inside than there is room for, and in the end everybody was', async () => {
    const people = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 5 }),
        people,
        async (scheduler, room, ids) => {
          const admission = new Admission({ FILES_UPLOADS_AT_ONCE: room });
          const inside: string[] = [];
          const share = Math.ceil(room / 2);
          const all = ids.map((id) =>
            admission.run(id, async () => {
              inside.push(id);
              expect(inside.length).toBeLessThanOrEqual(room);
              expect(inside.filter((one) => one === id).length).toBeLessThanOrEqual(share);
              await scheduler.schedule(Promise.resolve());
              inside.splice(inside.indexOf(id), 1);
            }),
          );
          await scheduler.waitFor(Promise.all(all));
          expect(inside).toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });
});
