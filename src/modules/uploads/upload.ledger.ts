import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { UploadSurface } from './upload.issue.js';
import type { Rejection } from './uploads.rules.js';

/**
 * The only place that changes `upload.state`. Each transition is one guarded UPDATE: it names the state it leaves, and
 * returns the ids it moved. Whoever loses a race moves nothing. Statements are set-based: an exam may hold 5,000 files.
 */

/** How long after its URL's expiry an upload may still land: S3 checks the expiry when a PUT begins, not when it ends. */
export const LATE_LANDING_MS = 24 * 3600 * 1000;

export interface LandedFacts {
  uploadId: string;
  size: number;
  etag: string;
  modifiedAt: Date;
}

/** What an upload belongs to, if anything: it is one of an exam's files, or came for an order. */
export interface LandedUpload {
  id: string;
  examId: string | null;
  orderId: string | null;
}

/** `issued` or lately `expired` -> `landed`; the first attempt of the declared size fills its slot. */
export async function land(
  tx: SqlTransaction,
  organizationId: string,
  facts: LandedFacts[],
  now: Date,
): Promise<LandedUpload[]> {
  return tx.$queryRaw`
    WITH landed AS (
      UPDATE upload u
      SET state = 'landed', state_changed_at = ${now}::timestamptz, landed_at = ${now}::timestamptz,
          landed_size = f.size, etag = f.etag, bucket_modified_at = f.modified_at
      FROM unnest(${facts.map(({ uploadId }) => uploadId)}::uuid[], ${facts.map(({ size }) => size)}::bigint[],
                  ${facts.map(({ etag }) => etag)}::text[], ${facts.map(({ modifiedAt }) => modifiedAt)}::timestamptz[])
           AS f(id, size, etag, modified_at)
      WHERE u.id = f.id AND u.organization_id = ${organizationId}::uuid
        AND (u.state = 'issued' OR (u.state = 'expired' AND u.url_expires_at > ${new Date(now.getTime() - LATE_LANDING_MS)}::timestamptz))
        AND NOT EXISTS (SELECT 1 FROM slot d JOIN exam e ON e.organization_id = d.organization_id AND e.id = d.exam_id
                        WHERE d.organization_id = u.organization_id AND d.id = u.slot_id AND e.deleted_at IS NOT NULL)
      RETURNING u.id, u.slot_id, u.order_id, u.landed_size
    ), filled AS (
      UPDATE slot s SET filled_by_id = first.id
      FROM (SELECT DISTINCT ON (slot_id) slot_id, id, landed_size FROM landed WHERE slot_id IS NOT NULL ORDER BY slot_id, id) AS first
      WHERE s.organization_id = ${organizationId}::uuid AND s.id = first.slot_id AND s.filled_by_id IS NULL
        AND s.size = first.landed_size
    )
    SELECT l.id, s.exam_id AS "examId", l.order_id AS "orderId" FROM landed l
    LEFT JOIN slot s ON s.organization_id = ${organizationId}::uuid AND s.id = l.slot_id`;
}

/** `issued` -> `expired`. */
export async function expire(
  tx: SqlTransaction,
  organizationId: string,
  ids: string[],
  now: Date,
): Promise<{ orderId: string | null }[]> {
  return tx.$queryRaw`
    UPDATE upload SET state = 'expired', state_changed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) AND state = 'issued'
    RETURNING order_id AS "orderId"`;
}

export interface Claim {
  uploadId: string;
  attempt: number;
  /** Where the copy is to be made: recorded, so that a crash leaves nothing unknown in the bucket. */
  key: string;
  declaredSize: bigint | null;
  declaredSha256: Uint8Array | null;
  declaredType: string | null;
  surface: UploadSurface;
  orderId: string | null;
  /** Who uploads. */
  principalId: string;
  /** Whether it may replace what others uploaded. */
  mayReplace: boolean;
  /** When the object landed, by the bucket. */
  landedAt: Date;
}

/**
 * Counts an attempt and records the copy it is about to make, under `objects/<organization>/<upload>/<attempt>`: nobody but
 * us ever writes there, so verified bytes cannot change. Uploads that are no longer `landed` return nothing.
 */
