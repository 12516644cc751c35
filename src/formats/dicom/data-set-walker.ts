import { Containers, MAX_NESTING } from './containers.js';
import {
  ElementHeader,
  ILLEGAL_VR,
  MIN_HEADER_BYTES,
  NEEDS_MORE_BYTES,
  UNDEFINED_LENGTH,
} from './element-header.js';
import { PieceReader } from './piece-reader.js';
import { PixelPromise } from './pixel-promise.js';
import type { DicomFailure, DicomRule } from './rules.js';
import { formatTag, groupOf, isBulkData, isPixelData, isPrivate, TAG, type Tag } from './tag.js';
import { isAllZero, isZipLocalHeader, TrailingBytes } from '../zip/trailing-bytes.js';
import { type Encoding, IMPLICIT_LITTLE_ENDIAN } from './transfer-syntax.js';
import { mayBeEncapsulated, VR_NONE, VR_SQ, VR_UN } from './vr.js';

/** The longest value that is read, in bytes. The longest legal one among them has 64 characters per component. */
const MAX_VALUE_BYTES = 16 * 1024;
/** What is kept of a dispensable one: 1,024 characters, be they as long as UTF-8 has them. */
const MAX_DISPENSABLE_BYTES = 4 * 1024;
const MAX_ELEMENT_HEADER_BYTES = 12;
const NO_BYTES = new Uint8Array(0);

/** What the next bytes are. */
const ELEMENT = 0;
const VALUE = 1;
const FRAGMENT = 2;
const TRAILER = 3;

export interface WalkOptions {
  readonly encoding: Encoding;
  /** Bytes of elements other than bulk data that are walked before the object is refused. */
  readonly maxHeaderBytes: number;
  /** The attributes of the top level whose values are kept. */
  readonly wanted: ReadonlySet<Tag>;
  /** Those among them that may come twice, and are cut if they are long; with others the object is malformed. */
  readonly dispensable: ReadonlySet<Tag>;
  /** Offset of the data set in the file, for messages. */
  readonly offset: number;
}

/**
 * Elements, items and fragments of one object. Ten times what large multi-frame objects have; each costs time, and a
 * deflated file of 100 KB can hold eight millions of empty ones.
 */
const MAX_ELEMENTS = 1_000_000;

/**
 * Walks a data set (PS3.5 section 7) as its bytes arrive, in chunks that may be split anywhere. Kept are the wanted
 * values, the stack of open containers and at most one partial header or value; everything else is only counted.
 * The contents of a sequence of defined length are walked as well, except where nobody can know them: implicit VR
 * without a dictionary, and private sequences, which are the vendor's own matter.
 */
export class DataSetWalker extends PieceReader {
  readonly values = new Map<Tag, Uint8Array>();
  failure: DicomFailure | undefined;

  private readonly header = new ElementHeader();
  private readonly containers = new Containers();
  private readonly pixels = new PixelPromise();
  private readonly maxHeaderBytes: number;
  private readonly wanted: ReadonlySet<Tag>;
  private readonly dispensable: ReadonlySet<Tag>;
  private readonly offset: number;
  private encoding: Encoding;

  private mode = ELEMENT;
  /** Bytes at the end of the present value that are passed over. */
  private unkept = 0;
  private headerBytes = 0;
  private skipsBulk = false;
  private tag: Tag = 0;
  /** Inside UN of undefined length everything is implicit little endian (PS3.5 section 6.2.2 note 2). */
  private unknownDepth = -1;
  private outerEncoding: Encoding;
  /** Begins to watch where the object has its end: after the pixels, at padding, or where no element can follow. */
  private trailing: TrailingBytes | undefined;
  private trailingStart = 0;
  private trailerStart = 0;
  private trailerFailure: DicomFailure | undefined;
  private trailerIsZero = true;
  private elements = 0;

  constructor(options: WalkOptions) {
    super(MIN_HEADER_BYTES, MAX_ELEMENT_HEADER_BYTES);
    this.encoding = options.encoding;
    this.outerEncoding = options.encoding;
    this.maxHeaderBytes = options.maxHeaderBytes;
    this.wanted = options.wanted;
    this.dispensable = options.dispensable;
    this.offset = options.offset;
  }

