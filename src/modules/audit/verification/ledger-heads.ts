import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import { lastSeal } from '../seal.rows.js';
import { anchorsAround, checkAnchors } from './anchor-check.js';
import type { SealKeys } from './chains.js';
import { fault, type Fault } from './fault.js';
import { HeadCheck, rootFault } from './head-check.js';
import { headsFrom } from './ledger-reader.js';

/** Signatures of heads that one request checks; of more of them, a year has half a million, hashes alone tell what is wrong. */
export const MOST_SIGNATURES = 2_000;

/** The trees of an organization that were walked. */
export interface WalkedSeals {
  organizationId: string;
  keys: SealKeys;
  /** Ends it. */
  signal: AbortSignal | undefined;
  /** Numbers of the seals that the first and the last tree were made for. */
  firstSeal?: number;
  lastSeal?: number;
}

interface Sources {
  database: DatabaseService;
  storage: StorageService;
}

/**
 * From the first seal that trees were made for to the newest head: numbers, signatures, and that each follows from the one before.
 * Of very many heads the newest one's signature stands for all, since each is over the hash of the one before: if something is wrong
 * then, each is looked at, to name the first. That a head is over the newest entries of all organizations is computed for three:
 * those of the first and of the last tree, and the newest one, which nothing can be cut off without.
 */
export async function checkHeads(
  { database, storage }: Sources,
  walked: WalkedSeals,
  mostSignatures: number,
): Promise<{ fault?: Fault | undefined; through?: Date; anchoredThrough?: Date }> {
  const { organizationId, keys } = walked;
  const known = await database.withOrganizationSql(organizationId, lastSeal);
  const last = known?.seal ?? 0;
  const anchors = await anchorsAround(storage, last);
  const start = Math.max(1, Math.min(walked.firstSeal ?? last, last) - 1);
  const isFew = last - start < mostSignatures;
  let found = await walkHeads(database, walked, start, (seal) => isFew || seal >= last);
  if (!isFew && found.wrong) found = await walkHeads(database, walked, start, () => true);
  const { newest } = found;
  let { wrong } = found;
  if (newest) wrong ??= await database.withOrganizationSql(organizationId, (tx) => rootFault(tx, newest));
  // The trees of a seal are there before its head is.
  if ((walked.lastSeal ?? 0) > (newest?.seal ?? 0) + 1)
    wrong ??= fault('truncated', { seal: (newest?.seal ?? 0) + 1 }, 'There are trees of later seals.');
  const anchored = await checkAnchors(storage, keys, anchors, newest?.seal ?? 0, (seal) =>
    database.withOrganizationSql(organizationId, async (tx) =>
      (await headsFrom(tx, seal)).find((head) => head.seal === seal),
    ),
  );
  return {
    fault: wrong ?? anchored.fault,
    ...(newest && { through: newest.time }),
    ...(anchored.through && { anchoredThrough: anchored.through }),
  };
}

/** @param signed whose signature is checked */
async function walkHeads(
  database: DatabaseService,
  { organizationId, keys, signal, firstSeal, lastSeal: lastOfTrees }: WalkedSeals,
  start: number,
  signed: (seal: number) => boolean,
): Promise<{ wrong: Fault | undefined; newest: HeadCheck['newest'] }> {
  const check = new HeadCheck(keys, start, signed);
  let wrong: Fault | undefined;
  for (let number = start; wrong === undefined;) {
    signal?.throwIfAborted();
    const heads = await database.withOrganizationSql(organizationId, (tx) => headsFrom(tx, number));
    if (heads.length === 0) break;
    for (const head of heads) wrong ??= check.add(head);
    for (const head of heads)
      if (head.seal === firstSeal || head.seal === lastOfTrees)
        wrong ??= await database.withOrganizationSql(organizationId, (tx) => rootFault(tx, head));
    number = heads.at(-1)!.seal + 1;
  }
  return { wrong, newest: check.newest };
}
