import { Prisma } from '../../generated/prisma/client.js';
import type { Thing } from './thing.js';

const { sql } = Prisma;

/** Their ids may come from outside: a time in one is whatever its sender wanted it to be. */
const NAMED_OUTSIDE = ['Order', 'InspectFile'];

/**
 * Everything that belongs to a thing, as the ledger names it: the common table expressions that end with
 * `resource (type, id, since, source)`. `since`: no event about it is older, which spares the partitions before; it is the
 * time in the id we gave it, which the ledger has as well. `source`: the principal that brought its bytes, by its own row and
 * no other, where it cannot be changed (`origin_is_kept`). What is deleted is found as long as its rows, or events that name
 * the study, are there.
 */
export function resourcesOf(thing: Thing): Prisma.Sql {
  const members = { study: ofStudy, patient: ofPatient, case: ofCase, file: ofFile }[thing.type](thing);
  // A day, since the clocks of two processes may differ. The thing itself is one, and needs no bound.
  return sql`${members},
  resource (type, id, since, source) AS (
    SELECT m.type, m.id,
           CASE WHEN m.id = ${thing.id}::text OR m.type = ANY (${NAMED_OUTSIDE}::text[]) THEN '-infinity'
                ELSE coalesce(uuid_extract_timestamp(m.id::uuid) - interval '1 day', '-infinity') END,
           min(m.source)
    FROM member m GROUP BY m.type, m.id)`;
}

/** What the ledger says of the thing by naming it, whatever the event's own resource is. */
export function namesThing({ type, id }: Thing): Prisma.Sql | undefined {
  if (type === 'study') return sql`e.study_ref = ${id}::text`;
  return type === 'patient' ? sql`e.patient_ref = ${id}::text` : undefined;
}

/**
 * A study: the uploads it came with, also as the ledger knows them, and the archives among them; the orders that asked for
 * it, with their results; the exams that show it, with their links.
 */
function ofStudy({ organizationId, id }: Thing): Prisma.Sql {
  const org = sql`${organizationId}::uuid`;
  return sql`
  arrived (id) AS (
    SELECT u.id FROM upload u WHERE u.organization_id = ${org} AND u.study_id = ${id}::uuid
    UNION
    SELECT i.upload_id FROM series s JOIN instance i ON i.organization_id = s.organization_id AND i.series_id = s.id
    WHERE s.organization_id = ${org} AND s.study_id = ${id}::uuid AND i.upload_id IS NOT NULL
    UNION
    SELECT CASE WHEN pg_input_is_valid(e.resource_id, 'uuid') THEN e.resource_id::uuid END FROM audit_event e
    WHERE e.organization_id = ${org} AND e.study_ref = ${id}::text AND e.resource_type = 'Upload'),
  part AS (
    SELECT u.* FROM arrived a CROSS JOIN LATERAL (
      SELECT u.id, u.parent_id, u.slot_id, u.order_id, u.principal_id FROM upload u
      WHERE u.organization_id = ${org} AND u.id = a.id LIMIT 1) u),
  content AS (
    SELECT * FROM part
    UNION
    SELECT u.* FROM (SELECT DISTINCT parent_id FROM part WHERE parent_id IS NOT NULL) p CROSS JOIN LATERAL (
      SELECT u.id, u.parent_id, u.slot_id, u.order_id, u.principal_id FROM upload u
      WHERE u.organization_id = ${org} AND u.id = p.parent_id LIMIT 1) u),
  asked (id) AS (
    SELECT os.order_id FROM order_study os WHERE os.organization_id = ${org} AND os.study_id = ${id}::uuid
    UNION
    SELECT c.order_id FROM content c WHERE c.order_id IS NOT NULL),
  report AS (
    SELECT r.* FROM asked a CROSS JOIN LATERAL (
      SELECT r.id, r.upload_id, r.delivered_by_id FROM result r
      WHERE r.organization_id = ${org} AND r.order_id = a.id OFFSET 0) r),
  showing (id) AS (
    SELECT DISTINCT s.exam_id FROM (SELECT DISTINCT slot_id FROM content WHERE slot_id IS NOT NULL) c CROSS JOIN LATERAL (
      SELECT s.exam_id FROM slot s WHERE s.organization_id = ${org} AND s.id = c.slot_id LIMIT 1) s
    WHERE s.exam_id IS NOT NULL),
  member (type, id, source) AS (
    SELECT 'Study', ${id}::text, NULL::text
    UNION ALL SELECT 'Upload', c.id::text, c.principal_id::text FROM content c
    UNION ALL SELECT 'Order', a.id::text, NULL FROM asked a
    UNION ALL SELECT 'Result', r.id::text, r.delivered_by_id::text FROM report r
    UNION ALL SELECT 'Upload', u.id::text, u.principal_id::text FROM report r CROSS JOIN LATERAL (
      SELECT u.id, u.principal_id FROM upload u WHERE u.organization_id = ${org} AND u.id = r.upload_id LIMIT 1) u
    UNION ALL SELECT 'Exam', x.id::text, NULL FROM showing x
    UNION ALL SELECT 'ShareLink', l.id::text, NULL FROM showing x CROSS JOIN LATERAL (
      SELECT l.id FROM share_link l WHERE l.organization_id = ${org} AND l.exam_id = x.id LIMIT 1) l)`;
}