export async function recordCopies(
  tx: SqlTransaction,
  organizationId: string,
  ids: string[],
  now: Date,
): Promise<Claim[]> {
  return tx.$queryRaw`
    WITH claimed AS (
      UPDATE upload SET copy_attempts = copy_attempts + 1
      WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) AND state = 'landed'
      RETURNING id, copy_attempts, declared_size, declared_sha256, declared_type, surface, order_id, principal_id, may_replace, bucket_modified_at
    ), recorded AS (
      INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at)
      SELECT ${organizationId}::uuid, id, copy_attempts, concat('objects/', ${organizationId}::text, '/', id, '/', copy_attempts),
             ${now}::timestamptz
      FROM claimed RETURNING upload_id, key
    )
    SELECT c.id AS "uploadId", c.copy_attempts AS attempt, r.key, c.declared_size AS "declaredSize",
           c.declared_sha256 AS "declaredSha256", c.declared_type AS "declaredType", c.surface::text AS surface, c.order_id AS "orderId",
           c.principal_id AS "principalId", c.may_replace AS "mayReplace", c.bucket_modified_at AS "landedAt"
    FROM claimed c JOIN recorded r ON r.upload_id = c.id`;
}

/** Notes that entries of an archive will lie under the copy's key. False when the copy was given up. */
export async function recordArchive(
  tx: SqlTransaction,
  organizationId: string,
  { uploadId, attempt }: Pick<Claim, 'uploadId' | 'attempt'>,
): Promise<boolean> {
  const noted = await tx.$executeRaw`
    UPDATE object_copy SET prefix = true
    WHERE organization_id = ${organizationId}::uuid AND upload_id = ${uploadId}::uuid AND attempt = ${attempt}::int
      AND abandoned_at IS NULL`;
  return noted > 0;
}

/**
 * Notes that a copy is still being read, so that its age says nothing: two reads that say so at once never make it older.
 * False when it was given up.
 */
export async function renewCopy(
  tx: SqlTransaction,
  organizationId: string,
  { uploadId, attempt }: Pick<Claim, 'uploadId' | 'attempt'>,
  now: Date,
): Promise<boolean> {
  const renewed = await tx.$executeRaw`
    UPDATE object_copy SET created_at = greatest(created_at, ${now}::timestamptz)
    WHERE organization_id = ${organizationId}::uuid AND upload_id = ${uploadId}::uuid AND attempt = ${attempt}::int
      AND abandoned_at IS NULL`;
  return renewed > 0;
}

/** `landed` -> `verified`, for attempts whose copy the sweeper has not given up. */
export async function verify(
  tx: SqlTransaction,
  organizationId: string,
  attempts: { uploadId: string; attempt: number }[],
  now: Date,
): Promise<string[]> {
  if (attempts.length === 0) return [];
  const moved = await tx.$queryRaw<{ id: string }[]>`
    UPDATE upload u SET state = 'verified', state_changed_at = ${now}::timestamptz, verified_at = ${now}::timestamptz
    FROM unnest(${attempts.map(({ uploadId }) => uploadId)}::uuid[], ${attempts.map(({ attempt }) => attempt)}::int[]) AS a(id, attempt)
    JOIN object_copy c ON c.organization_id = ${organizationId}::uuid AND c.upload_id = a.id AND c.attempt = a.attempt
                      AND c.abandoned_at IS NULL
    WHERE u.id = a.id AND u.organization_id = ${organizationId}::uuid AND u.state = 'landed'
    RETURNING u.id`;
  return moved.map(({ id }) => id);
}

/** `landed` or `verified` -> `rejected`. Bytes that were kept before the refusal stay referenced: they are quarantined. */
export async function reject(
  tx: SqlTransaction,
  organizationId: string,
  rejected: { uploadId: string; rejection: Rejection; storedObjectId?: string }[],
  now: Date,
): Promise<string[]> {
  const moved = await tx.$queryRaw<{ id: string }[]>`
    UPDATE upload u SET state = 'rejected', state_changed_at = ${now}::timestamptz, rejected_at = ${now}::timestamptz,
           rejection_rule = r.rule, rejection_message = r.message, rejection_where = r.place, stored_object_id = r.object_id
    FROM unnest(${rejected.map(({ uploadId }) => uploadId)}::uuid[], ${rejected.map(({ rejection }) => rejection.rule)}::text[],
                ${rejected.map(({ rejection }) => rejection.message)}::text[],
                ${rejected.map(({ rejection }) => rejection.where ?? null)}::text[],
                ${rejected.map(({ storedObjectId }) => storedObjectId ?? null)}::uuid[]) AS r(id, rule, message, place, object_id)
    WHERE u.id = r.id AND u.organization_id = ${organizationId}::uuid AND u.state IN ('landed', 'verified')
    RETURNING u.id`;
  return moved.map(({ id }) => id);
}

export interface Registered {
  uploadId: string;
  storedObjectId: string;
  duplicate: boolean;
  studyId?: string;
  orderId?: string;
}

/**
 * `verified` -> `registered`. Its bytes have the declared size, so it fills its slot if that is still open: a listing
 * that told another size when it landed must not keep the exam waiting for a file that is there.
 */
