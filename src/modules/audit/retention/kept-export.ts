import { createHash, type KeyObject } from 'node:crypto';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import { verifyExport } from '../verification/export-verifier.js';
import type { KeptExport } from './ledger-owner.js';
import type { Month } from './month.js';

/** Why an export does not stand for a month; or how many of its events it has, every one of them proven. */
export type Finding = { unfit: string } | { events: number };

/**
 * Reads an export from the bucket, proves it as an auditor would who has only the keys, and says how many events of the month it has.
 * @param keys public keys of seals, by `kid`
 */
export async function examine(
  storage: StorageService,
  keys: ReadonlyMap<string, KeyObject>,
  kept: Omit<KeptExport, 'events'>,
  month: Month,
): Promise<Finding> {
  for (const key of [kept.exportKey, kept.manifestKey])
    if (!(await storage.head(key))) return { unfit: `the bucket has no ${key}` };
  const [events, manifest] = [bytesOf(storage, kept.exportKey), bytesOf(storage, kept.manifestKey)];
  const digest = createHash('sha256');
  const {
    as_sealed: asSealed,
    export: said,
    first_bad: bad,
  } = await verifyExport({ events, manifest: seeing(manifest, (chunk) => void digest.update(chunk)) }, keys);
  if (!asSealed) return { unfit: `it does not verify: ${bad!.why}` };
  if (!digest.digest().equals(kept.manifestSha256))
    return { unfit: 'its manifest is not the one that was made' };
  if (said!.organization !== kept.organizationId || said!.format !== 'ndjson' || !said!.complete)
    return { unfit: 'it is no complete export of that organization as NDJSON' };
  const [from, to] = [said!.from && new Date(said!.from), said!.to && new Date(said!.to)];
  if ((from && from > month.from) || (to && to < month.to)) return { unfit: 'it does not cover the month' };
  // The verifier has counted them, by the times that are sealed.
  return { events: said!.months[month.name]?.events ?? 0 };
}

/** Asked for when they are wanted, so that nothing is left open when they are not. */
async function* bytesOf(storage: StorageService, key: string): AsyncGenerator<Buffer> {
  const found = await storage.read(key);
  if (!found) throw new Error('An object was removed while it was looked at.');
  yield* found.bytes as AsyncIterable<Buffer>;
}

async function* seeing(bytes: AsyncIterable<Buffer>, see: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    see(chunk);
    yield chunk;
  }
}