/** A case: the files on it, deleted ones too, with their bytes, and the files of inspections they were made of. */
function ofCase({ organizationId, id }: Thing): Prisma.Sql {
  return sql`${filesWhere(organizationId, sql`f.case_id = ${id}::uuid`)},
  member (type, id, source) AS (
    SELECT 'PatientCase', ${id}::text, NULL::text
    UNION ALL SELECT * FROM of_file)`;
}

/** All files and cases of a patient. */
function ofPatient({ organizationId, id }: Thing): Prisma.Sql {
  return sql`${filesWhere(organizationId, sql`f.patient_id = ${id}::uuid`)},
  member (type, id, source) AS (
    SELECT 'PatientCase', c.id::text, NULL::text FROM patient_case c
    WHERE c.organization_id = ${organizationId}::uuid AND c.patient_id = ${id}::uuid
    UNION ALL SELECT * FROM of_file)`;
}

/** `of_file (type, id, source)`: patients' files, their bytes, and the files of inspections that share them. */
function filesWhere(organizationId: string, condition: Prisma.Sql): Prisma.Sql {
  const org = sql`${organizationId}::uuid`;
  return sql`
  file AS (
    SELECT f.id, f.upload_id, f.uploaded_by_id FROM patient_file f
    WHERE f.organization_id = ${org} AND ${condition}),
  of_file (type, id, source) AS (
    SELECT 'PatientFile', f.id::text, f.uploaded_by_id::text FROM file f
    UNION ALL SELECT 'Upload', u.id::text, u.principal_id::text FROM file f CROSS JOIN LATERAL (
      SELECT u.id, u.principal_id FROM upload u
      WHERE u.organization_id = ${org} AND u.id = f.upload_id LIMIT 1) u
    UNION ALL SELECT 'InspectFile', i.id::text, i.created_by_id::text FROM file f CROSS JOIN LATERAL (
      SELECT i.id, i.created_by_id FROM inspect_file i
      WHERE i.organization_id = ${org} AND i.upload_id = f.upload_id OFFSET 0) i)`;
}

/**
 * A file by whichever of its ids: the bytes it has or had, the archive they came in or the entries they hold, the result
 * they are. Of a patient's file also the file of an inspection it was made of; of that one all that was made of it.
 */
function ofFile({ organizationId, id }: Thing): Prisma.Sql {
  const org = sql`${organizationId}::uuid`;
  return sql`
  named (id) AS (
    SELECT u.id FROM upload u WHERE u.organization_id = ${org} AND u.id = ${id}::uuid
    UNION SELECT u.id FROM upload u WHERE u.organization_id = ${org} AND u.inspect_file_id = ${id}::uuid
    UNION SELECT i.upload_id FROM inspect_file i
      WHERE i.organization_id = ${org} AND i.id = ${id}::uuid AND i.upload_id IS NOT NULL),
  own (id) AS (
    SELECT n.id FROM named n
    UNION SELECT f.upload_id FROM patient_file f WHERE f.organization_id = ${org} AND f.id = ${id}::uuid),
  content AS (
    SELECT u.* FROM own o CROSS JOIN LATERAL (
      SELECT u.id, u.parent_id, u.principal_id FROM upload u
      WHERE u.organization_id = ${org} AND u.id = o.id LIMIT 1) u),
  member (type, id, source) AS (
    SELECT kind, ${id}::text, NULL::text
    FROM unnest(ARRAY['PatientFile', 'InspectFile', 'Upload']) kind
    UNION ALL SELECT 'Upload', c.id::text, c.principal_id::text FROM content c
    UNION ALL SELECT 'Upload', p.id::text, p.principal_id::text FROM content c CROSS JOIN LATERAL (
      SELECT p.id, p.principal_id FROM upload p
      WHERE p.organization_id = ${org} AND p.id = c.parent_id LIMIT 1) p
    UNION ALL SELECT 'Upload', e.id::text, e.principal_id::text FROM content c CROSS JOIN LATERAL (
      SELECT e.id, e.principal_id FROM upload e
      WHERE e.organization_id = ${org} AND e.parent_id = c.id OFFSET 0) e
    UNION ALL SELECT 'Result', r.id::text, r.delivered_by_id::text FROM content c CROSS JOIN LATERAL (
      SELECT r.id, r.delivered_by_id FROM result r
      WHERE r.organization_id = ${org} AND r.upload_id = c.id LIMIT 1) r
    UNION ALL SELECT 'InspectFile', i.id::text, i.created_by_id::text FROM own o CROSS JOIN LATERAL (
      SELECT i.id, i.created_by_id FROM inspect_file i
      WHERE i.organization_id = ${org} AND i.upload_id = o.id OFFSET 0) i
    UNION ALL SELECT 'PatientFile', f.id::text, f.uploaded_by_id::text FROM named n CROSS JOIN LATERAL (
      SELECT f.id, f.uploaded_by_id FROM patient_file f
      WHERE f.organization_id = ${org} AND f.upload_id = n.id OFFSET 0) f
    UNION ALL SELECT 'PatientFile', f.id::text, f.uploaded_by_id::text FROM patient_file f
      WHERE f.organization_id = ${org} AND f.id = ${id}::uuid)`;
}
