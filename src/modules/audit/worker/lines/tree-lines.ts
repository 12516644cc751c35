import { leafHash, merkleRoot } from '../../../../formats/merkle/merkle-tree.js';
import { writableForm } from '../../audit.canonical.js';
import type { AuditRecord } from '../../audit.events.js';
import { type EventName, eventsNamed, type FoundEvents } from '../../ledger.rows.js';
import { missingForm } from '../../missing-event.js';
import { ROW_BYTES, ROW_EVENTS, unpackForms } from '../forms.rows.js';
import { eventsOfTrees, type Ledger, type NamedEvents, type SealedTree } from './sealed-trees.rows.js';

/** Canonical forms of events that follow each other, with a line end behind each. */
export interface Lines {
  /** Position of the first one. */
  first: number;
  bytes: Buffer;
  /** Where each ends, behind its line end. */
  ends: number[];
}

/** An event that is not there as it was sealed; the first of a tree that is not as it was signed. */
export interface LostEvent {
  position: number;
  /** As its tree has it, which nobody has signed; undefined when no retired month is a reason for it. */
  time: Date | undefined;
  /** Whether that is in the interval. */
  wanted?: true;
}

/** All that there is of a tree, by position. */
export interface TreeLines {
  lines: Lines[];
  lost: LostEvent[];
}

const LINE_END = 0x0a;

/**
 * The events of trees as they were when these were sealed, by the trees' first positions. They are made of the rows of the ledger, and
 * proven by the tree's root, where their forms were not kept, or are not those that were.
 */
export async function linesOf(ledger: Ledger, trees: readonly SealedTree[]): Promise<Map<number, TreeLines>> {
  const found = new Map<number, TreeLines>();
  const bare: SealedTree[] = [];
  const kept = await Promise.all(trees.map(keptLines));
  for (const [index, tree] of trees.entries()) {
    const lines = kept[index];
    if (lines) found.set(tree.first, { lines, lost: [] });
    else bare.push(tree);
  }
  if (bare.length > 0) for (const [first, made] of await linesOfRows(ledger, bare)) found.set(first, made);
  return found;
}

async function keptLines({ first, size, kept }: SealedTree): Promise<Lines[] | undefined> {
  const packed = kept.flatMap((row) => row.packed ?? []);
  if (packed.length < kept.length) return undefined;
  const lines: Lines[] = [];
  let next = first;
  for (const [index, bytes] of (await Promise.all(packed.map(unpackForms))).entries()) {
    if (kept[index]!.first !== next) return undefined;
    const ends = endsOf(bytes);
    lines.push({ first: next, bytes, ends });
    next += ends.length;
  }
  return next === first + size ? lines : undefined;
}

function endsOf(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) ends.push(at + 1);
  return ends;
}

async function linesOfRows(
  { database, organization }: Ledger,
  trees: readonly SealedTree[],
): Promise<Map<number, TreeLines>> {
  const { named, found } = await database.withOrganizationSql(organization, async (tx) => {
    const said = await eventsOfTrees(tx, organization, trees);
    const names = [...said.values()].flatMap(({ events }) => events);
    return { named: said, found: await eventsNamed(tx, organization, names) };
  });
  return new Map(
    trees.map((tree) => [tree.first, linesFound(organization, tree, named.get(tree.first), found)]),
  );
}

function linesFound(
  organization: string,
  tree: SealedTree,
  named: NamedEvents | undefined,
  found: FoundEvents,
): TreeLines {
  // By its leaves an event that is gone is told from one that is said to be another: they are those that were sealed.
  if (!named || !merkleRoot(named.leaves).equals(tree.root))
    return { lines: [], lost: [{ position: tree.first, time: undefined }] };
  const all: TreeLines = { lines: [], lost: [] };
  let [forms, bytes]: [Buffer[], number] = [[], 0];
  const flush = (behind: number): void => {
    if (forms.length > 0) all.lines.push(joined(behind - forms.length, forms));
    [forms, bytes] = [[], 0];
  };
  for (const [index, { id, occurredAt }] of named.events.entries()) {
    const position = tree.first + index;
    const event = found.get(id, occurredAt);
    const form = sealedForm(organization, { id, occurredAt }, event, named.leaves[index]!);
    if (form) {
      forms.push(form);
      bytes += form.length;
      if (forms.length === ROW_EVENTS || bytes >= ROW_BYTES) flush(position + 1);
      continue;
    }
    flush(position);
    all.lost.push({ position, time: event ? undefined : occurredAt });
  }
  flush(tree.first + tree.size);
  return all;
}

/** What was sealed of an event: itself, or that it was gone. */
function sealedForm(
  organization: string,
  name: EventName,
  event: AuditRecord | undefined,
  leaf: Buffer,
): Buffer | undefined {
  const form = event && writableForm(event);
  if (form && leafHash(form).equals(leaf)) return form;
  const missing = missingForm(organization, name);
  return leafHash(missing).equals(leaf) ? missing : undefined;
}

function joined(first: number, forms: readonly Buffer[]): Lines {
  const bytes = Buffer.alloc(
    forms.reduce((sum, { length }) => sum + length + 1, 0),
    LINE_END,
  );
  let at = 0;
  const ends = forms.map((form) => {
    at += form.copy(bytes, at) + 1;
    return at;
  });
  return { first, bytes, ends };
}
