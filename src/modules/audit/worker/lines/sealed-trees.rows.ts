import type { DatabaseService } from '../../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../../platform/database/sql-transaction.js';
import type { EventName } from '../../ledger.rows.js';
import { openForms } from '../forms.rows.js';
import { HASH_BYTES, unpackLeaves } from '../../seal.rows.js';

/** The ledger of one organization. */
export interface Ledger {
  database: DatabaseService;
  organization: string;
  /** Opens the forms that are kept of it. */
  formsKey: Uint8Array;
}

/** A tree as it is signed, and what is kept of its forms. */
export interface SealedTree {
  /** Position of its first event. */
  first: number;
  size: number;
  root: Buffer;
  /** Rows of `audit_forms`, by position; their forms undefined when they are not those that were kept. */
  kept: { first: number; packed: Buffer | undefined }[];
}

/** The trees of an organization from one position up to another. */
export async function sealedTrees(
  { database, formsKey, organization }: Ledger,
  { firstTree, endTree }: { firstTree: number; endTree: number },
): Promise<SealedTree[]> {
  const rows = await database.withOrganizationSql(
    organization,
    (tx) => tx.$queryRaw<
      { first: bigint; size: number; root: Buffer; position: bigint | null; forms: Buffer | null }[]
    >`
    SELECT t.first_position AS first, t.size, t.root, f.first_position AS position, f.sealed_forms AS forms
    FROM audit_tree t LEFT JOIN audit_forms f
      ON f.organization_id = t.organization_id AND f.first_position >= t.first_position
        AND f.first_position < t.first_position + t.size
        AND f.first_position >= ${firstTree}::bigint AND f.first_position < ${endTree}::bigint
    WHERE t.organization_id = ${organization}::uuid
      AND t.first_position >= ${firstTree}::bigint AND t.first_position < ${endTree}::bigint
    ORDER BY t.first_position, f.first_position`,
  );
  const trees: SealedTree[] = [];
  for (const { size, root, forms, ...at } of rows) {
    const first = Number(at.first);
    if (trees.at(-1)?.first !== first) trees.push({ first, size, root, kept: [] });
    if (forms === null) continue;
    const position = Number(at.position);
    const packed = openForms(formsKey, { organization, first, size, root }, position, forms);
    trees.at(-1)!.kept.push({ first: position, packed });
  }
  return trees;
}

/** What a tree says of its events. */
export interface NamedEvents {
  events: EventName[];
  leaves: Buffer[];
}

/** What trees say of their events, by the trees' first positions; of one that does not fit its size, or what it is found by, nothing. */
export async function eventsOfTrees(
  tx: SqlTransaction,
  organizationId: string,
  trees: readonly Pick<SealedTree, 'first' | 'size'>[],
): Promise<Map<number, NamedEvents>> {
  const rows = await tx.$queryRaw<
    {
      first: bigint;
      ids: string[] | null;
      times: Date[] | null;
      leaves: Buffer;
      firstTime: Date;
      lastTime: Date;
    }[]
  >`
    SELECT first_position AS first, event_ids::text[] AS ids, event_times AS times, leaves,
           first_time AS "firstTime", last_time AS "lastTime"
    FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position = ANY (${trees.map(({ first }) => first)}::bigint[])`;
  const sizes = new Map(trees.map(({ first, size }) => [first, size]));
  const named = new Map<number, NamedEvents>();
  for (const { first, ids, times, leaves, firstTime, lastTime } of rows) {
    const size = sizes.get(Number(first))!;
    if (ids?.length !== size || times?.length !== size || leaves.length !== size * HASH_BYTES) continue;
    if (!times.every((time) => time >= firstTime && time <= lastTime)) continue;
    const events = ids.map((id, index) => ({ id, occurredAt: times[index]! }));
    named.set(Number(first), { events, leaves: unpackLeaves(leaves) });
  }
  return named;
}
