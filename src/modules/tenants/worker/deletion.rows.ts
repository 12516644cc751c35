import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { MultipartId } from '../../../platform/storage/multipart-upload.js';

/** One attempt to export an organization. Only the last one that began goes on. */
export interface Attempt {
  organizationId: string;
  deletionId: string;
  attempt: number;
}

/** How far it is. `multipart` is what it is writing, for whoever has to clear it away. */
interface Progress {
  rows: number;
  bytes: number;
  multipart?: MultipartId | undefined;
}

/** Begins an attempt, and tells what the one before may have left in the bucket. Undefined when there is nothing to export. */
export async function claimExport(
  tx: SqlTransaction,
  { organizationId, deletionId }: Omit<Attempt, 'attempt'>,
  now: Date,
): Promise<(Attempt & { left: MultipartId | undefined }) | undefined> {
  const [row] = await tx.$queryRaw<{ attempts: number; key: string | null; id: string | null }[]>`
    UPDATE organization_deletion SET state = 'exporting', attempts = attempts + 1, export_rows = 0, export_bytes = 0,
      progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid AND state IN ('requested', 'exporting')
    RETURNING attempts, multipart_key AS key, multipart_id AS id`;
  if (!row) return undefined;
  const left = row.key !== null && row.id !== null ? { key: row.key, id: row.id } : undefined;
  return { organizationId, deletionId, attempt: row.attempts, left };
}

/** Says how far the attempt is. False when it is no longer the one that counts. */
export async function reportExport(
  tx: SqlTransaction,
  { organizationId, deletionId, attempt }: Attempt,
  { rows, bytes, multipart }: Progress,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE organization_deletion SET export_rows = ${rows}::bigint, export_bytes = ${bytes}::bigint,
      multipart_key = ${multipart?.key ?? null}::text, multipart_id = ${multipart?.id ?? null}::text,
      progressed_at = ${now}::timestamptz, failure = NULL
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid
      AND state = 'exporting' AND attempts = ${attempt}::int`;
  return changed > 0;
}

interface Exported {
  key: string;
  manifestKey: string;
  sha256: Buffer;
  rows: number;
  bytes: number;
}

/** `exporting` -> `exported`. False when the attempt is no longer the one that counts. */
export async function finishExport(
  tx: SqlTransaction,
  { organizationId, deletionId, attempt }: Attempt,
  { key, manifestKey, sha256, rows, bytes }: Exported,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE organization_deletion SET state = 'exported', export_key = ${key}::text, manifest_key = ${manifestKey}::text,
      export_sha256 = decode(${sha256.toString('hex')}::text, 'hex'), export_rows = ${rows}::bigint,
      export_bytes = ${bytes}::bigint, exported_at = ${now}::timestamptz, progressed_at = ${now}::timestamptz,
      multipart_key = NULL, multipart_id = NULL, failure = NULL
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid
      AND state = 'exporting' AND attempts = ${attempt}::int`;
  return changed > 0;
}

/** A deletion that purges: since when nothing is left, if so. Undefined when it does not. */
export async function findPurge(
  tx: SqlTransaction,
  { organizationId, deletionId }: Omit<Attempt, 'attempt'>,
): Promise<{ emptiedAt: Date | null } | undefined> {
  const [row] = await tx.$queryRaw<{ emptiedAt: Date | null }[]>`
    SELECT emptied_at AS "emptiedAt" FROM organization_deletion
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid AND state = 'purging'`;
  return row;
}

/** Counts what was removed. */
export async function reportPurge(
  tx: SqlTransaction,
  organizationId: string,
  { objects = 0, rows = 0 }: { objects?: number; rows?: number },
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE organization_deletion SET purged_objects = purged_objects + ${objects}::bigint,
      purged_rows = purged_rows + ${rows}::bigint, progressed_at = ${now}::timestamptz, failure = NULL
    WHERE organization_id = ${organizationId}::uuid AND state = 'purging'`;
}

/** The rows of one statement: how many are gone, none left when undefined. */
export async function purgeRows(
  tx: SqlTransaction,
  organizationId: string,
  atMost: number,
): Promise<number | undefined> {
  const [row] = await tx.$queryRaw<{ gone: bigint | null }[]>`
    SELECT purge_organization(${organizationId}::uuid, ${atMost}::int) AS gone`;
  return row!.gone === null ? undefined : Number(row!.gone);
}

/** Nothing is left; what is under way may still leave something. */
export async function markEmptied(tx: SqlTransaction, organizationId: string, now: Date): Promise<void> {
  await tx.$executeRaw`
    UPDATE organization_deletion SET emptied_at = ${now}::timestamptz, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND state = 'purging' AND emptied_at IS NULL`;
}

/** `purging` -> `purged`, and the organization's row is a tombstone. The counts; undefined when somebody else has done it. */
export async function finishPurge(
  tx: SqlTransaction,
  { organizationId, deletionId }: Omit<Attempt, 'attempt'>,
  now: Date,
): Promise<{ objects: number; rows: number } | undefined> {
  const [row] = await tx.$queryRaw<{ objects: bigint; rows: bigint }[]>`
    UPDATE organization_deletion SET state = 'purged', purged_at = ${now}::timestamptz, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid AND state = 'purging'
    RETURNING purged_objects AS objects, purged_rows AS rows`;
  if (!row) return undefined;
  await tx.$executeRaw`
    UPDATE organization SET name = '', required_metadata = '{}', version = version + 1
    WHERE id = ${organizationId}::uuid`;
  return { objects: Number(row.objects), rows: Number(row.rows) };
}

/** What the last attempt ended with. @param failure a code or a name of an error, never its words */
export async function recordFailure(
  tx: SqlTransaction,
  { organizationId, deletionId }: Omit<Attempt, 'attempt'>,
  failure: string,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE organization_deletion SET failure = ${failure}::text, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${deletionId}::uuid
      AND state IN ('requested', 'exporting', 'purging')`;
}
