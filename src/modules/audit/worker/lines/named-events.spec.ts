import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BEHIND_NAME, ID_AT, TIME_AT } from './canonical.lines.js';
import { MalformedTree, NamedEvents, type NamingTree } from './named-events.js';

const POSTGRES_EPOCH_MS = Date.UTC(2000);
const DAY_MS = 86_400_000;
interface Name {
  /** Milliseconds since 1970. */
  time: number;
  id: Buffer;
}

/** As Postgres sends an array of one dimension. */
function arrayOf(elements: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32BE(1, 0);
  head.writeInt32BE(elements.length, 12);
  head.writeInt32BE(1, 16);
  const length = Buffer.alloc(4);
  length.writeInt32BE(elements[0]?.length ?? 0);
  return Buffer.concat([head, ...elements.flatMap((element) => [length, element])]);
}

function timeOf(ms: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(ms - POSTGRES_EPOCH_MS) * 1000n);
  return bytes;
}

const tree = (first: number, names: readonly Name[]): NamingTree & { leaves: Buffer } => ({
  first,
  size: names.length,
  ids: arrayOf(names.map(({ id }) => id)),
  times: arrayOf(names.map(({ time }) => timeOf(time))),
  leaves: Buffer.concat(names.map(({ id }) => Buffer.concat([id, id]))),
});

function rowOf({ time, id }: Name): Buffer {
  const row = Buffer.alloc(BEHIND_NAME);
  timeOf(time).copy(row, TIME_AT);
  id.copy(row, ID_AT);
  return row;
}

const anyName = fc.record({
  time: fc.integer({ min: Date.UTC(1970), max: Date.UTC(2050) }),
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
});

const before = (one: Name, other: Name): number => one.time - other.time || one.id.compare(other.id);

describe('events that trees name', () => {
  it('are ordered as the rows of the ledger are, and told from each other', () => {
    fc.assert(
      fc.property(fc.array(anyName, { minLength: 1, maxLength: 30 }), anyName, (names, other) => {
        const half = Math.ceil(names.length / 2);
        const trees = [
          tree(1, names.slice(0, half)),
          ...(half < names.length ? [tree(1 + half, names.slice(half))] : []),
        ];
        const named = new NamedEvents(trees, 1, 1 + names.length);
        expect(named.count).toBe(names.length);
        const ranked = names.map((_, rank) => names[named.ranked(rank)]!);
        expect(ranked).toEqual(names.toSorted(before));
        for (const [index, name] of names.entries()) {
          expect(named.position(index)).toBe(index + 1);
          expect(named.time(index)).toBe(name.time);
          expect(named.leaf(index)).toEqual(Buffer.concat([name.id, name.id]));
          expect(named.compare(rowOf(name), 0, index)).toBe(0);
          expect(Math.sign(named.compare(rowOf(other), 0, index))).toBe(Math.sign(before(other, name)));
        }
      }),
    );
  });

  it('from a position on, and up to one', () => {
    const names = [5, 6, 7].map((time) => ({ time, id: Buffer.alloc(16, time) }));
    const named = new NamedEvents([tree(10, names)], 11, 12);
    expect([named.count, named.position(0), named.time(0)]).toEqual([1, 11, 6]);
  });

  it('are in intervals that leave out what lies far between them', () => {
    const days = [0, 0.5, 1.2, 40, 40.1];
    const names = days.map((day) => ({ time: day * DAY_MS, id: Buffer.alloc(16) }));
    expect(new NamedEvents([tree(1, names)], 1, 99).intervals()).toEqual([
      { from: 0, to: 1.2 * DAY_MS },
      { from: 40 * DAY_MS, to: 40.1 * DAY_MS },
    ]);
    const rare = Array.from({ length: 300 }, (_, day) => ({ time: 2 * day * DAY_MS, id: Buffer.alloc(16) }));
    const intervals = new NamedEvents([tree(1, rare)], 1, 999).intervals();
    expect(intervals).toHaveLength(100);
    expect(intervals.at(-1)!.to).toBe(rare.at(-1)!.time);
  });

  it.each<[string, (whole: NamingTree & { leaves: Buffer }) => Partial<NamingTree>]>([
    ['one time less', ({ times }) => ({ times: times.subarray(0, -12) })],
    ['another size', () => ({ size: 3 })],
    ['one leaf less', ({ leaves }) => ({ leaves: leaves.subarray(0, -32) })],
    ['no array', () => ({ ids: Buffer.alloc(0) })],
    ['an array of none', () => ({ ids: Buffer.alloc(12) })],
    ['nulls in it', ({ ids }) => ({ ids: Buffer.from(ids).fill(1, 7, 8) })],
    ['two dimensions', ({ times }) => ({ times: Buffer.from(times).fill(2, 3, 4) })],
  ])('of a tree with %s are none', (_, broken) => {
    const whole = tree(
      7,
      [1, 2].map((time) => ({ time, id: Buffer.alloc(16) })),
    );
    expect(() => new NamedEvents([{ ...whole, ...broken(whole) }], 1, 99)).toThrow(MalformedTree);
  });
});
