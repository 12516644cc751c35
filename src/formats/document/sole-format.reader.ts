import { TrailingBytes } from '../zip/trailing-bytes.js';
import type { DocumentFailure, DocumentReader } from './rules.js';

/** Readers of PDF look for its header in so many bytes (ISO 32000-1, Annex H, note 13). */
const PDF_HEAD_BYTES = 1024;

/** What a format may have in it that looks like a part of another one. */
export interface Embedding {
  /** Whether the bytes between a ZIP directory and the end of the file say that the archive is a part of the document. */
  readonly archive?: (behind: Uint8Array) => boolean;
  readonly isPdf?: boolean;
}

/**
 * Reads one format, and refuses what is also another: an archive, which is read from the end of a file, or a PDF, which
 * is looked for near its start. Where the format is not there at all, that is said instead.
 */
export class SoleFormatReader implements DocumentReader {
  private head = Buffer.alloc(0);
  private readonly bytes = new TrailingBytes();

  constructor(
    private readonly reader: DocumentReader,
    private readonly embedding: Embedding = {},
  ) {}

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.head.length < PDF_HEAD_BYTES)
      this.head = Buffer.concat([this.head, bytes.subarray(0, PDF_HEAD_BYTES - this.head.length)]);
    this.bytes.push(bytes);
    return this.reader.write(bytes);
  }

  async end(): Promise<DocumentFailure | undefined> {
    const failure = await this.reader.end();
    if (failure?.where === 'byte 0') return failure;
    const isPdf = !this.embedding.isPdf && this.head.includes('%PDF-');
    return isPdf || this.isArchive() ? { rule: 'document.polyglot' } : failure;
  }

  private isArchive(): boolean {
    const { archive = () => false } = this.embedding;
    for (const { end } of this.bytes.zipEndRecords()) if (!archive(this.bytes.from(end)!)) return true;
    return false;
  }
}
