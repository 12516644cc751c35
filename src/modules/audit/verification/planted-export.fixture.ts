import { createHash, type KeyObject } from 'node:crypto';
import { merkleProof, merkleRoot } from '../../../formats/merkle/merkle-tree.js';
import { newId } from '../../../platform/database/id.js';
import { canonicalForm } from '../audit.canonical.js';
import {
  exportForm,
  exportLine,
  type ExportStatement,
  headLine,
  manifestText,
  MARK_BYTES,
  monthStatement,
  treeLine,
} from '../export.manifest.js';
import { addRange, hashOfRanges, type Ranges } from '../ranges.js';
import {
  entryForm,
  eventLeaf,
  hashOf,
  headForm,
  newestLeaf,
  newSealKey,
  NOTHING_BEFORE,
  openSealKey,
  publicSealKey,
  type SealKey,
  signForm,
} from '../seal.js';

/** An export as it lies in two files: lines without their newlines. */
export interface PlantedExport {
  events: string[];
  manifest: string[];
  keys: Map<string, KeyObject>;
  jwks: string;
  ids: string[];
}

export async function newKey(): Promise<{ key: SealKey; publicKey: KeyObject }> {
  const master = Buffer.alloc(32, 7);
  const row = await newSealKey(master);
  return { key: openSealKey(master, row), publicKey: publicSealKey(row.publicKey) };
}

const DAY = Date.parse('2026-11-29T00:00:00.000Z');

/**
 * A ledger of trees of these sizes and an export of it, written by nothing of the product but its forms.
 * @param keep which events, by position, a filter lets through; absent, it is complete
 * @param said what its signed statement says otherwise
 */
export async function plantExport(
  sizes: readonly number[],
  keep?: (position: number) => boolean,
  format = 'ndjson',
  said: Partial<ExportStatement> = {},
): Promise<PlantedExport> {
  const { key, publicKey } = await newKey();
  const organization = newId();
  let first = 1;
  let previous: Buffer = NOTHING_BEFORE;
  const [events, ids, trees]: [string[], string[], string[]] = [[], [], []];
  const ranges: Ranges = [];
  let [firstHeld, lastHeld]: [number | null, number | null] = [null, null];
  for (const [number, size] of sizes.entries()) {
    const forms = Array.from({ length: size }, (_, index) =>
      canonicalForm({
        id: newId(),
        occurredAt: new Date(DAY + 60_000 * number + index),
        organizationId: organization,
        actorKind: 'user',
        actorId: newId(),
        actorLabel: null,
        action: 'exams:read',
        outcome: 'success',
        resourceType: null,
        resourceId: null,
        patientRef: null,
        studyRef: null,
        requestId: null,
        traceId: null,
        ip: '192.0.2.1',
        userAgent: null,
        scopes: [],
        detail: { count: index },
      }),
    );
    const leaves = forms.map((form) => eventLeaf(form));
    const entry = {
      organization,
      seal: number + 1,
      time: new Date(DAY + 60_000 * (number + 1)),
      first,
      size,
      root: merkleRoot(leaves),
      previous,
    };
    const chosen = [...forms.keys()].filter((index) => keep?.(first + index) ?? true);
    for (const index of chosen) {
      events.push(forms[index]!);
      ids.push((JSON.parse(forms[index]!) as { id: string }).id);
      firstHeld ??= first + index;
      lastHeld = first + index;
      addRange(ranges, lastHeld, lastHeld + 1);
    }
    const held = chosen.map((index): [number, number] => [index, index + 1]);
    const form = entryForm(entry);
    if (!keep || chosen.length > 0 || number === sizes.length - 1)
      trees.push(
        manifestText(
          treeLine(
            { ...entry, ...signForm(key, form) },
            held,
            ...(format === 'ndjson' ? provenBy(leaves, chosen) : NOT_PROVEN),
          ),
        ).trimEnd(),
      );
    [first, previous] = [first + size, hashOf(form)];
  }
  const bytes = Buffer.from(events.map((line) => `${line}\n`).join(''));
  const half = Math.floor(bytes.length / 2);
  const partOf = (part: Buffer, rows: number) => ({
    bytes: part.length,
    rows,
    sha256: createHash('sha256').update(part).digest('hex'),
  });
  const statement: ExportStatement = {
    v: 2,
    id: newId(),
    organization,
    format,
    from: null,
    to: null,
    filters: keep ? { action: 'exams:read' } : {},
    complete: keep === undefined,
    seal: sizes.length,
    rows: events.length,
    positions: hashOfRanges(ranges),
    months: events.length > 0 ? { '2026-11': monthStatement(ranges) } : {},
    first: firstHeld,
    last: lastHeld,
    parts: [partOf(bytes.subarray(0, half), 0), partOf(bytes.subarray(half), events.length)],
    made_at: new Date(DAY + 3_600_000).toISOString(),
    ...said,
  };
  const others = [hashOf(Buffer.from('a')), hashOf(Buffer.from('b'))];
  const leaves = [
    newestLeaf(newId(), others[0]!),
    newestLeaf(organization, previous),
    newestLeaf(newId(), others[1]!),
  ];
  const head = {
    seal: sizes.length,
    time: new Date(DAY + 60_000 * sizes.length),
    previous: others[0]!,
    root: merkleRoot(leaves),
  };
  const { x } = publicKey.export({ format: 'jwk' });
  return {
    events,
    ids,
    keys: new Map([[key.kid, publicKey]]),
    jwks: JSON.stringify({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: key.kid, alg: 'EdDSA', use: 'sig' }],
    }),
    manifest: [
      manifestText(exportLine(statement, signForm(key, exportForm(statement)))).trimEnd(),
      ...trees,
      manifestText(
        headLine(
          { ...head, ...signForm(key, headForm(head)) },
          { index: 1, size: 3, entry: previous, proof: merkleProof(leaves, [1]) },
        ),
      ).trimEnd(),
    ],
  };
}

const NOT_PROVEN: [] = [];

const provenBy = (leaves: Buffer[], chosen: number[]): [proof?: Buffer[], marks?: Buffer] => [
  merkleProof(leaves, chosen),
  Buffer.concat(chosen.map((index) => leaves[index]!.subarray(0, MARK_BYTES))),
];
