import pg from 'pg';
import { fieldAt } from '../../../../platform/database/copy-out.js';
import type { DatabaseService } from '../../../../platform/database/database.service.js';
import type { SqlTransaction } from '../../../../platform/database/sql-transaction.js';
import type { EventName } from '../../ledger.rows.js';
import { openForms } from '../forms.rows.js';
import { HASH_BYTES, unpackLeaves } from '../../seal.rows.js';

/** The ledger of one organization, and what opens the forms that are kept of it. */
export interface Ledger {
  database: DatabaseService;
  masterKey: Uint8Array;
  organization: string;
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

/** Of the length of a field. */
const WORD = 4;

/** The trees of an organization from one position up to another. As bytes: texts of forms would be twice as long. */
export async function sealedTrees(
  { database, masterKey, organization }: Ledger,
  { firstTree, endTree }: { firstTree: number; endTree: number },
): Promise<SealedTree[]> {
  const within = (position: string): string => `${position} >= ${firstTree} AND ${position} < ${endTree}`;
  const query = `
    SELECT t.first_position, t.size, t.root, f.first_position, f.sealed_forms
    FROM audit_tree t LEFT JOIN audit_forms f
      ON f.organization_id = t.organization_id AND f.first_position >= t.first_position
        AND f.first_position < t.first_position + t.size AND ${within('f.first_position')}
    WHERE t.organization_id = ${pg.escapeLiteral(organization)}::uuid AND ${within('t.first_position')}
    ORDER BY t.first_position, f.first_position`;
  const trees: SealedTree[] = [];
  await database.copyFromOrganization(organization, query, (row, at) => {
    let from = at;
    const field = (): Buffer => {
      const bytes = fieldAt(row, from);
      from += WORD + bytes.length;
      return bytes;
    };
    const [first, size, root] = [Number(field().readBigInt64BE(0)), field().readInt32BE(0), field()];
    if (trees.at(-1)?.first !== first) trees.push({ first, size, root: Buffer.from(root), kept: [] });
    const [keptAt, sealed] = [field(), field()];
    if (keptAt.length === 0) return;
    const position = Number(keptAt.readBigInt64BE(0));
    const packed = openForms(masterKey, { organization, first, root }, position, sealed);
    trees.at(-1)!.kept.push({ first: position, packed });
  });
  return trees;
}

/** What a tree says of its events. Only their leaves are proven, by its root. */
export async function eventsOfTree(
  tx: SqlTransaction,
  organizationId: string,
  { first, size }: Pick<SealedTree, 'first' | 'size'>,
): Promise<{ events: EventName[]; leaves: Buffer[] } | undefined> {
  const [row] = await tx.$queryRaw<{ ids: string[] | null; times: Date[] | null; leaves: Buffer }[]>`
    SELECT event_ids::text[] AS ids, event_times AS times, leaves FROM audit_tree
    WHERE organization_id = ${organizationId}::uuid AND first_position = ${first}::bigint`;
  const [ids, times] = [row?.ids ?? [], row?.times ?? []];
  if (ids.length !== size || times.length !== size || row?.leaves.length !== size * HASH_BYTES)
    return undefined;
  return {
    events: ids.map((id, index) => ({ id, occurredAt: times[index]! })),
    leaves: unpackLeaves(row.leaves),
  };
}