  /** Says whether the object ended where it may. Call once, after the last chunk. */
  end(): DicomFailure | undefined {
    if (this.failure !== undefined) return this.failure;
    const rest = this.remainder();
    if (rest.length > 0) this.trailing?.push(rest);
    const archiveEnd = this.trailing?.zipEndRecord();
    if (archiveEnd !== undefined)
      return { rule: 'dicom.polyglot', where: this.place(this.trailingStart + archiveEnd) };
    if (this.mode === TRAILER) {
      if (this.trailerIsZero && this.pixels.begun) return undefined;
      return this.trailerFailure ?? { rule: 'dicom.malformed', where: this.place(this.trailerStart) };
    }
    if (this.skip > 0 || this.mode !== ELEMENT)
      return { rule: 'dicom.truncated', where: formatTag(this.tag) };
    const isPadding = this.pixels.begun && isAllZero(rest);
    if (this.containers.depth > 0 || (rest.length > 0 && !isPadding) || this.position === 0) {
      return { rule: 'dicom.truncated', where: this.place() };
    }
    if (this.pixels.broken) return { rule: 'dicom.truncated', where: formatTag(TAG.pixelData) };
    return undefined;
  }

  protected get finished(): boolean {
    return this.failure !== undefined;
  }

  protected step(bytes: Uint8Array, at: number, available: number): number {
    if (this.mode === VALUE) {
      const used = this.needed;
      // A copy, since the chunk is the caller's; `slice` of a Buffer would only be another view of it.
      const value = new Uint8Array(used);
      for (let i = 0; i < used; i++) value[i] = bytes[at + i]!;
      this.values.set(this.tag, value);
      this.mode = ELEMENT;
      this.needed = MIN_HEADER_BYTES;
      this.skip = this.unkept;
      return used;
    }
    if (this.mode === TRAILER) return available;
    const { header, containers } = this;
    const topLevel = containers.depth === 0 && this.mode === ELEMENT;
    if (topLevel && this.isEndOfObject(bytes, at)) return this.beginTrailer(undefined);
    const size = header.read(bytes, at, available, this.encoding);
    if (size === NEEDS_MORE_BYTES) {
      this.needed = MAX_ELEMENT_HEADER_BYTES;
      return 0;
    }
    this.needed = MIN_HEADER_BYTES;
    this.tag = header.tag;
    if (size === ILLEGAL_VR) return this.refuse('dicom.malformed', formatTag(header.tag));
    if (++this.elements > MAX_ELEMENTS) return this.refuse('dicom.header-too-large', formatTag(header.tag));
    const start = this.position + size;
    const end = header.length === UNDEFINED_LENGTH ? start : start + header.length;
    if (end > containers.limit) return this.refuse('dicom.malformed', formatTag(header.tag));
    if (this.mode === FRAGMENT) return this.stepFragment(size);
    if (containers.inSequence) return this.stepSequence(size, start);
    return this.stepElement(size, start);
  }

  /** Encapsulated pixel data: items of defined length until the delimiter (PS3.5 annex A.4). */
  private stepFragment(size: number): number {
    const { tag, length } = this.header;
    if (tag === TAG.sequenceDelimitation) {
      this.mode = ELEMENT;
      this.endOfPixelData(this.position + size);
      return size;
    }
    if (tag !== TAG.item || length === UNDEFINED_LENGTH) return this.refuse('dicom.malformed', this.place());
    this.tag = TAG.pixelData;
    this.beginSkip(length, true);
    return size;
  }

  private stepSequence(size: number, start: number): number {
    const { tag, length } = this.header;
    if (tag === TAG.item) return this.openContainer(size, start, length);
    if (tag !== TAG.sequenceDelimitation) return this.refuse('dicom.malformed', this.place());
    // A delimiter in a sequence whose length is known is superfluous; some writers add it all the same.
    if (!this.containers.hasDefinedLength) this.closeContainer();
    return size;
  }

  private stepElement(size: number, start: number): number {
    const { tag, vr, length } = this.header;
    const depth = this.containers.depth;
    if (tag === TAG.itemDelimitation && depth > 0) {
      if (!this.containers.hasDefinedLength) this.closeContainer();
      return size;
    }
    if (groupOf(tag) === 0xfffe) return this.refuse('dicom.malformed', this.place());
    if (depth === 0) {
      // Two values for one identity: programs would differ on which counts (PS3.5 section 7.1: at most once).
      if (this.values.has(tag) && !this.dispensable.has(tag))
        return this.refuse('dicom.malformed', formatTag(tag));
      this.pixels.note(tag);
      if (tag === TAG.dataSetTrailingPadding) this.watchFrom(this.position);
    }
    if (length === UNDEFINED_LENGTH) return this.openUndefinedLength(size, start);
    if (vr === VR_SQ && !isPrivate(tag)) return length === 0 ? size : this.openContainer(size, start, length);
    if (depth === 0 && this.wanted.has(tag)) return this.beginValue(size, length);
    this.beginSkip(length, isBulkData(tag));
    return size;
  }

