import pg from 'pg';
import { merkleRoot } from '../../../../formats/merkle/merkle-tree.js';
import { fieldAt } from '../../../../platform/database/copy-out.js';
import type { DatabaseService } from '../../../../platform/database/database.service.js';
import { type EventFilter, FILTERED_COLUMNS } from '../../event.filter.js';
import { unpackLeaves } from '../../seal.rows.js';
import { LedgerDamaged } from '../export.errors.js';
import { CanonicalLines, NAME_COLUMNS, VALUE_COLUMNS } from './canonical.lines.js';
import type { LineMemories } from './line-memories.js';
import { MalformedTree, NamedEvents, type NamingTree } from './named-events.js';

/** Events one behind the other in an organization's ledger, as `canonicalForm` gives them, with a line end behind each. */
export interface EventRun {
  /** Position of the first one. */
  first: number;
  count: number;
  lines: Buffer;
}

/** An event that is not of the interval by its time in the tree, which nobody has signed. */
export interface OutsideEvent {
  position: number;
  /** As the tree has them. */
  time: Date;
  leaf: Buffer;
  /** What `canonicalForm` gives; undefined when the ledger has lost the event. */
  form: Buffer | undefined;
}

/** What there is of some trees. Ascending, all of it. */
export interface SealedEvents {
  runs: EventRun[];
  outside: OutsideEvent[];
  /** Position of the first event that the ledger has lost. */
  missing: number | undefined;
}

/** Some trees of an organization, and what of them is wanted. Positions and times are half-open. */
export interface Stretch {
  /** Positions of the first tree and behind the last. */
  firstTree: number;
  endTree: number;
  /** Positions. */
  next: number;
  until: number;
  /** Times. */
  from: Date | null;
  to: Date | null;
}

/** A run as it lies in memory. */
interface Place {
  first: number;
  count: number;
  memory: Buffer;
  start: number;
  end: number;
}

/** Of a run: so many are looked at together. */
const MOST_EVENTS = 1_000;
/** Of a length. */
const WORD = 4;

/**
 * Reads sealed events. An event that a tree names and that is not there is missing, whatever the filter; one that is outside
 * of the interval comes as well, to be told from one that was only said to be.
 * @param memories of the lines, which are there until it is released
 * @throws {LedgerDamaged} of a tree that does not name its events
 */
export async function sealedEvents(
  database: DatabaseService,
  organizationId: string,
  stretch: Stretch,
  filter: EventFilter,
  memories: LineMemories,
): Promise<SealedEvents> {
  const named = await namedEvents(database, organizationId, stretch);
  const found = new FoundEvents(new CanonicalLines(organizationId, memories), named);
  for (const interval of named.intervals())
    await database.copyFromOrganization(
      organizationId,
      eventsQuery(organizationId, interval, stretch, filter),
      (row, at, end) => found.take(row, at, end),
    );
  return found.within(stretch, Object.keys(filter).length > 0);
}

async function namedEvents(
  database: DatabaseService,
  organizationId: string,
  stretch: Stretch,
): Promise<NamedEvents> {
  const trees: (NamingTree & { root: Buffer })[] = [];
  await database.copyFromOrganization(organizationId, treesQuery(organizationId, stretch), (row, at) => {
    let from = at;
    const field = (): Buffer => {
      const bytes = fieldAt(row, from);
      from += WORD + bytes.length;
      return Buffer.from(bytes);
    };
    const [first, size, ids, times, root, leaves] = [field(), field(), field(), field(), field(), field()];
    trees.push({
      first: Number(first.readBigInt64BE(0)),
      size: size.readInt32BE(0),
      ids,
      times,
      root,
      leaves: leaves.length > 0 ? leaves : undefined,
    });
  });
  // By its leaf an event that is left out is told from one that is said to be another: they are those that were sealed.
  for (const { first, root, leaves } of trees)
    if (leaves && !merkleRoot(unpackLeaves(leaves)).equals(root)) throw new LedgerDamaged(first);
  try {
    return new NamedEvents(trees, stretch.next, stretch.until);
  } catch (error) {
    throw error instanceof MalformedTree ? new LedgerDamaged(error.first) : error;
  }
}

/** Lines of the events that are named, as rows come in the order of their names. */
class FoundEvents {
  /** What is next in the order of names. */
  private rank = 0;
  /** By their index among those that are named: whether they are there, and their lines. */
  private readonly isThere: Uint8Array;
  private readonly lengths: Uint32Array;
  private readonly ends: Uint32Array;
  private readonly memories: Buffer[];

  constructor(
    private readonly lines: CanonicalLines,
    private readonly named: NamedEvents,
  ) {
    this.isThere = new Uint8Array(named.count);
    this.lengths = new Uint32Array(named.count);
    this.ends = new Uint32Array(named.count);
    this.memories = new Array<Buffer>(named.count);
  }

