import type { DocumentFailure, DocumentReader } from './rules.js';
import { isNoText, SIGNATURE_LENGTH } from './signatures.js';

const MARK_BYTES = 3;
/** C0 controls but tab, line feed, form feed and carriage return. */
const CONTROLS = /[\0-\x08\x0b\x0e-\x1f]/;

/**
 * Text as programs save it, CSV among it: UTF-8, UTF-16 behind its byte order mark, or any encoding of 8 bits that has
 * ASCII in it, such as the windows-1252 of a spreadsheet. What begins like a file of another format is none.
 */
export class PlainTextReader implements DocumentReader {
  private start = Buffer.alloc(0);
  /** Of UTF-16; undefined for encodings of 8 bits, which are looked at byte by byte. */
  private decoder: InstanceType<typeof TextDecoder> | undefined;
  private begun = false;
  /** The first characters but blanks. */
  private first = '';
  private hasControls = false;
  private isMalformed = false;

  write(bytes: Uint8Array): void {
    if (this.begun) return this.read(bytes);
    this.start = Buffer.concat([this.start, bytes]);
    if (this.start.length >= MARK_BYTES) this.begin();
  }

  end(): DocumentFailure | undefined {
    if (!this.begun) this.begin();
    this.read();
    if (!this.isMalformed && isNoText(this.first)) return { rule: 'type.mismatch', where: 'byte 0' };
    return this.isMalformed || this.hasControls ? { rule: 'text.encoding' } : undefined;
  }

  private begin(): void {
    this.begun = true;
    const mark = this.start.toString('hex', 0, MARK_BYTES);
    if (mark.startsWith('fffe')) this.decoder = new TextDecoder('utf-16le', { fatal: true });
    if (mark.startsWith('feff')) this.decoder = new TextDecoder('utf-16be', { fatal: true });
    this.read(mark === 'efbbbf' ? this.start.subarray(MARK_BYTES) : this.start);
  }

  /** Without bytes, the end. */
  private read(bytes?: Uint8Array): void {
    const text = this.decode(bytes);
    if (this.first.length < SIGNATURE_LENGTH)
      this.first += (this.first === '' ? text.trimStart() : text).slice(0, SIGNATURE_LENGTH);
    this.hasControls ||= CONTROLS.test(text);
  }

  private decode(bytes?: Uint8Array): string {
    if (!this.decoder)
      return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') : '';
    if (this.isMalformed) return '';
    try {
      return this.decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      this.isMalformed = true;
      return '';
    }
  }
}
