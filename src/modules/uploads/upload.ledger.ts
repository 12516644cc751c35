import type { Principal } from '../../platform/authorization/principal.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import type { Rejection } from './uploads.rules.js';

/**
 * The only place that changes `upload.state`. Each transition is one guarded UPDATE: it names the state it leaves, and
 * returns the ids it moved. Whoever loses a race moves nothing. Statements are set-based: an exam may hold 5,000 files.
 */

/** How long after its URL's expiry an upload may still land: S3 checks the expiry when a PUT begins, not when it ends. */
export const LATE_LANDING_MS = 24 * 3600 * 1000;

export interface NewSlot {
  id: string;
  uploadId: string;
  name: string;
  size: number;
}

/** A slot's next attempt. */
export interface NewUpload {
  id: string;
  slotId: string;
  size: number;
}

interface Issue {
  organizationId: string;
  principal: Principal;
  now: Date;
  urlExpiresAt: Date;
}

export async function insertSlots(
  tx: SqlTransaction,
  organizationId: string,
  examId: string,
  slots: NewSlot[],
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO slot (id, organization_id, exam_id, position, name, size)
    SELECT s.id, ${organizationId}::uuid, ${examId}::uuid, s.position, s.name, s.size
    FROM unnest(${slots.map(({ id }) => id)}::uuid[], ${slots.map((_, position) => position)}::int[],
                ${slots.map(({ name }) => name)}::text[], ${slots.map(({ size }) => size)}::bigint[]) AS s(id, position, name, size)`;
}

export async function insertIssued(tx: SqlTransaction, issue: Issue, uploads: NewUpload[]): Promise<void> {
  const { organizationId, principal, now, urlExpiresAt } = issue;
  await tx.$executeRaw`
    INSERT INTO upload (id, organization_id, slot_id, surface, state, state_changed_at, principal_kind, principal_id,
                        declared_size, issued_at, url_expires_at)
    SELECT u.id, ${organizationId}::uuid, u.slot_id, 'exams', 'issued', ${now}::timestamptz, ${principal.kind},
           ${principal.id}::uuid, u.size, ${now}::timestamptz, ${urlExpiresAt}::timestamptz
    FROM unnest(${uploads.map(({ id }) => id)}::uuid[], ${uploads.map(({ slotId }) => slotId)}::uuid[],
                ${uploads.map(({ size }) => size)}::bigint[]) AS u(id, slot_id, size)`;
}

export interface LandedFacts {
  uploadId: string;
  size: number;
  etag: string;
  modifiedAt: Date;
}

/** `issued` or lately `expired` -> `landed`; the first attempt of the declared size fills its slot. */
export async function land(
  tx: SqlTransaction,
  organizationId: string,
  facts: LandedFacts[],
  now: Date,
): Promise<{ id: string; examId: string | null }[]> {
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
      RETURNING u.id, u.slot_id, u.landed_size
    ), filled AS (
      UPDATE slot s SET filled_by_id = first.id
      FROM (SELECT DISTINCT ON (slot_id) slot_id, id, landed_size FROM landed ORDER BY slot_id, id) AS first
      WHERE s.organization_id = ${organizationId}::uuid AND s.id = first.slot_id AND s.filled_by_id IS NULL
        AND s.size = first.landed_size
    )
    SELECT l.id, s.exam_id AS "examId" FROM landed l
    JOIN slot s ON s.organization_id = ${organizationId}::uuid AND s.id = l.slot_id`;
}

/** `issued` -> `expired`. */
export async function expire(
  tx: SqlTransaction,
  organizationId: string,
  ids: string[],
  now: Date,
): Promise<number> {
  return tx.$executeRaw`
    UPDATE upload SET state = 'expired', state_changed_at = ${now}::timestamptz
    WHERE organization_id = ${organizationId}::uuid AND id = ANY (${ids}::uuid[]) AND state = 'issued'`;
}

export interface Claim {
  uploadId: string;
  attempt: number;
  /** Where the copy is to be made: recorded, so that a crash leaves nothing unknown in the bucket. */
  key: string;
  declaredSize: bigint;
  /** Who uploads. */
  principalId: string;
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
      RETURNING id, copy_attempts, declared_size, principal_id
    ), recorded AS (
      INSERT INTO object_copy (organization_id, upload_id, attempt, key, created_at)
      SELECT ${organizationId}::uuid, id, copy_attempts, concat('objects/', ${organizationId}::text, '/', id, '/', copy_attempts),
             ${now}::timestamptz
      FROM claimed RETURNING upload_id, key
    )
    SELECT c.id AS "uploadId", c.copy_attempts AS attempt, r.key, c.declared_size AS "declaredSize",
           c.principal_id AS "principalId"
    FROM claimed c JOIN recorded r ON r.upload_id = c.id`;
}

/** `landed` -> `verified`, for attempts whose copy the sweeper has not given up. */
export async function verify(
  tx: SqlTransaction,
  organizationId: string,
  attempts: { uploadId: string; attempt: number }[],
  now: Date,
): Promise<string[]> {
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
  studyId: string;
  duplicate: boolean;
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
             stored_object_id = r.object_id, study_id = r.study_id, duplicate = r.duplicate
      FROM unnest(${registered.map(({ uploadId }) => uploadId)}::uuid[], ${registered.map(({ storedObjectId }) => storedObjectId)}::uuid[],
                  ${registered.map(({ studyId }) => studyId)}::uuid[], ${registered.map(({ duplicate }) => duplicate)}::bool[])
           AS r(id, object_id, study_id, duplicate)
      WHERE u.id = r.id AND u.organization_id = ${organizationId}::uuid AND u.state = 'verified'
      RETURNING u.id, u.slot_id
    )
    UPDATE slot s SET filled_by_id = first.id
    FROM (SELECT DISTINCT ON (slot_id) slot_id, id FROM registered ORDER BY slot_id, id) AS first
    WHERE s.organization_id = ${organizationId}::uuid AND s.id = first.slot_id AND s.filled_by_id IS NULL`;
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