export async function register(
  tx: SqlTransaction,
  organizationId: string,
  registered: Registered[],
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    WITH registered AS (
      UPDATE upload u SET state = 'registered', state_changed_at = ${now}::timestamptz, registered_at = ${now}::timestamptz,
             stored_object_id = r.object_id, study_id = r.study_id, duplicate = r.duplicate,
             order_id = coalesce(u.order_id, r.order_id)
      FROM unnest(${registered.map(({ uploadId }) => uploadId)}::uuid[], ${registered.map(({ storedObjectId }) => storedObjectId)}::uuid[],
                  ${registered.map(({ studyId }) => studyId ?? null)}::uuid[], ${registered.map(({ duplicate }) => duplicate)}::bool[],
                  ${registered.map(({ orderId }) => orderId ?? null)}::uuid[])
           AS r(id, object_id, study_id, duplicate, order_id)
      WHERE u.id = r.id AND u.organization_id = ${organizationId}::uuid AND u.state = 'verified'
      RETURNING u.id, u.slot_id
    )
    UPDATE slot s SET filled_by_id = first.id
    FROM (SELECT DISTINCT ON (slot_id) slot_id, id FROM registered WHERE slot_id IS NOT NULL ORDER BY slot_id, id) AS first
    WHERE s.organization_id = ${organizationId}::uuid AND s.id = first.slot_id AND s.filled_by_id IS NULL`;
}

/** Notes what was found in archives: it changes no state. */
export async function describeArchives(
  tx: SqlTransaction,
  organizationId: string,
  archives: { uploadId: string; contents: object }[],
): Promise<void> {
  if (archives.length === 0) return;
  await tx.$executeRaw`
    UPDATE upload u SET contents = a.contents
    FROM unnest(${archives.map(({ uploadId }) => uploadId)}::uuid[], ${archives.map(({ contents }) => JSON.stringify(contents))}::jsonb[])
         AS a(id, contents)
    WHERE u.organization_id = ${organizationId}::uuid AND u.id = a.id`;
}

/** Any state -> `deleted`, for all uploads of an exam. Returns the stored object of each that had one. */
export async function deleteOfExam(
  tx: SqlTransaction,
  organizationId: string,
  examId: string,
  reason: string,
  now: Date,
): Promise<{ storedObjectId: string | null }[]> {
  return tx.$queryRaw`
    UPDATE upload u SET state = 'deleted', state_changed_at = ${now}::timestamptz, deleted_at = ${now}::timestamptz,
           deleted_reason = ${reason}, study_id = NULL
    FROM slot s
    WHERE s.organization_id = ${organizationId}::uuid AND s.exam_id = ${examId}::uuid
      AND u.organization_id = s.organization_id AND u.slot_id = s.id AND u.state NOT IN ('deleted', 'purged')
    RETURNING u.stored_object_id AS "storedObjectId"`;
}

/** Any state -> `deleted`, of these uploads. */
export async function deleteUploads(
  tx: SqlTransaction,
  organizationId: string,
  ids: string[],
  reason: string,
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE upload SET state = 'deleted', state_changed_at = ${now}::timestamptz, deleted_at = ${now}::timestamptz,
           deleted_reason = ${reason}
    WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) AND state NOT IN ('deleted', 'purged')`;
}

/** `deleted` -> `purged`. */
export async function purge(
  tx: SqlTransaction,
  organizationId: string,
  ids: string[],
  now: Date,
): Promise<number> {
  return tx.$executeRaw`
    UPDATE upload SET state = 'purged', state_changed_at = ${now}::timestamptz, stored_object_id = NULL, study_id = NULL
    WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) AND state = 'deleted'`;
}

/**
 * Counts an unexpected failure; at `parkAt` the upload is set aside for a person instead of being tried for ever. Null
 * never parks.
 */
export async function countFailure(
  tx: SqlTransaction,
  organizationId: string,
  uploadId: string,
  failure: { reason: string; parkAt: number | null; now: Date },
): Promise<{ failures: number } | undefined> {
  const [row] = await tx.$queryRaw<{ failures: number }[]>`
    UPDATE upload SET failures = failures + 1,
           parked_at = CASE WHEN failures + 1 >= ${failure.parkAt}::int THEN ${failure.now}::timestamptz END,
           parked_reason = CASE WHEN failures + 1 >= ${failure.parkAt}::int THEN ${failure.reason} END
    WHERE organization_id = ${organizationId}::uuid AND id = ${uploadId}::uuid AND state IN ('landed', 'verified')
    RETURNING failures`;
  return row;
}

/** Takes back a failure that was counted before it was known. */
export async function uncountFailure(
  tx: SqlTransaction,
  organizationId: string,
  uploadId: string,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE upload SET failures = failures - 1
    WHERE organization_id = ${organizationId}::uuid AND id = ${uploadId}::uuid AND state IN ('landed', 'verified')
      AND failures > 0`;
}
