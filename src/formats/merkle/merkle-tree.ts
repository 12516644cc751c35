import { hash } from 'node:crypto';

const [LEAF, NODE] = [0, 1];
/** What is hashed is put together here, if there is room: nobody waits while he uses it, and new memory costs more than the hash. */
const together = Buffer.alloc(4096);

/** The hash of an entry (RFC 6962, 2.1). Leaves and nodes are told apart, so that no node can be passed off as an entry. */
export function leafHash(entry: Uint8Array): Buffer {
  const length = 1 + entry.length;
  if (length > together.length) return hash('sha256', Buffer.concat([Buffer.of(LEAF), entry]), 'buffer');
  together[0] = LEAF;
  together.set(entry, 1);
  return hash('sha256', together.subarray(0, length), 'buffer');
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  together[0] = NODE;
  together.set(left, 1);
  together.set(right, 1 + left.length);
  return hash('sha256', together.subarray(0, 1 + left.length + right.length), 'buffer');
}

/** The root over leaf hashes in their order (RFC 6962, 2.1); of none, the hash of the empty string. */
export function merkleRoot(leaves: readonly Uint8Array[]): Buffer {
  return rootOf(leaves, 0, leaves.length);
}

/**
 * The hashes that give the root to whoever knows the leaves at `chosen`: one of each largest subtree without a chosen leaf,
 * from left to right. None when all are chosen; RFC 6962's audit path, in another order, when one is.
 * @param chosen indexes, ascending
 */
export function merkleProof(leaves: readonly Uint8Array[], chosen: readonly number[]): Buffer[] {
  const proof: Buffer[] = [];
  const known = new Choice(chosen);
  walk(0, leaves.length, known, (from, to) => {
    if (!known.isLeaf(from, to)) proof.push(rootOf(leaves, from, to));
    return undefined;
  });
  return proof;
}

/**
 * The root that leaves and the proof made for them give; undefined when the proof does not have as many hashes as there must be.
 * @param size of the whole tree
 * @param known leaf hashes by index, in ascending order
 */
export function rootByProof(
  size: number,
  known: ReadonlyMap<number, Uint8Array>,
  proof: readonly Uint8Array[],
): Buffer | undefined {
  const choice = new Choice([...known.keys()]);
  let taken = 0;
  let missing = false;
  const root = walk(0, size, choice, (from, to) => {
    const found = choice.isLeaf(from, to) ? known.get(from) : proof[taken++];
    missing ||= found === undefined;
    return found && Buffer.from(found);
  });
  return missing || taken !== proof.length ? undefined : root;
}

/** Which leaves are chosen, by binary search. */
class Choice {
  constructor(private readonly ascending: readonly number[]) {}

  /** Whether any of `from` up to but not including `to` is chosen. */
  touches(from: number, to: number): boolean {
    let [low, high] = [0, this.ascending.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ascending[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return low < this.ascending.length && this.ascending[low]! < to;
  }

  isLeaf(from: number, to: number): boolean {
    return to - from === 1 && this.touches(from, to);
  }
}

/** Visits chosen leaves and the largest subtrees without one, from left to right, and joins what `visit` finds. */
function walk(
  from: number,
  to: number,
  chosen: Choice,
  visit: (from: number, to: number) => Buffer | undefined,
): Buffer | undefined {
  if (to - from <= 1 || !chosen.touches(from, to)) return visit(from, to);
  const middle = from + largestPowerBelow(to - from);
  const left = walk(from, middle, chosen, visit);
  const right = walk(middle, to, chosen, visit);
  return left && right && nodeHash(left, right);
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number): Buffer {
  if (from === to) return hash('sha256', Buffer.alloc(0), 'buffer');
  if (to - from === 1) return Buffer.from(leaves[from]!);
  const middle = from + largestPowerBelow(to - from);
  return nodeHash(rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** The largest power of two that is smaller than `size`, which is two at least. */
const largestPowerBelow = (size: number): number => 2 ** (31 - Math.clz32(size - 1));
