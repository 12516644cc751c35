import type { StorageService } from '../../../platform/storage/storage.service.js';
import { ANCHORS, anchorKey, anchorNumber, anchorText, MAX_ANCHOR_BYTES, parseAnchor } from '../anchor.js';
import { headForm, isSigned, type SealHead, type Signed } from '../seal.js';
import type { SealKeys } from './chains.js';
import { fault, type Fault } from './fault.js';

/** How many numbers before the newest head are looked for in the bucket: anchors may be behind by so many. */
const BEHIND = 500;
/** Objects ahead of the database that are read; others may lie there that nobody of us has signed. */
const AHEAD = 20;

/**
 * Numbers of the heads in the bucket, from a little before `seal` on, or of the last there are before that. To be asked for
 * before the heads of the database are read: a head is in the database before it is in the bucket.
 */
export async function anchorsAround(storage: StorageService, seal: number): Promise<number[]> {
  let end = Math.max(0, seal - BEHIND);
  const numbers = await anchorsAfter(storage, end);
  if (numbers.length > 0) return numbers;
  // None for hours: where history was written anew, no more are taken there, and the last ones say so.
  let last = 0;
  while (end - last > 1) {
    const middle = Math.floor((last + end) / 2);
    const found = await anchorsAfter(storage, middle);
    if (found.length === 0) end = middle;
    else last = found.at(-1)!;
  }
  return anchorsAfter(storage, Math.max(0, last - BEHIND));
}

/** A page of them. */
async function anchorsAfter(storage: StorageService, seal: number): Promise<number[]> {
  const page = await storage.list(ANCHORS, { startAfter: anchorKey(seal) }).next();
  return page.done ? [] : page.value.flatMap(({ key }) => anchorNumber(key) ?? []);
}

/**
 * Compares the newest heads with the bucket's: one ahead of the database says that its end was cut off, and other bytes that
 * history was written anew. Objects that none of our keys has signed say nothing: whoever can write there could lay them.
 */
export async function checkAnchors(
  storage: StorageService,
  keys: SealKeys,
  numbers: readonly number[],
  newest: number,
  headOf: (seal: number) => Promise<(SealHead & Signed) | undefined>,
): Promise<{ fault?: Fault; through?: Date }> {
  for (const seal of numbers.filter((number) => number > newest).slice(0, AHEAD)) {
    const kept = parseAnchor(await read(storage, seal));
    if (kept?.seal === seal && isSigned(keys, headForm(kept), kept))
      return {
        fault: fault(
          'truncated',
          { seal: newest + 1 },
          `The bucket has the head of seal ${seal}, the database ends before.`,
        ),
      };
  }
  for (const seal of numbers
    .filter((number) => number <= newest)
    .reverse()
    .slice(0, AHEAD)) {
    const text = await read(storage, seal);
    const head = await headOf(seal);
    if (head && text === anchorText(head)) return { through: head.time };
    const kept = parseAnchor(text);
    if (kept?.seal === seal && isSigned(keys, headForm(kept), kept))
      return { fault: fault('anchor', { seal }, 'The bucket’s was signed by us, too.') };
  }
  return {};
}

async function read(storage: StorageService, seal: number): Promise<string> {
  const found = await storage.readRange(anchorKey(seal), 0, MAX_ANCHOR_BYTES);
  return found ? Buffer.concat(await found.bytes.toArray()).toString() : '';
}
