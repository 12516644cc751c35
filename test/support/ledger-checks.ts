import { createHash } from 'node:crypto';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Pool } from 'pg';

/** What a check of the ledger needs: everything it sees is seen past every defence. */
export interface Witnesses {
  admin: Pool;
  s3: S3Client;
}

interface Row {
  id: string;
  state: string;
  rejection_rule: string | null;
  /** Of an archive: its events are the archive's, but for a refusal. */
  entry: boolean;
  verifies: number;
  registers: number;
  rejects: number;
}

/** Every key under the prefix. */
export async function keysUnder(s3: S3Client, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: 'scandock', Prefix: prefix, ContinuationToken: token }),
    );
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    token = page.NextContinuationToken;
  } while (token);
  return keys;
}

/** How many uploads stand in each state. */
export async function statesOf(admin: Pool, organizationId: string): Promise<Record<string, number>> {
  const { rows } = await admin.query<{ state: string; count: number }>(
    'SELECT state::text, count(*)::int FROM upload WHERE organization_id = $1 GROUP BY 1',
    [organizationId],
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/**
 * What is wrong between an organization's ledger, its index, its audit events and its bucket; empty when all agree.
 * @param swept also what the sweeps leave behind: no copy still recorded, no object that no row names.
 */
export async function findDisagreements(
  { admin, s3 }: Witnesses,
  organizationId: string,
  { swept = false } = {},
): Promise<string[]> {
  const wrong = [
    ...(await checkUploads(admin, organizationId)),
    ...(await checkIndex(admin, organizationId)),
    ...(await checkObjects(admin, s3, organizationId)),
  ];
  if (!swept) return wrong;
  const { rows: copies } = await admin.query<{ key: string }>(
    'SELECT key FROM object_copy WHERE organization_id = $1',
    [organizationId],
  );
  const { rows: kept } = await admin.query<{ key: string }>(
    'SELECT key FROM stored_object WHERE organization_id = $1',
    [organizationId],
  );
  const known = new Set(kept.map(({ key }) => key));
  const lying = await keysUnder(s3, `objects/${organizationId}/`);
  return [
    ...wrong,
    ...copies.map(({ key }) => `still recorded as a copy: ${key}`),
    ...lying.filter((key) => !known.has(key)).map((key) => `bytes without a row: ${key}`),
    ...(await keysUnder(s3, `staging/${organizationId}/`)).map((key) => `left in staging: ${key}`),
  ];
}

/** One event for each transition, none for a transition that was not made. */
async function checkUploads(admin: Pool, organizationId: string): Promise<string[]> {
  const { rows } = await admin.query<Row>(
    `SELECT u.id, u.state::text, u.rejection_rule, u.parent_id IS NOT NULL AS entry,
            count(*) FILTER (WHERE e.action = 'uploads:verify')::int AS verifies,
            count(*) FILTER (WHERE e.action = 'uploads:register')::int AS registers,
            count(*) FILTER (WHERE e.action = 'uploads:reject')::int AS rejects
     FROM upload u LEFT JOIN audit_event e ON e.organization_id = u.organization_id AND e.resource_type = 'Upload'
       AND e.resource_id = u.id::text
     WHERE u.organization_id = $1 GROUP BY 1, 2, 3, 4`,
    [organizationId],
  );
  const { rows: landings } = await admin.query<{ told: number; landed: number }>(
    `SELECT (SELECT coalesce(sum((detail->>'count')::int), 0)::int FROM audit_event
             WHERE organization_id = $1 AND action = 'uploads:land') AS told,
            (SELECT count(*)::int FROM upload
             WHERE organization_id = $1 AND landed_at IS NOT NULL AND parent_id IS NULL) AS landed`,
    [organizationId],
  );
  const { told, landed } = landings[0]!;
  const conflict = (rule: string | null) => (rule === 'dicom.conflict' ? 1 : 0);
  const due: Record<string, (row: Row) => [number, number, number]> = {
    registered: ({ entry }) => (entry ? [0, 0, 0] : [1, 1, 0]),
    rejected: ({ entry, rejection_rule }) => [entry ? 0 : conflict(rejection_rule), 0, 1],
  };
  return [
    ...(told === landed ? [] : [`${landed} uploads landed, the events tell of ${told}`]),
    ...rows
      .filter(({ state }) => !['deleted', 'purged'].includes(state))
      .flatMap((row) => {
        const seen = [row.verifies, row.registers, row.rejects];
        const wanted = due[row.state]?.(row) ?? [0, 0, 0];
        return seen.join() === wanted.join()
          ? []
          : [`${row.state} upload ${row.id} has [verify, register, reject] events ${seen.join()}`];
      }),
  ];
}

/** What stands in the index is what living uploads registered. */
async function checkIndex(admin: Pool, organizationId: string): Promise<string[]> {
  const { rows } = await admin.query<{ problem: string }>(
    `SELECT 'instance ' || i.sop_instance_uid || ' has no registered upload' AS problem FROM instance i
     WHERE i.organization_id = $1 AND NOT EXISTS (
       SELECT 1 FROM upload u WHERE u.organization_id = $1 AND u.stored_object_id = i.stored_object_id AND u.state = 'registered')
     UNION ALL
     SELECT 'series ' || s.series_instance_uid || ' is empty' FROM series s
     WHERE s.organization_id = $1 AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.organization_id = $1 AND i.series_id = s.id)
     UNION ALL
     SELECT 'study ' || s.study_instance_uid || ' is empty' FROM study s
     WHERE s.organization_id = $1 AND NOT EXISTS (SELECT 1 FROM series e WHERE e.organization_id = $1 AND e.study_id = s.id)
     UNION ALL
     SELECT 'registered upload ' || u.id || ' refers to an object that is being purged' FROM upload u
     JOIN stored_object o ON o.organization_id = u.organization_id AND o.id = u.stored_object_id
     WHERE u.organization_id = $1 AND u.state = 'registered' AND o.purging_at IS NOT NULL`,
    [organizationId],
  );
  return rows.map(({ problem }) => problem);
}

/** Each row's bytes are there, whole, and have the row's hash. */
async function checkObjects(admin: Pool, s3: S3Client, organizationId: string): Promise<string[]> {
  const { rows } = await admin.query<{ key: string; digest: string; size: string }>(
    `SELECT key, encode(sha256, 'hex') AS digest, size FROM stored_object WHERE organization_id = $1`,
    [organizationId],
  );
  const wrong = await Promise.all(
    rows.map(async ({ key, digest, size }) => {
      const found = await s3
        .send(new GetObjectCommand({ Bucket: 'scandock', Key: key }))
        .catch(() => undefined);
      if (!found) return [`no bytes: ${key}`];
      const bytes = await found.Body!.transformToByteArray();
      return bytes.length === Number(size) && createHash('sha256').update(bytes).digest('hex') === digest
        ? []
        : [`other bytes: ${key}`];
    }),
  );
  return wrong.flat();
}
