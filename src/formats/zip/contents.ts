import type { DicomHeader } from '../dicom/header.js';
import type { DicomRule } from '../dicom/rules.js';
import { type Gradients, MAX_GRADIENT_BYTES, readGradients } from '../nifti/gradients.js';
import type { NiftiHeader } from '../nifti/header.js';
import { type NiftiRule, niftiFailure } from '../nifti/rules.js';
import type { SkipReason } from './entry-kind.js';
import type { ZipEntry } from './entry.js';
import { placeOf, ZipRefusal, type ZipRule } from './rules.js';

export interface FoundInstance {
  readonly entry: ZipEntry;
  readonly header: DicomHeader;
}

export interface FoundVolume {
  readonly entry: ZipEntry;
  readonly header: NiftiHeader;
}

/** A .bval or .bvec file, whole. */
export interface FoundText {
  readonly entry: ZipEntry;
  readonly bytes: Uint8Array;
}

export interface SkippedEntry {
  readonly entry: ZipEntry;
  readonly reason: SkipReason;
}

/** What an archive holds besides images, whichever they are. */
interface Extras {
  /** Everything that is not part of the study or set, in the order of the archive. */
  readonly skipped: readonly SkippedEntry[];
  /** The bytes of `metadata.json` at the root, if there is one. */
  readonly sidecar?: Uint8Array;
}

/** One DICOM study. */
export interface StudyArchive extends Extras {
  readonly kind: 'dicom';
  readonly studyInstanceUid: string;
  /** In the order of the archive; at least one. */
  readonly instances: readonly FoundInstance[];
}

/** One NIfTI volume with its diffusion gradients. */
export interface NiftiArchive extends Extras {
  readonly kind: 'nifti';
  readonly volume: FoundVolume;
  readonly bval: FoundText;
  readonly bvec: FoundText;
  readonly gradients: Gradients;
}

/** Any rule that an archive, or what is in it, can break. */
export type ContentsRule = ZipRule | DicomRule | NiftiRule;

export interface ContentsFailure {
  readonly ok: false;
  readonly rule: ContentsRule;
  /** Safe to show: it holds no name and no value. */
  readonly message: string;
  /** `entry N`, and the place within it: `entry N, (0020,000D)`. */
  readonly where?: string;
}

export type ContentsVerdict =
  { readonly ok: true; readonly contents: StudyArchive | NiftiArchive } | ContentsFailure;

/**
 * What has been found in an archive so far. It holds either one DICOM study or one NIfTI set: what can never become
 * either is refused at once.
 */
export class FoundContents {
  private readonly instances: FoundInstance[] = [];
  private readonly volumes: FoundVolume[] = [];
  private readonly gradients: Partial<Record<'bval' | 'bvec', FoundText>> = {};
  /** Files of gradients that no set can use: all but the first of each kind, and those that are too large. */
  private readonly surplus: ZipEntry[] = [];
  private readonly skipped: SkippedEntry[] = [];
  private sidecar: Uint8Array | undefined;

  /** @throws {ZipRefusal} zip.mixed-studies */
  addInstance(instance: FoundInstance): void {
    const first = this.instances[0];
    const another = first !== undefined && first.header.studyInstanceUid !== instance.header.studyInstanceUid;
    if (another || this.volumes.length > 0)
      throw new ZipRefusal('zip.mixed-studies', placeOf(instance.entry));
    if (first === undefined) this.letGradientsGo();
    // A header holds its raw values until its attributes are read: thousands are kept without, as the study's first says.
    const { entry, header } = instance;
    this.instances.push(
      first ? { entry, header: { ...header, attributes: first.header.attributes } } : instance,
    );
  }

  /** @throws {ZipRefusal} zip.mixed-studies */
  addVolume(volume: FoundVolume): void {
    if (this.instances.length > 0 || this.volumes.length > 0)
      throw new ZipRefusal('zip.mixed-studies', placeOf(volume.entry));
    this.volumes.push(volume);
  }

  /**
   * Whether a file of gradients is to be read. No more than one of each kind ever is, since they are held in memory to
   * the end; the others are noted here.
   */
  wantsGradients(kind: 'bval' | 'bvec', entry: ZipEntry): boolean {
    if (this.instances.length > 0) this.skip(entry, 'other');
    else if (this.gradients[kind] !== undefined || entry.size > MAX_GRADIENT_BYTES) this.surplus.push(entry);
    else return true;
    return false;
  }

  addGradients(kind: 'bval' | 'bvec', text: FoundText): void {
    this.gradients[kind] = text;
  }

  skip(entry: ZipEntry, reason: SkipReason): void {
    this.skipped.push({ entry, reason });
  }

  setSidecar(bytes: Uint8Array): void {
    this.sidecar = bytes;
  }

  /** Which of the two it is, when everything has been looked at. */
  conclude(): ContentsVerdict {
    const [instance] = this.instances;
    if (instance !== undefined) return this.study(instance.header.studyInstanceUid);
    const [volume] = this.volumes;
    if (volume !== undefined) return this.niftiSet(volume);
    const archive = this.skipped.find(({ reason }) => reason === 'archive');
    if (archive !== undefined) return new ZipRefusal('zip.nested', placeOf(archive.entry)).failure;
    return new ZipRefusal('zip.no-imaging').failure;
  }

  /** They are of no use to a DICOM study, whose own attributes say them. */
  private letGradientsGo(): void {
    const { bval, bvec } = this.gradients;
    const read = [bval, bvec].flatMap((text) => text?.entry ?? []);
    const entries = [...read, ...this.surplus].sort((a, b) => a.header.offset - b.header.offset);
    for (const entry of entries) this.skip(entry, 'other');
    delete this.gradients.bval;
    delete this.gradients.bvec;
    this.surplus.length = 0;
  }

  private study(studyInstanceUid: string): ContentsVerdict {
    const { instances } = this;
    return { ok: true, contents: { kind: 'dicom', studyInstanceUid, instances, ...this.extras() } };
  }

  private niftiSet(volume: FoundVolume): ContentsVerdict {
    const { bval, bvec } = this.gradients;
    const [surplus] = this.surplus;
    if (bval === undefined || bvec === undefined || surplus !== undefined)
      return niftiFailure('nifti.gradients', placeOf(surplus ?? volume.entry));
    const result = readGradients(bval.bytes, bvec.bytes, volume.header.volumes);
    if (!result.ok) return result;
    const gradients = { bValues: result.bValues };
    return { ok: true, contents: { kind: 'nifti', volume, bval, bvec, gradients, ...this.extras() } };
  }

  private extras(): Extras {
    const { skipped, sidecar } = this;
    return { skipped, ...(sidecar !== undefined && { sidecar }) };
  }
}
