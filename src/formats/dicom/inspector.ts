import { BoundedInflate } from './bounded-inflate.js';
import { DataSetWalker } from './data-set-walker.js';
import { type FileMeta, readFileMeta } from './file-meta.js';
import { DISPENSABLE_TAGS, type DicomHeader, HEADER_TAGS, readHeader } from './header.js';
import { judgeIdentifiers, judgeSopMatch, judgeUids } from './identity.js';
import { DICOM_RULES, type DicomFailure, type DicomRule } from './rules.js';
import { encodingOf, isDeflated } from './transfer-syntax.js';

export type { DicomHeader } from './header.js';
export type { DicomRule } from './rules.js';

/** 64 MiB: far above any real header, low enough that reading a hostile one ends soon. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024;

export type DicomVerdict =
  | { readonly ok: true; readonly header: DicomHeader }
  | {
      readonly ok: false;
      readonly rule: DicomRule;
      /** Safe to show: it names attributes, never their values. */
      readonly message: string;
      /** `(0020,000D)` or `byte 1234`. */
      readonly where?: string;
    };

export interface DicomInspectorOptions {
  /** Bound, in bytes, on all that is not pixels or other bulk, and on a deflated data set; 64 MiB by default. */
  readonly maxHeaderBytes?: number;
  /**
   * What to do when the File Meta Information names another instance than the data set: refuse by default, as the
   * standard would have it. Tools that anonymize or renumber often forget the former, and the data set is what counts.
   */
  readonly sopMismatch?: 'refuse' | 'accept';
}

/**
 * Verifies one DICOM object (PS3.10) in one pass over its bytes and takes from it what the index needs. Chunks may be
 * of any size and reused after `write` returns; pixels are walked, never kept. It never throws.
 */
export class DicomInspector {
  private readonly maxHeaderBytes: number;
  private readonly acceptSopMismatch: boolean;
  private head = new Uint8Array(0);
  private headLength = 0;
  /** Length at which the head is tried again: each try has twice the bytes, so that tiny chunks cost no more. */
  private tryAt = 1;
  private meta: FileMeta | undefined;
  private walker: DataSetWalker | undefined;
  private inflate: BoundedInflate | undefined;
  private failure: DicomFailure | undefined;

  constructor(options: DicomInspectorOptions = {}) {
    this.maxHeaderBytes = options.maxHeaderBytes ?? MAX_HEADER_BYTES;
    this.acceptSopMismatch = options.sopMismatch === 'accept';
  }

  write(chunk: Uint8Array): void {
    if (this.failure !== undefined || chunk.length === 0) return;
    if (this.inflate !== undefined) this.inflate.write(chunk);
    else if (this.walker !== undefined) this.walker.push(chunk);
    else this.writeHead(chunk);
  }

  /** Set while the reader cannot take more (deflated objects): wait for it before the next `write`. */
  get drained(): Promise<unknown> | undefined {
    return this.inflate?.drained;
  }

  /** The verdict on the whole object. Call once, after the last chunk. */
  async end(): Promise<DicomVerdict> {
    if (this.meta === undefined && this.failure === undefined) {
      if (this.headLength === 0) this.failure = { rule: 'empty' };
      else this.readHead(this.head.subarray(0, this.headLength), true);
    }
    const { meta, walker } = this;
    if (meta === undefined || walker === undefined) return refusal(this.failure!);
    const inflateFailure = await this.inflate?.end(meta.dataSetOffset);
    const failure = walker.failure ?? inflateFailure ?? walker.end();
    if (failure !== undefined) return refusal(failure);
    const { littleEndian } = encodingOf(meta.transferSyntaxUid);
    const header = readHeader(walker.values, meta.transferSyntaxUid, littleEndian);
    const objection =
      judgeUids(header) ??
      judgeIdentifiers(header) ??
      (this.acceptSopMismatch ? undefined : judgeSopMatch(header, meta));
    return objection === undefined ? { ok: true, header } : refusal(objection);
  }

  private writeHead(chunk: Uint8Array): void {
    if (this.headLength === 0 && this.readHead(chunk, false)) return;
    this.keepHead(chunk);
    if (this.headLength < this.tryAt) return;
    this.tryAt = this.headLength * 2;
    this.readHead(this.head.subarray(0, this.headLength), false);
  }

  /** Tries to read the head; returns whether that settled the matter, one way or the other. */
  private readHead(head: Uint8Array, complete: boolean): boolean {
    const result = readFileMeta(head, complete);
    if (result.kind === 'more') return false;
    this.head = new Uint8Array(0);
    if (result.kind === 'failure') this.failure = result.failure;
    else this.beginDataSet(result.meta, head.subarray(result.meta.dataSetOffset));
    return true;
  }

  private beginDataSet(meta: FileMeta, first: Uint8Array): void {
    this.meta = meta;
    const walker = new DataSetWalker({
      encoding: encodingOf(meta.transferSyntaxUid),
      maxHeaderBytes: this.maxHeaderBytes,
      wanted: HEADER_TAGS,
      dispensable: DISPENSABLE_TAGS,
      offset: meta.dataSetOffset,
    });
    this.walker = walker;
    if (isDeflated(meta.transferSyntaxUid)) {
      this.inflate = new BoundedInflate(this.maxHeaderBytes, (bytes) => {
        walker.push(bytes);
        return walker.failure === undefined;
      });
    }
    this.write(first);
  }

  private keepHead(chunk: Uint8Array): void {
    const length = this.headLength + chunk.length;
    if (length > this.head.length) {
      const grown = new Uint8Array(Math.max(length, this.head.length * 2));
      grown.set(this.head.subarray(0, this.headLength));
      this.head = grown;
    }
    this.head.set(chunk, this.headLength);
    this.headLength = length;
  }
}

function refusal({ rule, where }: DicomFailure): DicomVerdict {
  return { ok: false, rule, message: DICOM_RULES[rule], ...(where !== undefined && { where }) };
}
