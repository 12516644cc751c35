import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import { LedgerDamaged } from './export.errors.js';
import type { Stretch } from './lines/sealed-events.js';
import type { Wanted } from './lines/wanted-events.js';

/** An event may be sealed this much later than it happened, in milliseconds; what comes later still is not waited for. */
const SEALED_WITHIN_MS = 10 * 60_000;
/** Events that are read at once, in trees that are read whole. */
const MOST_EVENTS = 10_000;
const MOST_TREES = 1_000;

/** Which part of an organization's ledger an export goes through. */
export interface ExportScope {
  /** Number of the head it ends with: it holds what was sealed by then. */
  seal: number;
  /** Positions of its first tree and behind its last. */
  first: number;
  end: number;
}

export interface Interval {
  from: Date | null;
  to: Date | null;
}

/**
 * All trees that may have events of the interval by what is signed of them, which is when they were sealed: what times their
 * events have is looked at when they are read. Undefined when nothing of the organization is sealed yet.
 */
export async function findScope(
  tx: SqlTransaction,
  organizationId: string,
  { from, to }: Interval,
): Promise<ExportScope | undefined> {
  const settled = to && new Date(to.getTime() + SEALED_WITHIN_MS);
  const [row] = await tx.$queryRaw<{ seal: bigint; first: bigint | null; end: bigint }[]>`
    SELECT head.seal, wanted.first, newest.end
    FROM (SELECT greatest(
            coalesce((SELECT min(s.number) FROM audit_seal s WHERE s.sealed_at >= ${settled}::timestamptz), last.number),
            -- Of an interval before all of its trees the first one says so.
            (SELECT min(t.seal_number) FROM audit_tree t
             WHERE t.organization_id = ${organizationId}::uuid AND t.seal_number <= last.number)) AS seal
          FROM (SELECT max(s.number) AS number FROM audit_seal s) AS last) AS head
    CROSS JOIN LATERAL (
      SELECT t.first_position + t.size AS end FROM audit_tree t
      WHERE t.organization_id = ${organizationId}::uuid AND t.seal_number <= head.seal
      ORDER BY t.seal_number DESC, t.first_position DESC LIMIT 1) AS newest
    CROSS JOIN LATERAL (
      SELECT min(t.first_position) AS first FROM audit_tree t
      WHERE t.organization_id = ${organizationId}::uuid AND t.seal_number <= head.seal
        AND (${from}::timestamptz IS NULL OR t.sealed_at >= ${from}::timestamptz OR t.last_time >= ${from}::timestamptz)) AS wanted`;
  if (!row) return undefined;
  return { seal: Number(row.seal), first: Number(row.first ?? row.end), end: Number(row.end) };
}

/** The trees from a position on that are read next. @throws LedgerDamaged when one is not there, up to the end */
export async function nextStretch(
  tx: SqlTransaction,
  organizationId: string,
  next: number,
  end: number,
  { from, to, filter }: Omit<Wanted, 'next' | 'until'>,
): Promise<Stretch> {
  const trees = await tx.$queryRaw<{ first: bigint; size: number }[]>`
    SELECT t.first_position AS first, t.size FROM audit_tree t
    WHERE t.organization_id = ${organizationId}::uuid AND t.first_position < ${end}::bigint AND t.first_position >= (
      SELECT max(b.first_position) FROM audit_tree b
      WHERE b.organization_id = ${organizationId}::uuid AND b.first_position <= ${next}::bigint)
    ORDER BY t.first_position LIMIT ${MOST_TREES}::int`;
  const firstTree = Number(trees[0]?.first ?? next);
  let endTree = firstTree;
  for (const { first, size } of trees) {
    const behind = Number(first) + size;
    if (endTree > next && behind - next > MOST_EVENTS) break;
    if (Number(first) !== endTree) break;
    endTree = behind;
  }
  if (endTree <= next) throw new LedgerDamaged(endTree);
  return { firstTree, endTree, next, until: Math.min(endTree, end), from, to, filter };
}
