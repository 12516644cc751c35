import { rootByProof } from '../../../formats/merkle/merkle-tree.js';
import {
  entryOf,
  type ExportStatement,
  exportForm,
  type HeadLine,
  headOf,
  isExportLine,
  isHeadLine,
  isTreeLine,
  MalformedManifestError,
  type ManifestLine,
  MAX_MANIFEST_LINE,
  parseManifestLine,
  signedOf,
  type TreeLine,
} from '../export.manifest.js';
import { headForm, isSigned, newestLeaf, type TreeEntry } from '../seal.js';
import { EntryChain, type SealKeys } from './chains.js';
import { fault, GONE_BEFORE } from './fault.js';
import { type FileFault, heldIndexes, judgeHeld, type ReadEvent, readEvent } from './held-events.js';
import { linesOf, LongLineError } from './lines.js';
import { Parts } from './parts.js';
import { Tally } from './tally.js';

/** Longest line of a file of events, in bytes. */
const MAX_EVENT_LINE = 4 << 20;
/** The one format whose lines are what was sealed. */
const CANONICAL = 'ndjson';

/** What an export proves, and what is wrong with it. */
export interface ExportReport {
  valid: boolean;
  /** Whether all of it is as it was sealed: there may still be gaps that were sealed as such. */
  as_sealed: boolean;
  /** What the export says of itself; there once its signature was found good. */
  export?: Omit<ExportStatement, 'v' | 'parts'>;
  /** Lines that stand for events which were gone before their seal. */
  missing: number;
  /** Events that were found as they were sealed; of a format other than NDJSON, the rows that the signed statement has. */
  events: number;
  /** Signed trees that were found good. */
  seals: number;
  /** Events of these trees that are not in the file. */
  left_out: number;
  /** Time of the head that the last tree is under. */
  through?: string;
  first_bad?: FileFault;
}

/** Where the check has found something: ends it. */
class FoundFault extends Error {
  constructor(readonly found: FileFault) {
    super(found.why);
  }
}

/** Checks an export against its manifest, as both stream by. What they say is taken for what a stranger says. */
export async function verifyExport(
  files: { events: AsyncIterable<Buffer>; manifest: AsyncIterable<Buffer> },
  keys: SealKeys,
): Promise<ExportReport> {
  const check = new ExportCheck(keys, files.events);
  try {
    for await (const line of check.manifestLines(files.manifest)) await check.take(line);
    await check.end();
    return check.report();
  } catch (error) {
    if (!(error instanceof FoundFault)) throw error;
    return check.report(error.found);
  } finally {
    await check.close();
  }
}

class ExportCheck {
  private manifestLine = 0;
  private statement: ExportStatement | undefined;
  private parts: Parts | undefined;
  private chain: EntryChain | undefined;
  private lines: AsyncGenerator<Buffer> | undefined;
  private line = 0;
  private head: HeadLine | undefined;
  private lastSeal = 0;
  private seals = 0;
  private missing = 0;
  private firstMissing: FileFault | undefined;
  private readonly tally = new Tally();

  constructor(
    private readonly keys: SealKeys,
    private readonly events: AsyncIterable<Buffer>,
  ) {}

  async *manifestLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<ManifestLine> {
    const malformed = (more: string) => this.fail(fault('malformed', {}, more));
    try {
      for await (const text of linesOf(bytes, MAX_MANIFEST_LINE)) {
        this.manifestLine++;
        yield parseManifestLine(text.toString());
      }
    } catch (error) {
      if (error instanceof MalformedManifestError) malformed(error.message);
      if (error instanceof LongLineError) {
        this.manifestLine = error.line;
        malformed('It is longer than any that is written.');
      }
      throw error;
    }
  }

  async take(line: ManifestLine): Promise<void> {
    if (this.manifestLine === 1) return this.begin(line);
    if (this.head) this.fail(fault('malformed', {}, 'It stands behind the head.'));
    if (isTreeLine(line)) return this.takeTree(line);
    if (isHeadLine(line)) return this.takeHead(line);
    this.fail(fault('malformed', {}, 'It is the statement of another export.'));
  }

  async end(): Promise<void> {
    const { statement } = this;
    this.manifestLine++;
    if (!statement) return this.fail(fault('truncated', {}, 'The manifest is empty.'));
    if (this.seals > 0 && !this.head) this.fail(fault('truncated', {}, 'The manifest ends before the head.'));
    if (statement.format === CANONICAL) {
      const next = await this.nextLine();
      if (next)
        this.failAt(fault('added', { ...(next.id && { id: next.id }) }, 'No tree has it.'), this.line);
    } else for await (const rest of this.lines!) void rest;
    const { bad } = this.parts!;
    if (bad !== undefined)
      throw new FoundFault({
        ...fault('altered', {}, 'Its bytes are not those that were written.'),
        part: bad,
      });
    const wrong = this.tally.contradiction(statement, statement.format === CANONICAL);
    if (wrong) throw new FoundFault({ ...fault('statement', {}, wrong), manifest_line: 1 });
  }

  async close(): Promise<void> {
    await this.lines?.return(undefined);
  }

