import { rootByProof } from '../../../formats/merkle/merkle-tree.js';
import { isUuid } from '../../../platform/database/id.js';
import { MARK_BYTES, type TreeLine } from '../export.manifest.js';
import { isMissing } from '../missing-event.js';
import { eventLeaf } from '../seal.js';
import { type Fault, fault, type FaultCode } from './fault.js';

/** A line of an export of canonical forms, as it was read: of a line that is no event, the leaf alone. */
export interface ReadEvent {
  leaf: Buffer;
  id?: string;
  /** Milliseconds since 1970. */
  time?: number;
  /** As its time has it: `YYYY-MM`. */
  month?: string;
  /** It stands for one that was gone before its seal. */
  missing?: true;
}

/** Where in the files something is wrong. */
export interface FileFault extends Fault {
  /** Line of the file of events, from 1. */
  line?: number;
  manifest_line?: number;
  /** Part of the file of events, from 1. */
  part?: number;
}

/** As canonical forms have times; of the first part the month. Nothing longer is kept of a line that a stranger may have written. */
const TIME = /^((?:[+-]\d\d)?\d{4}-\d\d)-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export function readEvent(line: Buffer): ReadEvent {
  const leaf = eventLeaf(line);
  try {
    const value = JSON.parse(line.toString()) as Record<string, unknown> | null;
    if (typeof value !== 'object' || value === null) return { leaf };
    const { id, time, action } = value;
    const [written, month] = (typeof time === 'string' && TIME.exec(time)) || [];
    return {
      leaf,
      ...(isUuid(id) && { id }),
      ...(written !== undefined && { time: Date.parse(written), month }),
      ...(typeof action === 'string' && isMissing({ action }) && { missing: true as const }),
    };
  } catch {
    return { leaf };
  }
}

/** The indexes that a tree's line says are in the file, in their order; undefined when they make no sense. */
export function heldIndexes({ tree: { size }, held }: TreeLine): number[] | undefined {
  const indexes: number[] = [];
  let end = 0;
  for (const [from, to] of held) {
    if (from < end || to <= from || to > size) return undefined;
    for (let index = from; index < to; index++) indexes.push(index);
    end = to;
  }
  return indexes;
}

/**
 * Compares the lines that were read for a tree with its root.
 * @param read fewer than `indexes` when the file has ended
 * @param line number of the first of them
 */
export function judgeHeld(
  { tree, proof = [], marks }: TreeLine,
  indexes: readonly number[],
  read: readonly ReadEvent[],
  line: number,
): FileFault | undefined {
  const whole = read.length === indexes.length;
  if (whole) {
    const leaves = new Map(indexes.map((index, at) => [index, read[at]!.leaf]));
    const root = rootByProof(
      tree.size,
      leaves,
      proof.map((hash) => Buffer.from(hash, 'hex')),
    );
    if (root?.toString('hex') === tree.root) return undefined;
  }
  const at = (place: number, code: FaultCode, more?: string): FileFault => ({
    ...fault(
      code,
      { seq: tree.first + indexes[place]!, ...(read[place]?.id && { id: read[place].id }) },
      more,
    ),
    line: line + place,
  });
  const expected = Buffer.from(marks ?? '', 'base64');
  if (expected.length === MARK_BYTES * indexes.length) {
    const marksThere = indexes.map((_, place) => markAt(expected, place));
    const marksRead = read.map(({ leaf }) => markAt(leaf, 0));
    const place = marksRead.findIndex((mark, index) => mark !== marksThere[index]);
    if (place >= 0) {
      const comesLater = marksThere.indexOf(marksRead[place]!, place + 1) >= 0;
      const cameLater = marksRead.indexOf(marksThere[place]!, place + 1) >= 0;
      if (comesLater) return at(place, cameLater ? 'reordered' : 'removed');
      return cameLater
        ? at(place, 'added')
        : at(place, 'altered', 'Or it is gone, and another one stands there.');
    }
  }
  if (!whole) return at(read.length, 'truncated', 'The file of events ends before this one.');
  const broken = read.findIndex(({ id }) => id === undefined);
  if (broken >= 0) return at(broken, 'altered', 'It is no event.');
  return at(
    0,
    'altered',
    `It, or another one up to position ${tree.first + indexes.at(-1)!} (line ${line + indexes.length - 1}).`,
  );
}

const markAt = (bytes: Buffer, place: number): string =>
  bytes.subarray(MARK_BYTES * place, MARK_BYTES * (place + 1)).toString('hex');
