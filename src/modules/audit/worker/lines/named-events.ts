import { HASH_BYTES } from '../../seal.rows.js';
import { ID_AT, postgresTime, TIME_AT } from './canonical.lines.js';

/** A tree as COPY gives it: `event_ids` and `event_times` in the binary form of Postgres. */
export interface NamingTree {
  /** Position of its first event. */
  first: number;
  /** As it is signed. */
  size: number;
  ids: Buffer;
  times: Buffer;
  /** Left out where nobody asks for them. */
  leaves: Buffer | undefined;
}

/** An array that has one dimension: their number, a flag of nulls, a type, a size, a first index. */
const [DIMENSIONS_AT, NULLS_AT, SIZE_AT, ELEMENTS_AT] = [0, 4, 12, 20];
/** Of elements in it, and of the lengths before them. */
const [UUID_BYTES, TIME_BYTES, LENGTH_BYTES] = [16, 8, 4];
const NAME_BYTES = TIME_BYTES + UUID_BYTES;
const SIGN = 0x80;
/** Between two events that lie so far apart others may lie that are none of these: they are not read, in milliseconds. */
const GAP_MS = 24 * 60 * 60_000;
/** At most: where events are that rare, there are none between them. */
const MOST_INTERVALS = 100;
const [EARLIEST_MS, LATEST_MS] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];

/** A tree that does not say what its events are. */
export class MalformedTree extends Error {
  override readonly name = 'MalformedTree';

  constructor(readonly first: number) {
    super(`The tree at ${first} does not name its events.`);
  }
}

/**
 * The events that trees name, which are compared with the rows of the ledger as these come: a join in the database would look
 * each of them up. Names are a time and an id, in bytes that are ordered as Postgres orders the two.
 */
export class NamedEvents {
  readonly count: number;
  private readonly positions: Float64Array;
  private readonly names: Buffer;
  private readonly leaves: Buffer;
  /** In the order of their times and ids, which the sealer puts them in: then there is none. */
  private readonly order: Uint32Array | undefined;

  /** @param next @param until positions: others are left out. @throws {MalformedTree} */
  constructor(trees: readonly NamingTree[], next: number, until: number) {
    const most = trees.reduce((sum, tree) => sum + sizeOf(tree), 0);
    this.positions = new Float64Array(most);
    this.names = Buffer.allocUnsafe(most * NAME_BYTES);
    this.leaves = Buffer.alloc(trees.some(({ leaves }) => leaves) ? most * HASH_BYTES : 0);
    let count = 0;
    for (const tree of trees)
      for (let place = 0, size = sizeOf(tree); place < size; place++) {
        const position = tree.first + place;
        if (position >= next && position < until) this.take(count++, position, tree, place);
      }
    this.count = count;
    this.order = this.ordered();
  }

  position(index: number): number {
    return this.positions[index]!;
  }

  /** By its name, in milliseconds since 1970. */
  time(index: number): number {
    const at = index * NAME_BYTES;
    return postgresTime(this.names.readUInt32BE(at) - SIGN * 2 ** 24, this.names.readUInt32BE(at + 4));
  }

  /** Zeros of a tree without. */
  leaf(index: number): Buffer {
    return this.leaves.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  /** @param rank in the order of their names */
  ranked(rank: number): number {
    return this.order ? this.order[rank]! : rank;
  }

  /** Less than 0 when the row's event comes before the one that is named, 0 when it is that. @param at of the row's name */
  compare(row: Buffer, at: number, index: number): number {
    const { names } = this;
    let name = index * NAME_BYTES;
    const sign = (row[at + TIME_AT]! ^ SIGN) - names[name]!;
    if (sign !== 0) return sign;
    for (let byte = at + TIME_AT + 1, end = at + TIME_AT + TIME_BYTES; byte < end; byte++)
      if (row[byte] !== names[++name]) return row[byte]! - names[name]!;
    for (let byte = at + ID_AT, end = at + ID_AT + UUID_BYTES; byte < end; byte++)
      if (row[byte] !== names[++name]) return row[byte]! - names[name]!;
    return 0;
  }

  /** Of milliseconds, ascending: all of them are in one, from its first to its last. None is beyond years of four digits. */
  intervals(): { from: number; to: number }[] {
    const intervals: { from: number; to: number }[] = [];
    for (let rank = 0; rank < this.count; rank++) {
      const time = Math.min(Math.max(this.time(this.ranked(rank)), EARLIEST_MS), LATEST_MS);
      const last = intervals.at(-1);
      if (last && (time - last.to <= GAP_MS || intervals.length === MOST_INTERVALS)) last.to = time;
      else intervals.push({ from: time, to: time });
    }
    return intervals;
  }

  private take(index: number, position: number, { ids, times, leaves }: NamingTree, place: number): void {
    const name = index * NAME_BYTES;
    const time = ELEMENTS_AT + place * (LENGTH_BYTES + TIME_BYTES) + LENGTH_BYTES;
    const id = ELEMENTS_AT + place * (LENGTH_BYTES + UUID_BYTES) + LENGTH_BYTES;
    this.positions[index] = position;
    // Of so few bytes a loop is faster than a call.
    for (let byte = 0; byte < TIME_BYTES; byte++) this.names[name + byte] = times[time + byte]!;
    this.names[name]! ^= SIGN; // a time has one, an id has none
    for (let byte = 0; byte < UUID_BYTES; byte++) this.names[name + TIME_BYTES + byte] = ids[id + byte]!;
    leaves?.copy(this.leaves, index * HASH_BYTES, place * HASH_BYTES, (place + 1) * HASH_BYTES);
  }

  private ordered(): Uint32Array | undefined {
    const before = (one: number, other: number): number =>
      this.names.compare(
        this.names,
        other * NAME_BYTES,
        (other + 1) * NAME_BYTES,
        one * NAME_BYTES,
        (one + 1) * NAME_BYTES,
      );
    let rank = 1;
    while (rank < this.count && before(rank - 1, rank) <= 0) rank++;
    return rank >= this.count
      ? undefined
      : Uint32Array.from({ length: this.count }, (_, at) => at).sort(before);
  }
}

/** @throws {MalformedTree} */
function sizeOf({ first, size, ids, times, leaves }: NamingTree): number {
  const whole = sizeOfArray(ids, UUID_BYTES) === size && sizeOfArray(times, TIME_BYTES) === size;
  if (!whole || (leaves && leaves.length !== size * HASH_BYTES)) throw new MalformedTree(first);
  return size;
}

/** -1 for one that is not of so many elements of such a length. */
function sizeOfArray(array: Buffer, elementBytes: number): number {
  if (
    array.length < ELEMENTS_AT ||
    array.readInt32BE(DIMENSIONS_AT) !== 1 ||
    array.readInt32BE(NULLS_AT) !== 0
  )
    return -1;
  const size = array.readInt32BE(SIZE_AT);
  return array.length === ELEMENTS_AT + size * (LENGTH_BYTES + elementBytes) ? size : -1;
}