  private openUndefinedLength(size: number, start: number): number {
    const { tag, vr } = this.header;
    if (mayBeEncapsulated(vr) || isPixelData(tag)) {
      this.mode = FRAGMENT;
      return size;
    }
    if (vr !== VR_SQ && vr !== VR_UN && vr !== VR_NONE) return this.refuse('dicom.malformed', formatTag(tag));
    if (vr === VR_UN) {
      this.unknownDepth = this.containers.depth;
      this.encoding = IMPLICIT_LITTLE_ENDIAN;
    }
    return this.openContainer(size, start, UNDEFINED_LENGTH);
  }

  private openContainer(size: number, start: number, length: number): number {
    if (this.containers.depth >= MAX_NESTING) return this.refuse('dicom.malformed', this.place());
    this.containers.open(length === UNDEFINED_LENGTH ? undefined : start + length);
    return size;
  }

  private closeContainer(): void {
    this.containers.close();
    if (this.containers.depth === this.unknownDepth) {
      this.unknownDepth = -1;
      this.encoding = this.outerEncoding;
    }
  }

  private beginValue(size: number, length: number): number {
    const { tag } = this.header;
    const isCut = length > MAX_DISPENSABLE_BYTES && this.dispensable.has(tag);
    const kept = isCut ? MAX_DISPENSABLE_BYTES : length;
    if (kept > MAX_VALUE_BYTES) return this.refuse('dicom.malformed', formatTag(tag));
    this.unkept = length - kept;
    if (length === 0) {
      this.values.set(tag, NO_BYTES);
      return size;
    }
    this.mode = VALUE;
    this.needed = kept;
    return size;
  }

  private beginSkip(length: number, bulk: boolean): void {
    this.skip = length;
    this.skipsBulk = bulk;
  }

  /** After an element: containers of defined length that are full are closed, from the innermost outwards. */
  protected settled(): void {
    const wasBulk = this.skipsBulk;
    this.skipsBulk = false;
    if (this.mode !== ELEMENT) return;
    if (wasBulk) this.endOfPixelData(this.position);
    const { containers } = this;
    while (containers.hasDefinedLength && this.position === containers.limit) this.closeContainer();
  }

  private endOfPixelData(position: number): void {
    if (this.pixels.begun && this.containers.depth === 0) this.watchFrom(position);
  }

  private watchFrom(position: number): void {
    if (this.trailing !== undefined) return;
    this.trailing = new TrailingBytes();
    this.trailingStart = position;
  }

  /** Where an element could begin: an archive does, or zeros that fill a block behind the pixels. */
  private isEndOfObject(bytes: Uint8Array, at: number): boolean {
    if (isZipLocalHeader(bytes, at)) return true;
    if (!this.pixels.begun) return false;
    for (let i = at; i < at + MIN_HEADER_BYTES; i++) if (bytes[i] !== 0) return false;
    return true;
  }

  private beginTrailer(failure: DicomFailure | undefined): number {
    this.watchFrom(this.position);
    this.trailerStart = this.position;
    this.trailerFailure = failure;
    this.mode = TRAILER;
    this.needed = 1;
    return 0;
  }

  /** Behind the pixels nothing is refused before the end has been seen: what follows may prove to be an archive. */
  private refuse(rule: DicomRule, where: string): number {
    if (this.trailing !== undefined) return this.beginTrailer({ rule, where });
    this.failure = { rule, where };
    return 0;
  }

  /** Counts, checks against the bound, and shows the bytes to the watch at the end. */
  protected passed(bytes: Uint8Array, start: number, end: number): void {
    if (this.trailing !== undefined && this.trailingStart < this.position) {
      // The piece that ended the pixels may have been passed after the watch began: it starts behind it.
      const fresh = Math.max(start, end - (this.position - this.trailingStart));
      const watched = bytes.subarray(fresh, end);
      this.trailing.push(watched);
      if (this.mode === TRAILER && this.trailerIsZero) this.trailerIsZero = isAllZero(watched);
    }
    if (this.skipsBulk || this.mode === TRAILER) return;
    this.headerBytes += end - start;
    if (this.headerBytes > this.maxHeaderBytes) {
      this.failure = { rule: 'dicom.header-too-large', where: formatTag(this.tag) };
    }
  }

  private place(position = this.position): string {
    return `byte ${this.offset + position}`;
  }
}
