import type { Principal } from '../../platform/authorization/principal.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';

/** The first lines of the ledger: what a caller declares, and the URLs issued for it. One statement, whatever the number. */

export type UploadSurface = 'exams' | 'ingestion' | 'results' | 'inspect' | 'files';

export interface NewSlot {
  id: string;
  uploadId: string;
  name: string;
  size: number;
}

/** One issued URL. What is absent was not declared. */
export interface NewUpload {
  id: string;
  surface: UploadSurface;
  principal: Pick<Principal, 'kind' | 'id'>;
  slotId?: string;
  orderId?: string;
  /** The inspect file it is an attempt of. */
  inspectFileId?: string;
  name?: string;
  contentType?: string;
  size?: number;
  sha256?: Buffer;
  /** Whether the principal may replace what others uploaded to the same study. */
  mayReplace?: boolean;
}

export interface Validity {
  issuedAt: Date;
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

export async function insertIssued(
  tx: SqlTransaction,
  organizationId: string,
  { issuedAt, urlExpiresAt }: Validity,
  uploads: NewUpload[],
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO upload (id, organization_id, slot_id, order_id, inspect_file_id, surface, state, state_changed_at, principal_kind,
                        principal_id, may_replace, declared_name, declared_type, declared_size, declared_sha256, issued_at, url_expires_at)
    SELECT u.id, ${organizationId}::uuid, u.slot_id, u.order_id, u.inspect_file_id, u.surface::surface, 'issued', ${issuedAt}::timestamptz,
           u.principal_kind, u.principal_id, u.may_replace, u.name, u.type, u.size, decode(u.sha256, 'hex'), ${issuedAt}::timestamptz,
           ${urlExpiresAt}::timestamptz
    FROM unnest(${uploads.map(({ id }) => id)}::uuid[], ${uploads.map(({ slotId }) => slotId ?? null)}::uuid[],
                ${uploads.map(({ orderId }) => orderId ?? null)}::uuid[],
                ${uploads.map(({ inspectFileId }) => inspectFileId ?? null)}::uuid[], ${uploads.map(({ surface }) => surface)}::text[],
                ${uploads.map(({ principal }) => principal.kind)}::text[], ${uploads.map(({ principal }) => principal.id)}::uuid[],
                ${uploads.map(({ mayReplace }) => mayReplace ?? false)}::bool[], ${uploads.map(({ name }) => name ?? null)}::text[],
                ${uploads.map(({ contentType }) => contentType ?? null)}::text[], ${uploads.map(({ size }) => size ?? null)}::bigint[],
                ${uploads.map(({ sha256 }) => sha256?.toString('hex') ?? null)}::text[])
         AS u(id, slot_id, order_id, inspect_file_id, surface, principal_kind, principal_id, may_replace, name, type, size, sha256)`;
}

/** An entry of a verified archive: an upload of its own, whose bytes are verified already. */
export interface NewEntry {
  uploadId: string;
  parentId: string;
  name: string;
  size: number;
}

/** `verified` from the first: what came before happened to the archive. */
export async function insertEntries(
  tx: SqlTransaction,
  organizationId: string,
  entries: NewEntry[],
  now: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO upload (id, organization_id, parent_id, order_id, surface, state, state_changed_at, principal_kind, principal_id,
                        may_replace, declared_name, declared_size, issued_at, url_expires_at, landed_at, landed_size,
                        bucket_modified_at, verified_at)
    SELECT e.id, p.organization_id, p.id, p.order_id, p.surface, 'verified', ${now}::timestamptz, p.principal_kind, p.principal_id,
           p.may_replace, e.name, e.size, p.issued_at, p.url_expires_at, p.landed_at, e.size, p.bucket_modified_at, ${now}::timestamptz
    FROM unnest(${entries.map(({ uploadId }) => uploadId)}::uuid[], ${entries.map(({ parentId }) => parentId)}::uuid[],
                ${entries.map(({ name }) => name)}::text[], ${entries.map(({ size }) => size)}::bigint[]) AS e(id, parent_id, name, size)
    JOIN upload p ON p.organization_id = ${organizationId}::uuid AND p.id = e.parent_id`;
}
