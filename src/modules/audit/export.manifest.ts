import canonicalize from 'canonicalize';
import { z } from 'zod';
import { countOfRanges, hashOfRanges, type Ranges } from './ranges.js';
import type { SealHead, Signed, TreeEntry } from './seal.js';

/** Longest line of a manifest, in bytes: a tree of the largest size of which every other event is held stays below. */
export const MAX_MANIFEST_LINE = 4 << 20;
/** Largest tree that a manifest may speak of. The sealer's are smaller. */
const MAX_SIZE = 65_536;
/** A filter has fewer members; months are fewer than there can be in our lines. */
const [MAX_FILTERS, MAX_FILTER_TEXT, MAX_MONTHS] = [100, 1_000, 20_000];
/** Of each leaf held a mark is kept, so many bytes: it proves nothing, it only tells where to look when the proof fails. */
export const MARK_BYTES = 4;

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const instant = z.iso.datetime({ precision: 3 });
const position = z.int().min(1);
const count = z.int().min(0);
/** Of these so many at most, which is looked at first: a stranger's line is not read to its end to be told that it is too long. */
const few = <T extends z.ZodType>(most: number, each: T) =>
  z.array(z.unknown()).max(most).pipe(z.array(each));
const fewOf = <T extends z.ZodType>(most: number, name: z.ZodString, each: T) =>
  z
    .record(z.string(), z.unknown())
    .refine((value) => Object.keys(value).length <= most, { error: 'Too many members', abort: true })
    .pipe(z.record(name, each));
const signed = {
  kid: z.string().min(1).max(200),
  /** Ed25519, base64: 64 bytes leave four bits of the last character, which have to be zero, or there were sixteen spellings. */
  signature: z.string().regex(/^[A-Za-z0-9+/]{85}[AQgw]==$/),
};

const exportSchema = z.strictObject({
  v: z.literal(2),
  id: z.uuid(),
  organization: z.uuid(),
  format: z.string().min(1).max(40),
  /** The half-open interval of times that was asked for. */
  from: instant.nullable(),
  to: instant.nullable(),
  filters: fewOf(MAX_FILTERS, z.string().max(MAX_FILTER_TEXT), z.string().max(MAX_FILTER_TEXT)),
  /** Whether every sealed event of the interval is in the file: nothing was filtered. */
  complete: z.boolean(),
  /** Number of the head it ends with: it holds what was sealed by then. */
  seal: position,
  rows: count,
  /** `hashOfRanges` of the positions of its events. */
  positions: sha256Hex,
  /** Its events by the month they happened in (UTC): how many, and `hashOfRanges` of their positions. */
  months: fewOf(
    MAX_MONTHS,
    z.string().regex(/^([+-]\d\d)?\d{4}-\d\d$/),
    z.strictObject({ events: count, positions: sha256Hex }),
  ),
  /** Positions of its first and its last event; null when it has none. */
  first: position.nullable(),
  last: position.nullable(),
  /** The file is these, one after another. */
  parts: few(10_000, z.strictObject({ bytes: count, rows: count, sha256: sha256Hex })),
  made_at: instant,
});
const exportLineSchema = z.strictObject({ export: exportSchema, ...signed });

const treeLineSchema = z.strictObject({
  tree: z.strictObject({
    organization: z.uuid(),
    seal: position,
    time: instant,
    first: position,
    size: z.int().min(1).max(MAX_SIZE),
    root: sha256Hex,
    previous: sha256Hex,
  }),
  ...signed,
  /** Which of its events the file has: half-open ranges of indexes within the tree, ascending and apart. */
  held: few(MAX_SIZE, z.tuple([count, count])),
  /** `merkleProof` of these (formats/merkle). Only beside a file of canonical forms, whose lines are the leaves. */
  proof: few(MAX_SIZE, sha256Hex).optional(),
  /** Base64 of the first four bytes of each leaf that is held, in their order. Beside `proof`. */
  marks: z
    .base64()
    .max(MAX_SIZE * 6)
    .optional(),
});

export const headLineSchema = z.strictObject({
  head: z.strictObject({ seal: position, time: instant, previous: sha256Hex, root: sha256Hex }),
  ...signed,
  /** The place of the last tree's entry in the tree over the newest entries of all organizations. */
  newest: z.strictObject({
    index: count,
    size: z
      .int()
      .min(1)
      .max(2 ** 30),
    /** Hash of the entry of the last tree listed. */
    entry: sha256Hex,
    proof: few(64, sha256Hex),
  }),
});

/** What an export says of itself. */
export type ExportStatement = z.output<typeof exportSchema>;
/** First line of a manifest. */
export type ExportLine = z.output<typeof exportLineSchema>;
/** One line a tree, by position. */
export type TreeLine = z.output<typeof treeLineSchema>;
/** Last line. */
export type HeadLine = z.output<typeof headLineSchema>;
export type ManifestLine = ExportLine | TreeLine | HeadLine;