  report(found?: FileFault): ExportReport {
    const { v, parts, ...said } = this.statement ?? { v: undefined, parts: undefined };
    void v;
    const bad = found ?? this.firstMissing;
    return {
      valid: found === undefined && this.missing === 0,
      as_sealed: found === undefined,
      ...(parts && { export: said as NonNullable<ExportReport['export']> }),
      events: this.tally.rows - this.missing,
      missing: this.missing,
      seals: this.seals,
      left_out: this.tally.leftOut,
      ...(this.head && { through: this.head.head.time }),
      ...(bad && { first_bad: bad }),
    };
  }

  private begin(line: ManifestLine): void {
    if (!isExportLine(line)) return this.fail(fault('malformed', {}, 'A manifest begins with its export.'));
    let form: Buffer;
    try {
      form = exportForm(line.export);
    } catch {
      return this.fail(fault('malformed', {}, 'It has text that is no Unicode.'));
    }
    if (!isSigned(this.keys, form, signedOf(line)))
      this.fail(fault('forged', {}, 'The statement of the export has another signature, or another key’s.'));
    const { export: statement } = line;
    if (statement.parts.reduce((sum, { rows }) => sum + rows, 0) !== statement.rows)
      this.fail(fault('statement', {}, 'Its parts have another number of rows.'));
    this.statement = statement;
    this.chain = new EntryChain(this.keys, statement.organization, !statement.complete);
    this.parts = new Parts(statement.parts);
    const bytes = this.parts.through(this.events);
    this.lines = statement.format === CANONICAL ? linesOf(bytes, MAX_EVENT_LINE) : bytes;
  }

  private async takeTree(line: TreeLine): Promise<void> {
    const entry = { ...entryOf(line), ...signedOf(line) };
    const isFirst = this.chain!.hash === undefined;
    const wrong = this.chain!.add(entry);
    if (wrong) this.fail(wrong);
    if (isFirst) this.begins(entry);
    this.lastSeal = entry.seal;
    const indexes = heldIndexes(line);
    if (!indexes) return this.fail(fault('statement', { seq: entry.first }, 'What it holds makes no sense.'));
    if (this.statement!.format === CANONICAL) await this.readHeld(line, indexes);
    this.seals++;
    this.tally.addTree(line);
  }

  /** A complete export lists all trees of its interval: behind the one that was sealed before it, if there is one. */
  private begins({ first, time }: TreeEntry): void {
    const { complete, from } = this.statement!;
    if (!complete || first === 1 || (from !== null && time < new Date(from))) return;
    this.fail(
      fault('removed', { seq: from === null ? 1 : first - 1 }, 'Trees before the first are not listed.'),
    );
  }

  private async readHeld(line: TreeLine, indexes: readonly number[]): Promise<void> {
    const begins = this.line + 1;
    const read: ReadEvent[] = [];
    while (read.length < indexes.length) {
      const next = await this.nextLine();
      if (!next) break;
      read.push(next);
    }
    const wrong = judgeHeld(line, indexes, read, begins);
    if (wrong) throw new FoundFault(wrong);
    const { from, to } = this.statement!;
    const [earliest, end] = [from ? Date.parse(from) : -Infinity, to ? Date.parse(to) : Infinity];
    const outside = read.findIndex(({ time }) => time !== undefined && (time < earliest || time >= end));
    if (outside >= 0)
      this.failAt(
        fault('statement', { seq: line.tree.first + indexes[outside]! }, 'The event is not of the interval.'),
        begins + outside,
      );
    for (const [at, { missing, id, month }] of read.entries()) {
      const seq = line.tree.first + indexes[at]!;
      if (month !== undefined) this.tally.addEvent(seq, month);
      if (!missing) continue;
      this.missing++;
      this.firstMissing ??= {
        ...fault('removed', { seq, ...(id && { id }) }, GONE_BEFORE),
        line: begins + at,
      };
    }
  }

  private async nextLine(): Promise<ReadEvent | undefined> {
    try {
      const { done, value } = await this.lines!.next();
      if (done) return undefined;
      this.line++;
      return readEvent(value);
    } catch (error) {
      if (!(error instanceof LongLineError)) throw error;
      return this.failAt(fault('malformed', {}, 'The line is longer than any that is written.'), error.line);
    }
  }

  private takeHead(line: HeadLine): void {
    const head = headOf(line);
    const { seal } = head;
    if (!isSigned(this.keys, headForm(head), signedOf(line)))
      this.fail(fault('head', { seal }, 'No key that was given has signed it.'));
    if (seal !== this.statement!.seal)
      this.fail(fault('head', { seal }, `The export ends with head ${this.statement!.seal}.`));
    const { index, size, entry, proof } = line.newest;
    const last = this.chain!.hash;
    if (last && (last.toString('hex') !== entry || seal < this.lastSeal))
      this.fail(
        fault(
          'truncated',
          { seq: this.chain!.next! },
          'The head covers a later tree than the last that is listed.',
        ),
      );
    const leaf = newestLeaf(this.statement!.organization, Buffer.from(entry, 'hex'));
    const root =
      index < size
        ? rootByProof(
            size,
            new Map([[index, leaf]]),
            proof.map((hash) => Buffer.from(hash, 'hex')),
          )
        : undefined;
    if (root?.toString('hex') !== line.head.root)
      this.fail(fault('head', { seal }, 'It does not cover the last tree that is listed.'));
    this.head = line;
  }

  private fail(found: FileFault): never {
    throw new FoundFault({ ...found, manifest_line: this.manifestLine });
  }

  private failAt(found: FileFault, line: number): never {
    throw new FoundFault({ ...found, line });
  }
}
