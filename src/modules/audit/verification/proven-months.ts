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
import { manifestKey } from '../exports.keys.js';
import type { RetiredMonth } from '../retired.rows.js';
import { isSigned } from '../seal.js';
import type { SealKeys } from './chains.js';
import { linesOf, LongLineError } from './lines.js';

/**
 * Of the months that the database says were taken out of an organization's ledger, those of which that is proven: the bucket has a
 * complete export of it that we have signed, and the trees name as many events of its interval as it has rows. Rows and times of
 * the database say nothing by themselves: who can write there would make what was removed look retired.
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
    if (await database.withOrganizationSql(organizationId, (tx) => fits(tx, statement, month)))
      proven.push(month);
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

/**
 * Whether the trees name as many events of the export's interval as it has, up to its last, and none of the month after that. An
 * event that is given a time in the month which is not its own is one too many.
 */
async function fits(tx: SqlTransaction, statement: ExportStatement, month: RetiredMonth): Promise<boolean> {
  const { organization, from, to, rows, last } = statement;
  if (last === null) return false;
  const [named] = await tx.$queryRaw<{ held: bigint; later: bigint }[]>`
    SELECT count(*) FILTER (WHERE n.position <= ${last}::bigint) AS held,
           count(*) FILTER (WHERE n.position > ${last}::bigint AND n.at >= ${month.from}::timestamptz AND n.at < ${month.to}::timestamptz) AS later
    FROM (
      SELECT u.at, t.first_position + u.place - 1 AS position
      FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_times) WITH ORDINALITY AS u(at, place)
      WHERE t.organization_id = ${organization}::uuid
        AND t.last_time >= ${from ?? '-infinity'}::timestamptz AND t.first_time < ${to ?? 'infinity'}::timestamptz
    ) AS n
    WHERE n.at >= ${from ?? '-infinity'}::timestamptz AND n.at < ${to ?? 'infinity'}::timestamptz`;
  return named!.held === BigInt(rows) && named!.later === 0n;
}
