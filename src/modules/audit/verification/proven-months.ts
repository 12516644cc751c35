import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import {
  exportForm,
  type ExportStatement,
  isExportLine,
  MalformedManifestError,
  MAX_MANIFEST_LINE,
  parseManifestLine,
  signedOf,
} from '../export.manifest.js';
import { exportKey, manifestKey } from '../exports.keys.js';
import { hashOfRanges, type Ranges } from '../ranges.js';
import type { RetiredMonth } from '../retired.rows.js';
import { isSigned } from '../seal.js';
import type { SealKeys } from './chains.js';
import { linesOf, LongLineError } from './lines.js';

/**
 * Of the months that the database says were taken out of an organization's ledger, those of which that is proven: the bucket has a
 * complete export that we have signed, and the trees name the very events of the month that this says it has, by position. Rows and
 * times of the database say nothing by themselves: who can write there would make what was removed look retired.
 */
export async function provenMonths(
  { database, storage }: { database: DatabaseService; storage: StorageService },
  keys: SealKeys,
  organizationId: string,
  months: readonly RetiredMonth[],
): Promise<RetiredMonth[]> {
  const proven: RetiredMonth[] = [];
  for (const month of months) {
    const statement = await statementOf(storage, keys, organizationId, month.exportId);
    if (!statement || !covers(statement, organizationId, month)) continue;
    if (!(await isWhole(storage, statement))) continue;
    const named = await database.withOrganizationSql(organizationId, (tx) =>
      positionsNamedIn(tx, organizationId, month),
    );
    const signed = statement.months[month.from.toISOString().slice(0, 'YYYY-MM'.length)];
    if (signed?.positions === hashOfRanges(named)) proven.push(month);
  }
  return proven;
}

/** The first line of an export's manifest, if it is signed by us. */
async function statementOf(
  storage: StorageService,
  keys: SealKeys,
  organizationId: string,
  id: string,
): Promise<ExportStatement | undefined> {
  const found = await storage.readRange(manifestKey({ organizationId, id }), 0, MAX_MANIFEST_LINE);
  if (!found) return undefined;
  try {
    for await (const text of linesOf(found.bytes, MAX_MANIFEST_LINE)) {
      const line = parseManifestLine(text.toString());
      if (!isExportLine(line) || line.export.id !== id) return undefined;
      return isSigned(keys, exportForm(line.export), signedOf(line)) ? line.export : undefined;
    }
  } catch (error) {
    if (!(error instanceof MalformedManifestError || error instanceof LongLineError)) throw error;
  } finally {
    found.bytes.destroy();
  }
  return undefined;
}

const covers = (
  { organization, format, complete, from, to }: ExportStatement,
  organizationId: string,
  month: RetiredMonth,
): boolean =>
  organization === organizationId &&
  format === 'ndjson' &&
  complete &&
  (from === null || new Date(from) <= month.from) &&
  (to === null || new Date(to) >= month.to);

/** Whether its file is there as well: without it the signed line is all that is left. */
async function isWhole(
  storage: StorageService,
  { organization, id, parts }: ExportStatement,
): Promise<boolean> {
  const file = await storage.head(exportKey({ organizationId: organization, id, format: 'ndjson' }));
  return file?.size === parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/**
 * Positions that the trees give a time in a month. Nobody has signed those times; those by which trees are found fit them. A tree with
 * a time that is none, or is not in its place, is not as it was sealed, and proves nothing.
 */
async function positionsNamedIn(
  tx: SqlTransaction,
  organizationId: string,
  month: RetiredMonth,
): Promise<Ranges> {
  const rows = await tx.$queryRaw<{ from: bigint; to: bigint }[]>`
    SELECT min(position) AS "from", max(position) + 1 AS "to"
    FROM (
      SELECT t.first_position + u.place - 1 AS position,
             t.first_position + u.place - row_number() OVER (ORDER BY t.first_position + u.place) AS island
      FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_times) WITH ORDINALITY AS u(at, place)
      WHERE t.organization_id = ${organizationId}::uuid
        AND t.last_time >= ${month.from}::timestamptz AND t.first_time < ${month.to}::timestamptz
        AND isfinite(t.first_time) AND isfinite(t.last_time)
        AND array_ndims(t.event_times) = 1 AND cardinality(t.event_times) = t.size
        AND t.size = (SELECT count(*) FROM unnest(t.event_times) AS each(at) WHERE isfinite(each.at))
        AND u.at >= ${month.from}::timestamptz AND u.at < ${month.to}::timestamptz
    ) AS named
    GROUP BY island ORDER BY 1`;
  return rows.flatMap(({ from, to }) => [Number(from), Number(to)]);
}
