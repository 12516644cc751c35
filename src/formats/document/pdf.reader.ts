import type { DocumentFailure, DocumentReader } from './rules.js';

const HEADER = Buffer.from('%PDF-');
/** Readers look for the end-of-file marker in the last 1024 bytes (ISO 32000-1, Annex H, note 18). */
const TAIL = 1024;

/** A PDF as far as its two ends tell: that it is one, and that it is not cut short. Its inside is its reader's affair. */
export class PdfReader implements DocumentReader {
  private head = Buffer.alloc(0);
  private tail = Buffer.alloc(0);

  write(bytes: Uint8Array): void {
    if (this.head.length < HEADER.length)
      this.head = Buffer.concat([this.head, bytes.subarray(0, HEADER.length - this.head.length)]);
    this.tail = Buffer.concat([this.tail, bytes.subarray(-TAIL)]).subarray(-TAIL);
  }

  end(): DocumentFailure | undefined {
    if (!this.head.equals(HEADER)) return { rule: 'type.mismatch', where: 'byte 0' };
    return this.tail.includes('%%EOF') ? undefined : { rule: 'type.mismatch' };
  }
}
