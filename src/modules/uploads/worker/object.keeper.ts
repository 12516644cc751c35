import { unavailable } from '../../../platform/errors/application-error.js';
import { newId } from '../../../platform/database/id.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { AcceptedVerdict } from './content.js';

/** Verified bytes that are to be kept: a copy, or an entry of a copied archive. */
interface Candidate {
  uploadId: string;
  key: string;
  size: number;
  sha256: Buffer;
  kind: string;
  /** The recorded copy that they are; absent for an entry, which goes with its archive's. */
  copy?: { attempt: number; archive: boolean };
}

export interface KeptObject {
  id: string;
  /** Equal content was there already: these bytes are not needed. */
  existed: boolean;
}

/**
 * Keeps each content once. The winner's recorded copy becomes the stored object; bytes of content that was there already
 * stay recorded, for the sweeper. In the order of the hashes, so that two workers cannot wait for each other.
 * Returns what was kept, by upload.
 */
export async function keepObjects(
  tx: SqlTransaction,
  organizationId: string,
  verdicts: AcceptedVerdict[],
  now: Date,
): Promise<Map<string, KeptObject>> {
  if (verdicts.length === 0) return new Map();
  const all = verdicts.flatMap(candidatesOf);
  const firsts = new Map<string, Candidate & { id: string }>();
  for (const candidate of all) {
    const digest = candidate.sha256.toString('hex');
    if (!firsts.has(digest)) firsts.set(digest, { ...candidate, id: newId() });
  }
  const ordered = [...firsts.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, candidate]) => candidate);
  const won = await insertNew(tx, organizationId, ordered, now);
  const winners = new Set(ordered.filter(({ id }) => won.has(id)).map(({ uploadId }) => uploadId));
  await settleCopies(tx, organizationId, all, winners, now);

  const own = ordered.map(({ id, sha256 }) => ({ id, digest: sha256.toString('hex') }));
  const living = won.size === own.length ? own : await findLiving(tx, organizationId, ordered);
  const byDigest = new Map(living.map(({ id, digest }) => [digest, id]));
  // A purge marked equal content after our insert had found it: the next try keeps its own copy.
  if (byDigest.size !== ordered.length) throw unavailable(new Error('equal content is being purged'));
  return new Map(
    all.map(({ uploadId, sha256 }) => {
      const id = byDigest.get(sha256.toString('hex'))!;
      return [uploadId, { id, existed: !winners.has(uploadId) }];
    }),
  );
}

/**
 * Plain bytea, no decode(): a function that is not leakproof may not run before row-level security, and would cost the
 * index. Shared lock: a purge that is about to mark one of them waits, and then sees the new reference.
 */
function findLiving(
  tx: SqlTransaction,
  organizationId: string,
  contents: Candidate[],
): Promise<{ id: string; digest: string }[]> {
  return tx.$queryRaw`
    SELECT id, encode(sha256, 'hex') AS digest FROM stored_object
    WHERE organization_id = ${organizationId}::uuid AND purging_at IS NULL
      AND sha256 = ANY (${contents.map(({ sha256 }) => sha256)}::bytea[])
    ORDER BY sha256 FOR SHARE`;
}

function candidatesOf({ uploadId, copy, outcome }: AcceptedVerdict): Candidate[] {
  const { size, sha256, content } = outcome;
  const archive = content.kind === 'zip';
  const own = {
    uploadId,
    key: copy.key,
    size,
    sha256,
    kind: content.kind,
    copy: { attempt: copy.attempt, archive },
  };
  if (!archive) return [own];
  return [own, ...content.entries.map((entry) => ({ ...entry, kind: entry.content.kind }))];
}

async function insertNew(
  tx: SqlTransaction,
  organizationId: string,
  ordered: (Candidate & { id: string })[],
  now: Date,
): Promise<Set<string>> {
  const inserted = await tx.$queryRaw<{ id: string }[]>`
    INSERT INTO stored_object (id, organization_id, sha256, size, key, kind, created_at)
    SELECT o.id, ${organizationId}::uuid, decode(o.sha256, 'hex'), o.size, o.key, o.kind, ${now}::timestamptz
    FROM unnest(${ordered.map(({ id }) => id)}::uuid[], ${ordered.map(({ sha256 }) => sha256.toString('hex'))}::text[],
                ${ordered.map(({ size }) => size)}::bigint[], ${ordered.map(({ key }) => key)}::text[],
                ${ordered.map(({ kind }) => kind)}::text[])
         AS o(id, sha256, size, key, kind)
    ON CONFLICT (organization_id, sha256) WHERE purging_at IS NULL DO NOTHING
    RETURNING id`;
  return new Set(inserted.map(({ id }) => id));
}

/**
 * A copy that became a stored object is no longer the sweeper's. An archive that was there already still goes, but
 * not what lies under it; an entry that was there already is recorded for itself.
 */
async function settleCopies(
  tx: SqlTransaction,
  organizationId: string,
  all: Candidate[],
  winners: Set<string>,
  now: Date,
): Promise<void> {
  const copies = all.flatMap(({ uploadId, copy }) => (copy ? [{ uploadId, ...copy }] : []));
  const taken = copies.filter(({ uploadId }) => winners.has(uploadId));
  const lost = copies.filter(({ uploadId, archive }) => archive && !winners.has(uploadId));
  const removed = await tx.$executeRaw`
    DELETE FROM object_copy c
    USING unnest(${taken.map(({ uploadId }) => uploadId)}::uuid[], ${taken.map(({ attempt }) => attempt)}::int[]) AS w(id, attempt)
    WHERE c.organization_id = ${organizationId}::uuid AND c.upload_id = w.id AND c.attempt = w.attempt AND c.abandoned_at IS NULL`;
  const narrowed =
    lost.length === 0
      ? 0
      : await tx.$executeRaw`
          UPDATE object_copy c SET prefix = false
          FROM unnest(${lost.map(({ uploadId }) => uploadId)}::uuid[], ${lost.map(({ attempt }) => attempt)}::int[]) AS w(id, attempt)
          WHERE c.organization_id = ${organizationId}::uuid AND c.upload_id = w.id AND c.attempt = w.attempt AND c.abandoned_at IS NULL`;
  // The sweeper gave a copy up between our two statements: its bytes are about to vanish. All is rolled back and tried anew.
  if (removed !== taken.length || narrowed !== lost.length)
    throw unavailable(new Error('a copy was given up while it was being settled'));

  const entries = all.filter(({ uploadId, copy }) => !copy && !winners.has(uploadId));
  if (entries.length > 0)
    await tx.$executeRaw`
      INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at)
      SELECT ${organizationId}::uuid, e.id, 1, e.key, ${now}::timestamptz
      FROM unnest(${entries.map(({ uploadId }) => uploadId)}::uuid[], ${entries.map(({ key }) => key)}::text[]) AS e(id, key)`;
}
