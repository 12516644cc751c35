import { describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';

interface Gate {
  commits: { organizationId: string; items: string[] }[];
  group: GroupCommit<string, string>;
  release(): void;
}

/** A group whose transactions end when they are released; items that begin with `bad` spoil theirs. */
function gated(maxBatch?: number): Gate {
  const commits: Gate['commits'] = [];
  let release = (): void => undefined;
  let gate = new Promise<void>((resolve) => (release = resolve));
  const group = new GroupCommit<string, string>(async (organizationId, items) => {
    commits.push({ organizationId, items: [...items] });
    await gate;
    const bad = items.find((item) => item.startsWith('bad'));
    if (bad) throw new Error(bad);
    return items.map((item) => `${organizationId} ${item}`);
  }, maxBatch);
  return {
    commits,
    group,
    release: () => {
      release();
      gate = Promise.resolve();
    },
  };
}
/** What was asked for before has begun. A timer may come earlier than that, on a machine that is busy. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('group commit', () => {
  it('commits a lone item at once', async () => {
    const { group, commits, release } = gated();
    release();
    expect(await group.add('a', '1')).toBe('a 1');
    expect(commits).toEqual([{ organizationId: 'a', items: ['1'] }]);
  });

  it('gathers what arrives while a transaction is under way, in order, each with its own result', async () => {
    const { group, commits, release } = gated();
    const first = group.add('a', '1');
    await turn();
    const rest = ['2', '3', '4'].map((item) => group.add('a', item));
    await turn();
    expect(commits).toHaveLength(1);
    release();
    expect(await Promise.all([first, ...rest])).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
    expect(commits.map(({ items }) => items)).toEqual([['1'], ['2', '3', '4']]);
  });

  it('never puts two organizations into one transaction, nor makes one wait for another', async () => {
    const { group, commits, release } = gated();
    const both = [group.add('a', '1'), group.add('b', '2'), group.add('a', '3')];
    await turn();
    expect(commits).toEqual([
      { organizationId: 'a', items: ['1', '3'] },
      { organizationId: 'b', items: ['2'] },
    ]);
    release();
    expect(await Promise.all(both)).toEqual(['a 1', 'b 2', 'a 3']);
  });

  it('holds a batch to its size', async () => {
    const { group, commits, release } = gated(2);
    release();
    await Promise.all(['1', '2', '3', '4', '5'].map((item) => group.add('a', item)));
    expect(commits.map(({ items }) => items)).toEqual([['1', '2'], ['3', '4'], ['5']]);
  });

  it('lets a bad item spoil no other', async () => {
    const { group, commits, release } = gated();
    release();
    const outcomes = await Promise.allSettled(['1', 'bad', '3'].map((item) => group.add('a', item)));
    expect(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.message)),
    ).toEqual(['a 1', 'bad', 'a 3']);
    expect(commits.map(({ items }) => items)).toEqual([['1', 'bad', '3'], ['1'], ['bad'], ['3']]);
  });

  it('goes on after a failure, and forgets an organization that is done', async () => {
    const { group, release } = gated();
    release();
    await expect(group.add('a', 'bad')).rejects.toThrow('bad');
    expect(await group.add('a', '2')).toBe('a 2');
    await turn();
    expect((group as unknown as { queues: Map<string, unknown> }).queues.size).toBe(0);
  });
});
