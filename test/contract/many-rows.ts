import type { Pool, PoolClient } from 'pg';

export const ROWS = 30_000;

/** Tables that grow with what is stored. */
export const GROWING = ['exam', 'slot', 'upload', 'stored_object', 'study', 'series', 'instance', 'submission', 'order', 'order_overlay',
  'order_study', 'volume', 'result', 'inspect_file', 'user', 'otp_challenge', 'otp_budget', 'user_session', 'refresh_token', 'patient_case', 'patient_file',
  'outbox_event', 'share_link', 'audit_event_default', 'audit_export', 'idempotency_key']; // prettier-ignore

/**
 * One exam, slot, study, series, instance, order, result, ... for each of {@link ROWS}, all of one organization: what an
 * index over the organization alone would not spare.
 */
export async function fill(admin: Pool, organizationId: string): Promise<void> {
  // As version 8 of RFC 9562, or no cursor made of it would be taken.
  const id = (table: string) =>
    `overlay(overlay(md5('${table}' || n) placing '8' from 13) placing '8' from 17)::uuid`;
  const each = `FROM generate_series(1, ${ROWS}) n`;
  const ago = `now() - n * interval '1 second'`;
  const sql = [
    `INSERT INTO exam (id, organization_id, name, patient_name, status, created_by_id, created_at)
     SELECT ${id('exam')}, $1, 'e', 'p', 'ready', $1, ${ago} ${each}`,
    `INSERT INTO slot (id, organization_id, exam_id, position, name, size, filled_by_id)
     SELECT ${id('slot')}, $1, ${id('exam')}, 0, 'f', 1, ${id('upload')} ${each}`,
    `INSERT INTO stored_object (id, organization_id, sha256, size, key, kind, created_at)
     SELECT ${id('object')}, $1, sha256(n::text::bytea), 1, 'k', 'dicom', now() ${each}`,
    `INSERT INTO study (id, organization_id, study_instance_uid, patient_id, accession_number, created_at, updated_at)
     SELECT ${id('study')}, $1, '1.2.' || n, 'P' || n, 'A' || n, ${ago}, now() ${each}`,
    `INSERT INTO series (id, organization_id, study_id, series_instance_uid)
     SELECT ${id('series')}, $1, ${id('study')}, '1.3.' || n ${each}`,
    `INSERT INTO submission (id, organization_id, study_id, generation, state, opened_at, last_landed_at, closes_at, closed_at)
     SELECT ${id('submission')}, $1, ${id('study')}, 1, 'closed', ${ago}, ${ago}, ${ago}, now() ${each}`,
    `INSERT INTO "order" (organization_id, id, origin, created_by_id, created_at)
     SELECT $1, ${id('order')}, 'created', $1, ${ago} ${each}`,
    `INSERT INTO order_overlay (organization_id, order_id, origin, attributes, updated_at)
     SELECT $1, ${id('order')}, 'api', '{"StudyDescription": "d"}', now() ${each}`,
    `INSERT INTO order_study (organization_id, order_id, study_id, created_at)
     SELECT $1, ${id('order')}, ${id('study')}, ${ago} ${each}`,
    `INSERT INTO upload (id, organization_id, slot_id, surface, state, state_changed_at, principal_kind, principal_id, declared_size,
                         url_expires_at, issued_at, landed_size, stored_object_id, study_id)
     SELECT ${id('upload')}, $1, ${id('slot')}, 'exams', 'registered', now(), 'client', $1, 1, now(), now(), 1, ${id('object')}, ${id('study')}
     ${each}`,
    `INSERT INTO upload (id, organization_id, surface, state, state_changed_at, principal_kind, principal_id, url_expires_at, issued_at,
                         landed_size, bucket_modified_at, stored_object_id, study_id, order_id, parent_id)
     SELECT ${id('single')}, $1, 'ingestion', 'registered', now(), 'client', $1, now(), now(), 1, now(), ${id('object')}, ${id('study')},
            ${id('order')}, CASE WHEN n % 2 = 0 THEN ${id('upload')} END ${each}`,
    `INSERT INTO upload (id, organization_id, surface, state, state_changed_at, principal_kind, principal_id, url_expires_at, issued_at,
                         landed_size, bucket_modified_at, stored_object_id, order_id)
     SELECT ${id('report')}, $1, 'results', 'registered', now(), 'client', $1, now(), now(), 1, now(), ${id('object')}, ${id('order')} ${each}`,
    `INSERT INTO upload (id, organization_id, surface, state, state_changed_at, principal_kind, principal_id, url_expires_at, issued_at,
                         landed_size, stored_object_id, inspect_file_id)
     SELECT ${id('picture')}, $1, 'inspect', 'registered', now(), 'client', $1, now(), now(), 1, ${id('object')}, ${id('file')} ${each}`,
    `INSERT INTO inspect_file (organization_id, id, name, content_type, size, sha256, created_by_kind, created_by_id, created_at, completed_at,
                               upload_id)
     SELECT $1, ${id('file')}, 'f', 'image/png', 1, sha256(n::text::bytea), 'client', $1, ${ago}, ${ago}, ${id('picture')} ${each}`,
    `INSERT INTO "user" (id, organization_id, kind, email, phone_number, created_at)
     SELECT ${id('user')}, $1, 'patient', n || '@many.example', '+1555' || n + 1000000, ${ago} ${each}`,
    `INSERT INTO otp_challenge (id, organization_id, subject_id, user_id, channel, created_at, expires_at, sent_at)
     SELECT ${id('challenge')}, $1, ${id('subject')}, ${id('user')}, 'email', ${ago}, ${ago}, ${ago} ${each}`,
    `INSERT INTO otp_budget (organization_id, subject_id, day, failures) SELECT $1, ${id('subject')}, ${ago}, 0 ${each}`,
    `INSERT INTO user_session (id, organization_id, user_id, api_key_id, created_at, last_used_at, expires_at)
     SELECT ${id('session')}, $1, ${id('user')}, $1, ${ago}, ${ago}, ${ago} ${each}`,
    `INSERT INTO refresh_token (id, organization_id, session_id, token_hash, created_at, expires_at)
     SELECT ${id('token')}, $1, ${id('session')}, sha256(('r' || n)::bytea), ${ago}, ${ago} ${each}`,
    // Few are closed; every other file is an attachment, the others are documents.
    `INSERT INTO patient_case (id, organization_id, patient_id, created_by_kind, created_by_id, created_at, closed_at)
     SELECT ${id('case')}, $1, ${id('user')}, 'client', $1, ${ago}, CASE WHEN n % 10000 = 0 THEN now() END ${each}`,
    `INSERT INTO patient_file (id, organization_id, patient_id, case_id, upload_id, name, content_type, size, uploaded_by_kind,
                               uploaded_by_id, created_at, visible_at)
     SELECT ${id('attached')}, $1, ${id('user')}, CASE WHEN n % 2 = 0 THEN ${id('case')} END, ${id('picture')}, 'f', 'image/png', 1,
            'client', $1, ${ago}, ${ago} ${each}`,
    `INSERT INTO instance (id, organization_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, stored_object_id, upload_id,
                           landed_at, created_at, updated_at)
     SELECT ${id('instance')}, $1, ${id('series')}, '1.4.' || n, '1', '1', ${id('object')}, ${id('single')}, ${ago}, now(), now() ${each}`,
    `INSERT INTO volume (id, organization_id, order_id, nifti_upload_id, bval_upload_id, bvec_upload_id, dimensions, volumes, created_at)
     SELECT ${id('volume')}, $1, ${id('order')}, ${id('single')}, ${id('single')}, ${id('single')}, '{2,2,2}', 1, now() ${each}`,
    `INSERT INTO result (id, organization_id, order_id, upload_id, report_type, content_type, delivered_by_id, created_at, delivered_at,
                         acknowledged_at)
     SELECT ${id('result')}, $1, ${id('order')}, ${id('report')}, 'json', 'application/json', $1, ${ago}, ${ago},
            CASE WHEN n % 2 = 0 THEN now() END ${each}`,
    `INSERT INTO outbox_event (id, organization_id, type, occurred_at, data)
     SELECT ${id('outbox')}, $1, 'order.failed', now(), '{}' ${each}`,
    `INSERT INTO share_link (id, organization_id, exam_id, version, token_hash, created_at)
     SELECT ${id('link')}, $1, ${id('exam')}, 1, sha256(('l' || n)::bytea), now() ${each}`,
    // Few are of strangers, one in a hundred was denied, and all of it was before there were partitions.
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                              patient_ref, study_ref, request_id, scopes, detail)
     SELECT ${id('event')}, timestamptz '2020-01-01' + n * interval '1 second', $1,
            CASE WHEN n % 1000 = 0 THEN 'anonymous' ELSE 'system' END, 'actor-' || n % 100, 'many:' || n % 40,
            CASE WHEN n % 100 = 0 THEN 'denied' ELSE 'success' END, 'Type' || n % 20, 'resource-' || n, 'patient-' || n % 3000,
            'study-' || n % 3000, 'request-' || n, '{}', '{}' ${each}`,
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
     SELECT ${id('event')}, '2020-01-01', $1, 'system', 'x', 'success', '{}', '{}' ${each}`,
    `INSERT INTO audit_export (id, organization_id, format, filters, state, requested_by_kind, requested_by_id, created_at, progressed_at,
                               finished_at, failure)
     SELECT ${id('export')}, $1, 'csv', '{}', 'failed', 'client', $1, now() - n * interval '1 hour', ${ago}, now(), 'x' ${each}`,
    `INSERT INTO idempotency_key (organization_id, principal_id, operation, key_hash, request_hash, resource_id, created_at)
     SELECT $1, $1, 'x', sha256(n::text::bytea), 'x', $1, now() ${each}`,
  ];
  const client = await admin.connect();
  try {
    await client.query('SET session_replication_role = replica'); // the keys agree as they are made: no need to look
    for (const statement of sql) await client.query(statement, [organizationId]);
    await client.query('RESET session_replication_role');
    await client.query('VACUUM ANALYZE');
  } finally {
    client.release();
  }
}

/** A backend that has nothing to do publishes its counters after 10 s (PGSTAT_IDLE_INTERVAL), a busy one each second. */
const PUBLISHED_MS = 10_500;

/** Rows that statements have read of a table, since it was made. */
export interface RowsRead {
  /** By going through it from end to end. */
  scanned: number;
  /** By an index. */
  fetched: number;
}

/** Resolves when all backends that have nothing to do any more have published what they have read. */
export const published = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PUBLISHED_MS));

/** As far as it was {@link published}. */
export async function rowsRead(admin: Pool | PoolClient): Promise<Map<string, RowsRead>> {
  const { rows } = await admin.query<RowsRead & { relname: string }>(
    `SELECT relname, seq_tup_read::int AS scanned, coalesce(idx_tup_fetch, 0)::int AS fetched
     FROM pg_stat_user_tables WHERE relname = ANY ($1)`,
    [GROWING],
  );
  return new Map(rows.map(({ relname, scanned, fetched }) => [relname, { scanned, fetched }]));
}
