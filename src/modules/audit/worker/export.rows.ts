import type { AuditExportFormat } from '../../../generated/prisma/client.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { MultipartId } from '../../../platform/storage/multipart-upload.js';
import type { EventFilter } from '../event.filter.js';
import type { WriteExportPayload } from '../exports.jobs.js';
import { exportKey, manifestKey } from '../exports.keys.js';
import { ExportContents } from './export.contents.js';
import type { SentPart } from './export.parts.js';
import { NO_PARTS, withPart } from './export.progress.js';
import type { ExportScope } from './export.scope.js';

/** One attempt to write an export. Only the last one that began goes on. */
export interface Attempt extends WriteExportPayload {
  attempt: number;
}

/** What there is to do of an export, and how far it is. */
export interface Claimed extends Attempt {
  /** Attempts since it last got further, this one included. */
  tries: number;
  /** What the last one ended with. */
  failure: string | null;
  format: AuditExportFormat;
  from: Date | null;
  to: Date | null;
  filter: EventFilter;
  scope: ExportScope | undefined;
  /** Position of the next event. */
  next: number;
  /** `withPart` of all parts. */
  digest: Buffer;
  /** What says that a worker has come so far; null before there is a scope. */
  mac: Buffer | null;
  rows: number;
  bytes: number;
  /** What the attempt before left in the bucket: the file if it is not `written` yet, else the manifest. */
  multipart: MultipartId | undefined;
  written: boolean;
  contents: ExportContents;
}

/** An export that knows which events it holds. */
export type ScopedExport = Claimed & { scope: ExportScope };

interface Row {
  attempts: number;
  tries: number;
  failure: string | null;
  format: AuditExportFormat;
  from_time: Date | null;
  to_time: Date | null;
  filters: EventFilter;
  seal_number: bigint | null;
  first_position: bigint;
  next_position: bigint;
  end_position: bigint;
  rows: bigint;
  bytes: bigint;
  multipart_key: string | null;
  multipart_id: string | null;
  written: boolean;
  progress_mac: Buffer | null;
}

/** Begins an attempt. Undefined when there is nothing to do. */
export async function claimExport(
  tx: SqlTransaction,
  { organizationId, exportId }: WriteExportPayload,
  now: Date,
): Promise<Claimed | undefined> {
  const [row] = await tx.$queryRaw<Row[]>`
    UPDATE audit_export SET state = 'running', attempts = attempts + 1, tries = tries + 1, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND finished_at IS NULL
    RETURNING attempts, tries, failure, format::text, from_time, to_time, filters, seal_number, first_position, next_position,
              end_position, rows, bytes, multipart_key, multipart_id, written, progress_mac`;
  if (!row) return undefined;
  const parts = await partsOf(tx, organizationId, exportId);
  const contents = new ExportContents();
  for (const part of parts) contents.add(part);
  return {
    organizationId,
    exportId,
    attempt: row.attempts,
    tries: row.tries,
    failure: row.failure,
    format: row.format,
    from: row.from_time,
    to: row.to_time,
    filter: row.filters,
    scope:
      row.seal_number === null
        ? undefined
        : { seal: Number(row.seal_number), first: Number(row.first_position), end: Number(row.end_position) },
    next: Number(row.next_position),
    digest: parts.reduce(withPart, NO_PARTS),
    mac: row.progress_mac,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    multipart: multipartOf(row, organizationId, exportId),
    written: row.written,
    contents,
  };
}

async function partsOf(tx: SqlTransaction, organizationId: string, exportId: string): Promise<SentPart[]> {
  const rows = await tx.$queryRaw<
    (Omit<SentPart, 'bytes' | 'rows' | 'next' | 'held'> &
      Record<'bytes' | 'rows' | 'next', bigint> & { held: string[] })[]
  >`
    SELECT number, etag, bytes, rows, sha256, next_position AS next, held::text[] AS held, months FROM audit_export_part
    WHERE organization_id = ${organizationId}::uuid AND export_id = ${exportId}::uuid ORDER BY number`;
  return rows.map(({ bytes, rows: count, next, held, ...part }) => ({
    ...part,
    bytes: Number(bytes),
    rows: Number(count),
    next: Number(next),
    held: held.map(Number),
  }));
}

/** Says once for all attempts which events it holds. */
export async function recordScope(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  { seal, first, end }: ExportScope,
  mac: Buffer,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE audit_export SET progress_mac = ${mac}::bytea, seal_number = ${seal}::bigint, first_position = ${first}::bigint, next_position = ${first}::bigint,
      end_position = ${end}::bigint
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND attempts = ${attempt}::int`;
}

/** Says that the attempt goes on, and what it is writing. False when it is no longer the one that counts. */
export async function reportExport(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  multipart: MultipartId | undefined,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE audit_export SET multipart_key = ${multipart?.key ?? null}::text, multipart_id = ${multipart?.id ?? null}::text,
      progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int`;
  return changed > 0;
}

