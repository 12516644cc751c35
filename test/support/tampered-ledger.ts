import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import type { AuditEntry } from '../../src/modules/audit/audit.events.js';
import { entryForm, eventLeaf } from '../../src/modules/audit/seal.js';
import { newId } from '../../src/platform/database/id.js';

const TABLES = [
  'audit_event',
  'audit_unsealed',
  'audit_tree',
  'audit_forms',
  'audit_seal',
  'audit_anchor',
  'audit_key',
];

/** A tree as its row has it. */
export interface TreeOf {
  first: number;
  size: number;
  seal: number;
  ids: string[];
}

/** Lets a superuser do what no trigger keeps him from. */
export async function asSuperuser<T>(admin: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await admin.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL session_replication_role = replica');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

/** As if its forms had never been kept: exports are made of the rows then. */
export const loseForms = (client: Pick<PoolClient, 'query'>, organizationId: string) =>
  client.query('DELETE FROM audit_forms WHERE organization_id = $1', [organizationId]);

/** Runs `work`, and puts every table of the ledger back as it was. */
export async function putBack<T>(admin: Pool, work: () => Promise<T>): Promise<T> {
  await asSuperuser(admin, async (client) => {
    for (const table of TABLES) {
      await client.query(`DROP TABLE IF EXISTS kept_${table}`);
      await client.query(`CREATE TABLE kept_${table} AS SELECT * FROM ${table}`);
    }
  });
  try {
    return await work();
  } finally {
    await asSuperuser(admin, async (client) => {
      for (const table of TABLES) {
        await client.query(`DELETE FROM ${table}`);
        await client.query(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
        await client.query(`DROP TABLE kept_${table}`);
      }
    });
  }
}

export async function treesOf(admin: Pool, organizationId: string): Promise<TreeOf[]> {
  const { rows } = await admin.query<{ first: number; size: number; seal: number; ids: string[] }>(
    `SELECT first_position::int AS first, size, seal_number::int AS seal, event_ids::text[] AS ids
     FROM audit_tree WHERE organization_id = $1 ORDER BY first_position`,
    [organizationId],
  );
  return rows;
}

/** An event with something in every column. */
export const entryOf = (organizationId: string, number: number): AuditEntry => ({
  organizationId,
  actor: { kind: 'user', id: newId(), label: `user ${number}` },
  action: 'exams:read',
  outcome: (['success', 'denied', 'failure'] as const)[number % 3]!,
  resource: { type: 'Exam', id: newId() },
  patientRef: newId(),
  studyRef: newId(),
  scopes: ['exams:read'],
  origin: { requestId: newId(), traceId: 'ab'.repeat(16), ip: '192.0.2.1', userAgent: 'agent/1' },
  detail: { count: number, codes: ['a', 'b'], nested: { yes: true, none: null } },
});

export const COLUMNS = [
  'actor_kind',
  'actor_id',
  'actor_label',
  'action',
  'outcome',
  'resource_type',
  'resource_id',
  'patient_ref',
  'study_ref',
  'request_id',
  'trace_id',
  'ip',
  'user_agent',
  'scopes',
  'detail',
] as const;

/** Changes one column of one event. */
export function alter(client: PoolClient, id: string, column: (typeof COLUMNS)[number]) {
  const changed: Partial<Record<string, string>> = {
    scopes: `scopes || 'other'::text`,
    detail: `jsonb_set(detail, '{nested,none}', '1e400')`, // which JSON.stringify makes null of
    outcome: `CASE outcome WHEN 'success' THEN 'denied' ELSE 'success' END`,
    actor_kind: `'system'`,
  };
  return client.query(
    `UPDATE audit_event SET ${column} = ${changed[column] ?? `${column} || 'x'`} WHERE id = $1`,
    [id],
  );
}

/** Signs a tree anew with a key that the superuser has made and put in. */
export async function signWithOwnKey(
  client: PoolClient,
  organizationId: string,
  { first, ids }: TreeOf,
): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
  await client.query(
    `INSERT INTO audit_key (kid, public_key, mac, sealed_private, created_at) SELECT 'mine', $1, mac, sealed_private, now() - interval '1 day'
     FROM audit_key LIMIT 1`,
    [raw],
  );
  const { rows } = await client.query<{
    size: number;
    seal: number;
    time: Date;
    previous: Buffer;
    root: Buffer;
  }>(
    `SELECT size, seal_number::int AS seal, sealed_at AS time, previous, root FROM audit_tree WHERE organization_id = $1 AND first_position = $2`,
    [organizationId, first],
  );
  const form = entryForm({ organization: organizationId, first, ...rows[0]! });
  await client.query(
    `UPDATE audit_tree SET kid = 'mine', signature = $3, entry = $4 WHERE organization_id = $1 AND first_position = $2`,
    [organizationId, first, sign(null, form, privateKey), createHash('sha256').update(form).digest()],
  );
  void ids;
}

/** Puts another leaf in the place of one. */
export const replaceLeaf = (client: PoolClient, organizationId: string, tree: TreeOf, index: number) =>
  client.query(
    `UPDATE audit_tree SET leaves = overlay(leaves PLACING $3::bytea FROM $4 FOR 32) WHERE organization_id = $1 AND first_position = $2`,
    [organizationId, tree.first, eventLeaf(newId()), 32 * index + 1],
  );
