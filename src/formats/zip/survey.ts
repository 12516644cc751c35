import { DicomInspector } from '../dicom/inspector.js';
import { NiftiInspector } from '../nifti/inspector.js';
import { SNIFF_BYTES } from '../sniff/sniff.js';
import type { ZipArchive } from './archive.js';
import { type ContentsFailure, type ContentsVerdict, FoundContents } from './contents.js';
import { kindByContent, kindByName } from './entry-kind.js';
import type { ZipEntry } from './entry.js';
import { peek, readAtMost, readWhole } from './head.js';
import { placeOf, ZipRefusal } from './rules.js';

/** `metadata.json`: some attributes of a study, in text. */
const MAX_SIDECAR_BYTES = 1024 * 1024;

/** What an entry that is taken is: an object of its own in the end. */
export type EntryRole = 'dicom' | 'nifti' | 'bval' | 'bvec';

/**
 * Takes the bytes of an entry while they are judged, and has to take all of them. Only what the verdict on the whole
 * archive names in the end is of use; the rest it forgets. When it fails, so does the survey.
 */
export type StoreEntry = (
  entry: ZipEntry,
  role: EntryRole,
  bytes: AsyncIterable<Uint8Array>,
) => Promise<void>;

/**
 * Reads all entries of an archive, once and in the order of their data, and says which of the two it holds: one DICOM
 * study, each of its instances valid, or one NIfTI set. Ends with the first thing that is wrong.
 * @throws only what the source or `store` throws
 */
export async function surveyArchive(
  archive: ZipArchive,
  store: StoreEntry = drain,
): Promise<ContentsVerdict> {
  const found = new FoundContents();
  const survey = new Survey(archive, found, store);
  try {
    for (const entry of archive.entries) await survey.look(entry);
    return found.conclude();
  } catch (error) {
    if (error instanceof ZipRefusal || error instanceof EntryRefusal) return error.failure;
    throw error;
  }
}

async function drain(_entry: ZipEntry, _role: EntryRole, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _chunk of bytes);
}

/** Ends the survey with what a reader said about the content of an entry. */
class EntryRefusal extends Error {
  readonly failure: ContentsFailure;

  constructor(entry: ZipEntry, { rule, message, where }: Omit<ContentsFailure, 'ok'>) {
    super(message);
    const place = where === undefined ? placeOf(entry) : `${placeOf(entry)}, ${where}`;
    this.failure = { ok: false, rule, message, where: place };
  }
}

class Survey {
  constructor(
    private readonly archive: ZipArchive,
    private readonly found: FoundContents,
    private readonly store: StoreEntry,
  ) {}

  async look(entry: ZipEntry): Promise<void> {
    const named = kindByName(entry);
    if (named === 'directory' || named === 'hidden' || named === 'dicomdir') {
      await this.archive.check(entry);
      return this.found.skip(entry, named);
    }
    const { head, bytes, close } = await peek(this.archive.read(entry), SNIFF_BYTES);
    const kind = kindByContent(named, head);
    switch (kind) {
      case 'dicom':
        return this.readInstance(entry, bytes);
      case 'volume':
        return this.readVolume(entry, bytes);
      case 'bval':
      case 'bvec':
        if (this.found.wantsGradients(kind, entry)) return this.readGradients(entry, kind, bytes);
        return close();
      case 'sidecar':
        return this.readSidecar(entry, bytes);
      case 'archive':
        await close();
        return this.found.skip(entry, 'archive');
      default:
        await close();
        return this.found.skip(entry, 'other');
    }
  }

  private async readInstance(entry: ZipEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    // Tools that anonymise or renumber often leave the File Meta Information behind; the data set is what counts.
    const inspector = new DicomInspector({ sopMismatch: 'accept' });
    await this.keep(entry, 'dicom', bytes, inspector);
    const verdict = await inspector.end();
    if (verdict.ok) return this.found.addInstance({ entry, header: verdict.header });
    if (verdict.rule === 'dicom.dicomdir') return this.found.skip(entry, 'dicomdir'); // under another name
    throw new EntryRefusal(entry, verdict);
  }

  private async readVolume(entry: ZipEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const inspector = new NiftiInspector(this.archive.budget);
    await this.keep(entry, 'nifti', bytes, inspector);
    const verdict = await inspector.end();
    if (verdict.ok) return this.found.addVolume({ entry, header: verdict.header });
    if (verdict.rule === 'nifti.ratio') throw new ZipRefusal(this.archive.budget.rule, placeOf(entry));
    throw new EntryRefusal(entry, verdict);
  }

  private async readGradients(
    entry: ZipEntry,
    kind: 'bval' | 'bvec',
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const whole = await readWhole(bytes);
    await this.keep(entry, kind, once(whole));
    return this.found.addGradients(kind, { entry, bytes: whole });
  }

  private async readSidecar(entry: ZipEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const whole = await readAtMost(bytes, MAX_SIDECAR_BYTES);
    if (whole === undefined) throw new ZipRefusal('zip.sidecar', placeOf(entry));
    this.found.setSidecar(whole);
  }

  /** Lets the store have the bytes while `inspector` sees them. What is wrong with the entry wins over its complaint. */
  private async keep(
    entry: ZipEntry,
    role: EntryRole,
    bytes: AsyncIterable<Uint8Array>,
    inspector?: Inspector,
  ): Promise<void> {
    const seen = new Watched(bytes, inspector);
    try {
      await this.store(entry, role, seen.bytes());
    } catch (error) {
      throw seen.refusal ?? error;
    }
    if (!seen.whole) throw seen.refusal ?? new Error('an entry was not stored to its end');
  }
}

/** The part of the format's inspectors that a stream passes through. */
interface Inspector {
  write(chunk: Uint8Array): void;
  readonly drained: Promise<unknown> | undefined;
}

/** A stream that remembers how it ended, whatever its consumer made of that. */
class Watched {
  whole = false;
  refusal: ZipRefusal | undefined;

  constructor(
    private readonly source: AsyncIterable<Uint8Array>,
    private readonly inspector: Inspector | undefined,
  ) {}

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.source) {
        this.inspector?.write(chunk);
        if (this.inspector?.drained) await this.inspector.drained;
        yield chunk;
      }
      this.whole = true;
    } catch (error) {
      if (error instanceof ZipRefusal) this.refusal = error;
      throw error;
    }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