  take(row: Buffer, at: number, end: number): void {
    const { named, lines } = this;
    while (this.rank < named.count) {
      const index = named.ranked(this.rank);
      const order = named.compare(row, at, index);
      if (order < 0) return; // another tree's
      this.rank++;
      if (order > 0) continue; // it is not there
      this.isThere[index] = 1;
      this.lengths[index] = lines.write(row, at, end);
      this.ends[index] = lines.end;
      this.memories[index] = lines.memory;
      return;
    }
  }

  /** @param filtered whether events that have no values are those that are not wanted */
  within({ from, to }: Stretch, filtered: boolean): SealedEvents {
    const { named } = this;
    const found: SealedEvents = { runs: [], outside: [], missing: undefined };
    const [first, behind] = [from?.getTime() ?? -Infinity, to?.getTime() ?? Infinity];
    const everything = !from && !to;
    const runs: Place[] = [];
    for (let index = 0; index < named.count; index++) {
      const position = named.position(index);
      const time = everything ? 0 : named.time(index);
      if (!everything && !(time >= first && time < behind))
        found.outside.push({
          position,
          time: new Date(time),
          leaf: named.leaf(index),
          form: this.form(index),
        });
      else if (this.lengths[index]! > 0) this.addTo(runs, position, index);
      else if (this.isThere[index] === 0 || !filtered) found.missing ??= position;
    }
    for (const { memory, start, end, ...run } of runs)
      found.runs.push({ ...run, lines: memory.subarray(start, end) });
    return found;
  }

  private form(index: number): Buffer | undefined {
    if (this.lengths[index] === 0) return undefined;
    const end = this.ends[index]!;
    return this.memories[index]!.subarray(end - this.lengths[index]!, end - 1);
  }

  /** To the last run, when it goes on there in the ledger as in the memory. */
  private addTo(runs: Place[], position: number, index: number): void {
    const memory = this.memories[index]!;
    const end = this.ends[index]!;
    const start = end - this.lengths[index]!;
    const run = runs.at(-1);
    const goesOn = run?.memory === memory && run.end === start && run.first + run.count === position;
    if (!goesOn || run.count === MOST_EVENTS) runs.push({ first: position, count: 1, memory, start, end });
    else [run.count, run.end] = [run.count + 1, end];
  }
}

const time = (at: number): string => `'${new Date(at).toISOString()}'::timestamptz`;

/** Leaves of trees that have events outside of the interval. */
function treesQuery(organizationId: string, stretch: Stretch): string {
  const outside = outsideOf(stretch, 'u.occurred_at');
  const leaves =
    outside.length > 0
      ? `CASE WHEN EXISTS (SELECT FROM unnest(t.event_times) AS u(occurred_at) WHERE ${outside.join(' OR ')}) THEN t.leaves END`
      : 'NULL::bytea';
  return `
    SELECT t.first_position, t.size, t.event_ids, t.event_times, t.root, ${leaves}
    FROM audit_tree t
    WHERE t.organization_id = ${pg.escapeLiteral(organizationId)}::uuid
      AND t.first_position >= ${stretch.firstTree} AND t.first_position < ${stretch.endTree}
    ORDER BY t.first_position`;
}

const outsideOf = ({ from, to }: Stretch, column: string): string[] => [
  ...(from ? [`${column} < ${time(from.getTime())}`] : []),
  ...(to ? [`${column} >= ${time(to.getTime())}`] : []),
];

/** Values are null of an event that is there and not wanted. */
function eventsQuery(
  organizationId: string,
  within: { from: number; to: number },
  stretch: Stretch,
  filter: EventFilter,
): string {
  const wanted = Object.entries(filter).map(
    ([member, value]) => `e.${FILTERED_COLUMNS[member as keyof EventFilter]} = ${pg.escapeLiteral(value)}`,
  );
  const outside = outsideOf(stretch, 'e.occurred_at');
  const value = (column: string): string =>
    wanted.length > 0
      ? `CASE WHEN ${[`(${wanted.join(' AND ')})`, ...outside].join(' OR ')} THEN e.${column} END`
      : `e.${column}`;
  return `
    SELECT ${NAME_COLUMNS.map((column) => `e.${column}`).join()}, ${VALUE_COLUMNS.map(value).join()}
    FROM audit_event e
    WHERE e.organization_id = ${pg.escapeLiteral(organizationId)}::uuid
      AND e.occurred_at >= ${time(within.from)} AND e.occurred_at <= ${time(within.to)}
    ORDER BY ${NAME_COLUMNS.map((column) => `e.${column}`).join()}`;
}
