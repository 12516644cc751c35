import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, eventually, tokenFor } from '../support/client.js';
import { ctSeries } from '../support/dicom-files.js';
import { uploadExam } from '../support/exam.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

/**
 * Cost must not grow with what is stored: with many rows in place, every flow runs once, and Postgres' own counters tell
 * whether any statement read a growing table from end to end.
 */
const ROWS = 30_000;
const GROWING = ['exam', 'slot', 'upload', 'stored_object', 'study', 'series', 'instance', 'share_link', 'audit_event_default',
  'idempotency_key']; // prettier-ignore

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld({ RECONCILE_INTERVAL_MS: '300' });
  tenant = await world.newTenant();
  await fill(tenant.organizationId);
}, 60_000);
afterAll(() => world.close());

/** One exam, slot, upload, object, study, series, instance, link and event for each of ROWS. */
async function fill(organizationId: string): Promise<void> {
  const id = (table: string) => `md5('${table}' || n)::uuid`;
  const sql = [
    `INSERT INTO exam (id, organization_id, name, patient_name, status, created_by_id, created_at)
     SELECT ${id('exam')}, $1, 'e', 'p', 'ready', $1, now() - n * interval '1 second' FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO slot (id, organization_id, exam_id, position, name, size)
     SELECT ${id('slot')}, $1, ${id('exam')}, 0, 'f', 1 FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO stored_object (id, organization_id, sha256, size, key, kind, created_at)
     SELECT ${id('object')}, $1, sha256(n::text::bytea), 1, 'k', 'dicom', now() FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO study (id, organization_id, study_instance_uid, created_at, updated_at)
     SELECT ${id('study')}, $1, '1.2.' || n, now(), now() FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO series (id, organization_id, study_id, series_instance_uid)
     SELECT ${id('series')}, $1, ${id('study')}, '1.3.' || n FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO instance (id, organization_id, series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, stored_object_id,
                           created_at, updated_at)
     SELECT ${id('instance')}, $1, ${id('series')}, '1.4.' || n, '1', '1', ${id('object')}, now(), now() FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO upload (id, organization_id, slot_id, surface, state, state_changed_at, principal_kind, principal_id, declared_size,
                         url_expires_at, issued_at, landed_size, stored_object_id, study_id)
     SELECT ${id('upload')}, $1, ${id('slot')}, 'exams', 'registered', now(), 'client', $1, 1, now(), now(), 1, ${id('object')}, ${id('study')}
     FROM generate_series(1, ${ROWS}) n`,
    `UPDATE slot SET filled_by_id = md5('upload' || n)::uuid FROM generate_series(1, ${ROWS}) n WHERE slot.id = ${id('slot')}`,
    `INSERT INTO share_link (id, organization_id, exam_id, version, token_hash, created_at)
     SELECT ${id('link')}, $1, ${id('exam')}, 1, sha256(('l' || n)::bytea), now() FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, action, outcome, scopes, detail)
     SELECT ${id('event')}, '2020-01-01', $1, 'system', 'x', 'success', '{}', '{}' FROM generate_series(1, ${ROWS}) n`,
    `INSERT INTO idempotency_key (organization_id, principal_id, operation, key_hash, request_hash, resource_id, created_at)
     SELECT $1, $1, 'x', sha256(n::text::bytea), 'x', $1, now() FROM generate_series(1, ${ROWS}) n`,
  ];
  for (const statement of sql)
    await world.admin.query(statement, statement.includes('$1') ? [organizationId] : []);
  await world.admin.query('ANALYZE');
}

async function rowsScanned(): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, 1500)); // backends publish their counters once a second
  const { rows } = await world.admin.query(
    'SELECT relname, seq_tup_read::int AS read FROM pg_stat_user_tables WHERE relname = ANY ($1) ORDER BY 1',
    [GROWING],
  );
  return Object.fromEntries(rows.map(({ relname, read }) => [relname, read])) as Record<string, number>;
}

it('reads no growing table from end to end, in any flow', async () => {
  const client = new Client(world.baseUrl, tenant.apiKey);
  const before = await rowsScanned();
  expect(Object.keys(before)).toHaveLength(GROWING.length); // every name is a table

  await world.startWorker();
  await tokenFor(world.baseUrl, tenant);
  const exam = await uploadExam(
    client,
    Object.fromEntries(ctSeries(40).map((bytes, index) => [`${index}`, bytes])),
  );
  await client.post(
    '/api/v1/exams',
    { name: 'n', patient_name: 'p', files: [{ name: 'a', size: 1 }] },
    { 'idempotency-key': randomUUID() },
  );
  const { body: ready } = await client.post(`/api/v1/exams/${exam.exam_id}/confirm`);
  await client.post(`/api/v1/exams/${exam.exam_id}/urls`);
  const { files } = await eventually(
    async () => (await client.get(`/api/v1/exams/${exam.exam_id}`)).body,
    ({ ingestion_status }) => ingestion_status === 'registered',
  );
  const page = await client.get('/api/v1/exams?limit=100');
  await client.get(`/api/v1/exams?limit=100&cursor=${page.body.next_cursor}`);
  await fetch(ready.share_url);
  await fetch(`${ready.share_url}/files/${files[0].upload_id}`, { redirect: 'manual' });
  await client.post(`/api/v1/exams/${exam.exam_id}/share`, { rotate: true });
  await client.delete(`/api/v1/exams/${exam.exam_id}`);
  await new Promise((resolve) => setTimeout(resolve, 1000)); // some passes of the reconciler

  const after = await rowsScanned();
  const scanned = Object.fromEntries(GROWING.map((table) => [table, after[table]! - before[table]!]));
  expect(scanned).toEqual(Object.fromEntries(GROWING.map((table) => [table, 0])));
}, 60_000);
