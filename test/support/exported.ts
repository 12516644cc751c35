import { createHash, type KeyObject } from 'node:crypto';
import { rootByProof } from '../../src/formats/merkle/merkle-tree.js';
import {
  type ExportLine,
  exportForm,
  type HeadLine,
  headOf,
  entryOf,
  isExportLine,
  isHeadLine,
  isTreeLine,
  parseManifestLine,
  signedOf,
  type TreeLine,
} from '../../src/modules/audit/export.manifest.js';
import {
  entryForm,
  eventLeaf,
  hashOf,
  headForm,
  isSigned,
  newestLeaf,
  publicSealKey,
} from '../../src/modules/audit/seal.js';
import type { World } from './world.js';

export interface Manifest {
  statement: ExportLine['export'];
  trees: TreeLine[];
  head: HeadLine;
}

export async function sealKeys({ admin }: Pick<World, 'admin'>): Promise<Map<string, KeyObject>> {
  const { rows } = await admin.query<{ kid: string; public_key: Buffer }>(
    'SELECT kid, public_key FROM audit_key',
  );
  return new Map(rows.map(({ kid, public_key }) => [kid, publicSealKey(public_key)]));
}

/** Reads a manifest, and finds out for itself whether it holds of the file. @returns what is wrong */
export function findFaults(
  file: Buffer,
  text: string,
  keys: Map<string, KeyObject>,
): { manifest: Manifest; faults: string[] } {
  const faults: string[] = [];
  const holds = (what: string, is: boolean) => void (is || faults.push(what));
  const lines = text.trimEnd().split('\n').map(parseManifestLine);
  const [first, last, trees] = [lines[0]!, lines.at(-1)!, lines.filter(isTreeLine)];
  if (!isExportLine(first) || !isHeadLine(last) || trees.length !== lines.length - 2)
    throw new Error('The manifest has not its lines.');
  const { export: statement } = first;
  holds('its signature', isSigned(keys, exportForm(statement), signedOf(first)));
  let at = 0;
  for (const { bytes, sha256 } of statement.parts) {
    const part = file.subarray(at, (at += bytes));
    holds('a part', createHash('sha256').update(part).digest('hex') === sha256);
  }
  holds('the size', at === file.length);
  holds('the rows', statement.parts.reduce((sum, { rows }) => sum + rows, 0) === statement.rows);

  const ndjson = statement.format === 'ndjson';
  const events = ndjson ? file.toString().split('\n').slice(0, -1) : [];
  let [row, held] = [0, 0];
  const positions: number[] = [];
  let entry: Buffer | undefined;
  for (const line of trees) {
    const tree = entryOf(line);
    const form = entryForm(tree);
    holds('a tree’s signature', isSigned(keys, form, signedOf(line)));
    if (statement.complete && entry) holds('the chain', entry.equals(Buffer.from(tree.previous)));
    entry = hashOf(form);
    const indexes = line.held.flatMap(([from, to]) =>
      Array.from({ length: to - from }, (_, index) => from + index),
    );
    held += indexes.length;
    positions.push(...indexes.map((index) => tree.first + index));
    if (!ndjson) {
      holds('no proof', line.proof === undefined);
      continue;
    }
    const leaves = new Map(indexes.map((index) => [index, eventLeaf(events[row++] ?? '')]));
    const proof = line.proof!.map((hash) => Buffer.from(hash, 'hex'));
    holds('a tree’s root', rootByProof(tree.size, leaves, proof)?.equals(tree.root) ?? false);
  }
  holds('as many held as there are rows', held === statement.rows);
  if (ndjson)
    holds('as many lines as there are rows', events.length === statement.rows && row === events.length);
  holds('the first', (positions[0] ?? null) === statement.first);
  holds('the last', (positions.at(-1) ?? null) === statement.last);
  const ranges: number[] = [];
  for (const each of positions)
    if (ranges.at(-1) === each) ranges[ranges.length - 1] = each + 1;
    else ranges.push(each, each + 1);
  const said = createHash('sha256').update(JSON.stringify(ranges)).digest('hex');
  holds('the positions', said === statement.positions);
  const begins = trees[0]?.tree;
  if (statement.complete && begins && begins.first !== 1)
    holds('its beginning', statement.from !== null && begins.time < statement.from);
  const head = headOf(last);
  holds('its head', head.seal === statement.seal);
  holds('the head’s signature', isSigned(keys, headForm(head), signedOf(last)));
  const { index, size, entry: newest, proof } = last.newest;
  holds('the last tree is the newest', entry?.toString('hex') === newest);
  const leaf = newestLeaf(statement.organization, Buffer.from(newest, 'hex'));
  const root = rootByProof(
    size,
    new Map([[index, leaf]]),
    proof.map((hash) => Buffer.from(hash, 'hex')),
  );
  holds('the head’s root', root?.equals(head.root) ?? false);
  return { manifest: { statement, trees, head: last }, faults };
}
