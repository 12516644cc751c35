import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { deriveKey, seal, unseal } from '../../../platform/crypto/master-key.js';
import type { SqlTransaction } from '../../../platform/database/sql-transaction.js';
import type { TreeEntry } from '../seal.js';

/** The tree that forms are of. */
export type FormsTree = Pick<TreeEntry, 'organization' | 'first' | 'size' | 'root'>;

/** Of a row: so many events, or so many bytes of their lines, before the next one begins. */
export const [ROW_EVENTS, ROW_BYTES] = [1_000, 1024 * 1024];
/** A fifth of their size, in less time than gzip either way; more of an effort gains nothing. */
const COMPRESSION = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
/** Before what is compressed: its length. */
const LENGTH_BYTES = 4;
/** Behind what is unpacked, or another piece of memory were asked for as soon as it is full. */
const MARGIN_BYTES = 64;
const LINE_END = Buffer.from('\n');

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** What the forms of an organization are sealed under: there are too many of them for the one key of all else. */
export const formsKey = (masterKey: Uint8Array, organization: string): Buffer =>
  deriveKey(masterKey, `audit-forms/${organization}`);

/**
 * Keeps the canonical forms of a tree's events, which its root is made of: exports need not make them again, nor prove them
 * one by one, since nobody without the master key can put others in their place.
 * @param key {@link formsKey}
 */
export async function insertForms(
  tx: SqlTransaction,
  key: Uint8Array,
  tree: FormsTree,
  forms: readonly Buffer[],
): Promise<void> {
  const rows: { first: number; sealed: Uint8Array }[] = [];
  let first = tree.first;
  for (const lines of inRows(forms)) {
    const bytes = Buffer.concat(lines.flatMap((form) => [form, LINE_END]));
    rows.push({ first, sealed: seal(key, contextOf(tree, first), await pack(bytes)) });
    first += lines.length;
  }
  await tx.$executeRaw`
    INSERT INTO audit_forms (organization_id, first_position, sealed_forms)
    SELECT ${tree.organization}::uuid, *
    FROM unnest(${rows.map(({ first }) => first)}::bigint[], ${rows.map(({ sealed }) => Buffer.from(sealed))}::bytea[])`;
}

/** What was kept for that tree and that position; undefined when it is something else. Still packed. */
export function openForms(
  key: Uint8Array,
  tree: FormsTree,
  first: number,
  sealed: Uint8Array,
): Buffer | undefined {
  try {
    return unseal(key, contextOf(tree, first), sealed);
  } catch {
    return undefined;
  }
}

function* inRows(forms: readonly Buffer[]): Generator<Buffer[]> {
  let [row, bytes]: [Buffer[], number] = [[], 0];
  for (const form of forms) {
    row.push(form);
    bytes += form.length;
    if (row.length < ROW_EVENTS && bytes < ROW_BYTES) continue;
    yield row;
    [row, bytes] = [[], 0];
  }
  if (row.length > 0) yield row;
}

async function pack(lines: Buffer): Promise<Buffer> {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(lines.length);
  return Buffer.concat([length, await compress(lines, COMPRESSION)]);
}

export const unpackForms = (packed: Buffer): Promise<Buffer> =>
  decompress(packed.subarray(LENGTH_BYTES), { chunkSize: packed.readUInt32BE(0) + MARGIN_BYTES });

const contextOf = ({ organization, first, size, root }: FormsTree, position: number): string =>
  `audit-forms/${organization}/${first}/${size}/${Buffer.from(root).toString('hex')}/${position}`;