/** What it says of a month. */
export const monthStatement = (ranges: Readonly<Ranges>): ExportStatement['months'][string] => ({
  events: countOfRanges(ranges),
  positions: hashOfRanges(ranges),
});

/** The bytes an export's statement is signed as (RFC 8785). */
export const exportForm = (statement: ExportStatement): Buffer =>
  Buffer.from(canonicalize({ kind: 'export', ...statement })!);

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A signature as the manifest, the list of seals and an anchor have it. */
export const signedJson = ({ kid, signature }: Signed): Pick<ExportLine, 'kid' | 'signature'> => ({
  kid,
  signature: base64(signature),
});

/** An export's statement as the manifest has it. */
export const exportLine = (statement: ExportStatement, signed: Signed): ExportLine => ({
  export: statement,
  ...signedJson(signed),
});

/** An entry as the manifest, the list of seals and an anchor have it. */
export const entryJson = (entry: TreeEntry): TreeLine['tree'] => ({
  organization: entry.organization,
  seal: entry.seal,
  time: entry.time.toISOString(),
  first: entry.first,
  size: entry.size,
  root: hex(entry.root),
  previous: hex(entry.previous),
});

/**
 * @param proof none beside a file whose rows are not canonical forms
 * @param marks of the events that are held, in their order: with them the first bad one can be named, not only its tree
 */
export const treeLine = (
  entry: TreeEntry & Signed,
  held: [from: number, to: number][],
  proof?: readonly Uint8Array[],
  marks?: Uint8Array,
): TreeLine => ({
  tree: entryJson(entry),
  ...signedJson(entry),
  held,
  ...(proof && { proof: proof.map(hex) }),
  ...(marks && { marks: base64(marks) }),
});

/** A signed head as the manifest and an anchor have it. */
export const headJson = (head: SealHead & Signed): Omit<HeadLine, 'newest'> => ({
  head: {
    seal: head.seal,
    time: head.time.toISOString(),
    previous: hex(head.previous),
    root: hex(head.root),
  },
  ...signedJson(head),
});

export const headLine = (
  head: SealHead & Signed,
  newest: { index: number; size: number; entry: Uint8Array; proof: readonly Uint8Array[] },
): HeadLine => ({
  ...headJson(head),
  newest: { ...newest, entry: hex(newest.entry), proof: newest.proof.map(hex) },
});

/** A line as it is written, with its newline. */
export const manifestText = (line: ManifestLine): string => `${JSON.stringify(line)}\n`;

/** A manifest that is none. Its message says why, for whoever reads it. */
export class MalformedManifestError extends Error {
  override readonly name = 'MalformedManifestError';
}

/** Of what a line says that is told, in characters. */
const MAX_WORDS = 200;

const SCHEMAS = { export: exportLineSchema, tree: treeLineSchema, head: headLineSchema };

/** Reads a line, whoever wrote it. @throws MalformedManifestError */
export function parseManifestLine(text: string): ManifestLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedManifestError('It is not JSON.');
  }
  const kind = (['export', 'tree', 'head'] as const).find(
    (key) => typeof value === 'object' && value !== null && Object.hasOwn(value, key),
  );
  if (!kind) throw new MalformedManifestError('It is neither an export, nor a tree, nor a head.');
  const line = read(kind, value);
  // What was read is all there is: no member twice, none that JSON knows and we do not (`__proto__`).
  if (JSON.stringify(line) !== text) throw new MalformedManifestError('It is not written as we write it.');
  return line;
}

function read(kind: keyof typeof SCHEMAS, value: unknown): ManifestLine {
  const line = SCHEMAS[kind].safeParse(value);
  if (line.success) return line.data;
  const { path, code, message } = line.error.issues[0]!;
  const words = code === 'unrecognized_keys' ? 'It has a member that is not known.' : message;
  throw new MalformedManifestError(
    `${path.join('.').slice(0, MAX_WORDS) || kind}: ${words.slice(0, MAX_WORDS)}`,
  );
}

export const isExportLine = (line: ManifestLine): line is ExportLine => 'export' in line;
export const isTreeLine = (line: ManifestLine): line is TreeLine => 'tree' in line;
export const isHeadLine = (line: ManifestLine): line is HeadLine => 'head' in line;

const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

export const signedOf = ({ kid, signature }: Pick<ExportLine, 'kid' | 'signature'>): Signed => ({
  kid,
  signature: Buffer.from(signature, 'base64'),
});

export const entryOf = ({ tree }: Pick<TreeLine, 'tree'>): TreeEntry => ({
  ...tree,
  time: new Date(tree.time),
  root: fromHex(tree.root),
  previous: fromHex(tree.previous),
});

export const headOf = ({ head }: Pick<HeadLine, 'head'>): SealHead => ({
  ...head,
  time: new Date(head.time),
  previous: fromHex(head.previous),
  root: fromHex(head.root),
});
