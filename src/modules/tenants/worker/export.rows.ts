import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';

/** Rows of one table that are read at once. Some hold kilobytes of attributes each. */
const PAGE = 200;

/**
 * Tables that are not exported at all: live credentials and what was asked of them, as good as no use to anybody who may
 * have them; and the record of the deletion itself.
 */
export const TABLES_LEFT_OUT = [
  'audit_unsealed',
  'client_key',
  'organization_deletion',
  'otp_budget',
  'otp_challenge',
  'refresh_token',
  'spent_token',
];

/** Rows as NDJSON, and where the next page begins. */
export interface Page<Position> {
  lines: string;
  rows: number;
  last: Position;
}

export interface ExportedTable {
  name: string;
  /** Columns that are left out: hashes of secrets, sealed keys. */
  secrets: string[];
}

/** Tables with rows of organizations that are exported, in the order of their names. */
export async function exportedTables(tx: SqlTransaction): Promise<ExportedTable[]> {
  const tables = await tx.$queryRaw<ExportedTable[]>`SELECT name, secrets FROM tenant_tables()`;
  return tables.filter(({ name }) => !TABLES_LEFT_OUT.includes(name));
}

/** Rows of one table. Undefined when there are no more. */
export async function exportPage(
  tx: SqlTransaction,
  organizationId: string,
  table: string,
  after: string[] | null,
): Promise<Page<string[]> | undefined> {
  const rows = await tx.$queryRaw<{ line: string; at_position: string[] }[]>`
    SELECT line, at_position FROM export_page(${table}::text, ${organizationId}::uuid, ${after}::text[], ${PAGE}::int)`;
  if (rows.length === 0) return undefined;
  const lines = rows.map(({ line }) => `${line}\n`).join('');
  return { lines, rows: rows.length, last: rows.at(-1)!.at_position };
}

/** The organization's own row, which is in no table with others'. */
export async function exportOrganization(tx: SqlTransaction, organizationId: string): Promise<string> {
  const [row] = await tx.$queryRaw<{ line: string }[]>`
    SELECT jsonb_build_object('table', 'organization', 'row', to_jsonb(o))::text AS line
    FROM organization o WHERE o.id = ${organizationId}::uuid`;
  return `${row!.line}\n`;
}

/** Verified objects, by id. Undefined when there are no more. */
export async function objectPage(
  tx: SqlTransaction,
  organizationId: string,
  after: string | null,
): Promise<Page<string> | undefined> {
  const rows = await tx.$queryRaw<{ id: string; line: string }[]>`
    SELECT o.id, jsonb_build_object('object', jsonb_build_object(
             'key', o.key, 'size', o.size, 'sha256', encode(o.sha256, 'hex')))::text AS line
    FROM stored_object o
    WHERE o.organization_id = ${organizationId}::uuid AND (${after}::uuid IS NULL OR o.id > ${after}::uuid)
      AND o.purging_at IS NULL
    ORDER BY o.id LIMIT ${PAGE}::int`;
  if (rows.length === 0) return undefined;
  return { lines: rows.map(({ line }) => `${line}\n`).join(''), rows: rows.length, last: rows.at(-1)!.id };
}