/**
 * Records a part that is in the bucket, and moves to where the next one begins. False when the attempt is no longer the one
 * that counts.
 */
export async function recordPart(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  { number, etag, bytes, rows, sha256, next, held, months }: SentPart,
  mac: Buffer,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE audit_export SET next_position = ${next}::bigint, rows = rows + ${rows}::bigint, bytes = bytes + ${bytes}::bigint,
      tries = 0, failure = NULL, progressed_at = ${now}::timestamptz, progress_mac = ${mac}::bytea
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int`;
  if (changed === 0) return false;
  await tx.$executeRaw`
    INSERT INTO audit_export_part (organization_id, export_id, number, etag, bytes, rows, sha256, next_position, held, months)
    VALUES (${organizationId}::uuid, ${exportId}::uuid, ${number}::int, ${etag}::text, ${bytes}::bigint, ${rows}::bigint,
            ${sha256}::bytea, ${next}::bigint, ${held}::bigint[], ${JSON.stringify(months)}::jsonb)`;
  return true;
}

/** Its file is in the bucket, under its key. False when the attempt is no longer the one that counts. */
export async function recordWritten(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  mac: Buffer,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE audit_export SET progress_mac = ${mac}::bytea, written = true, next_position = end_position, multipart_key = NULL, multipart_id = NULL, tries = 0,
      failure = NULL, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int`;
  return changed > 0;
}

/** Forgets all parts: the bucket has lost them. False when the attempt is no longer the one that counts. */
export async function restartExport(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  mac: Buffer,
  now: Date,
): Promise<boolean> {
  const changed = await tx.$executeRaw`
    UPDATE audit_export SET progress_mac = ${mac}::bytea, next_position = first_position, rows = 0, bytes = 0, multipart_key = NULL, multipart_id = NULL,
      progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int`;
  if (changed === 0) return false;
  await tx.$executeRaw`
    DELETE FROM audit_export_part WHERE organization_id = ${organizationId}::uuid AND export_id = ${exportId}::uuid`;
  return true;
}

/** An export that is over. */
export interface Finished {
  format: AuditExportFormat;
  rows: number;
  bytes: number;
  /** What it has left in the bucket. */
  multipart: MultipartId | undefined;
}

/** `running` -> `done`. Undefined when the attempt is no longer the one that counts. */
export async function finishExport(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  manifestSha256: Buffer,
  now: Date,
): Promise<Finished | undefined> {
  const [row] = await tx.$queryRaw<EndedRow[]>`
    UPDATE audit_export SET state = 'done', manifest_sha256 = ${manifestSha256}::bytea, finished_at = ${now}::timestamptz,
      progressed_at = ${now}::timestamptz, multipart_key = NULL, multipart_id = NULL, failure = NULL
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int
    RETURNING format::text, rows, bytes, multipart_key, multipart_id`;
  return row && toFinished(row, organizationId, exportId);
}

/** `running` -> `failed`. Undefined when the attempt is no longer the one that counts. */
export async function failExport(
  tx: SqlTransaction,
  { organizationId, exportId, attempt }: Attempt,
  { failure, firstBad }: { failure: string; firstBad: number | null },
  now: Date,
): Promise<Finished | undefined> {
  const [row] = await tx.$queryRaw<EndedRow[]>`
    UPDATE audit_export SET state = 'failed', failure = ${failure}::text, first_bad = ${firstBad}::bigint,
      finished_at = ${now}::timestamptz, progressed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND state = 'running' AND attempts = ${attempt}::int
    RETURNING format::text, rows, bytes, multipart_key, multipart_id`;
  return row && toFinished(row, organizationId, exportId);
}

type EndedRow = Pick<Row, 'format' | 'rows' | 'bytes' | 'multipart_key' | 'multipart_id'>;

const toFinished = (row: EndedRow, organizationId: string, exportId: string): Finished => ({
  format: row.format,
  rows: Number(row.rows),
  bytes: Number(row.bytes),
  multipart: multipartOf(row, organizationId, exportId),
});

/** What it is writing; nothing of others, whatever stands in the row: who can write there is not to have us write, or end, theirs. */
function multipartOf(
  { format, multipart_key: key, multipart_id: id }: EndedRow,
  organizationId: string,
  exportId: string,
): MultipartId | undefined {
  if (key === null || id === null) return undefined;
  const own = { organizationId, id: exportId, format };
  return key === exportKey(own) || key === manifestKey(own) ? { key, id } : undefined;
}

/** What an attempt ended with. @param failure a code or a name of an error, never its words */
export async function recordFailure(
  tx: SqlTransaction,
  { organizationId, exportId }: WriteExportPayload,
  failure: string,
): Promise<{ tries: number; attempt: number } | undefined> {
  const [row] = await tx.$queryRaw<{ tries: number; attempt: number }[]>`
    UPDATE audit_export SET failure = ${failure}::text
    WHERE organization_id = ${organizationId}::uuid AND id = ${exportId}::uuid AND finished_at IS NULL
    RETURNING tries, attempts AS attempt`;
  return row;
}
