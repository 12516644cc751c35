import { crc32 } from 'node:zlib';
import { type DocumentFailure, type DocumentReader, MAX_PARTS } from './rules.js';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const IHDR_BYTES = 13;
const MAX_CHUNK = 2 ** 31 - 1;
const TYPE = /^[A-Za-z]{4}$/;

type Part = 'signature' | 'head' | 'data' | 'checksum' | 'end';

/** A PNG chunk by chunk (ISO/IEC 15948, section 5): IHDR first, image data, IEND last, every checksum right. */
export class PngReader implements DocumentReader {
  private part: Part = 'signature';
  /** Bytes of a part of fixed size that are there already. */
  private held = Buffer.alloc(0);
  private type = '';
  private left = 0;
  private checksum = 0;
  private chunks = 0;
  private hasImage = false;
  private offset = 0;
  private failure: DocumentFailure | undefined;

  write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && !this.failure;) {
      if (this.part === 'end') return this.fail(this.offset);
      const taken = this.part === 'data' ? this.takeData(rest) : this.takeFixed(rest);
      this.offset += taken;
      rest = rest.subarray(taken);
    }
  }

  end(): DocumentFailure | undefined {
    if (this.part !== 'end') this.fail(this.offset);
    return this.failure;
  }

  private takeData(bytes: Uint8Array): number {
    const data = bytes.subarray(0, this.left);
    this.checksum = crc32(data, this.checksum);
    this.left -= data.length;
    if (this.left === 0) this.part = 'checksum';
    return data.length;
  }

  private takeFixed(bytes: Uint8Array): number {
    const size = this.part === 'checksum' ? 4 : 8;
    const taken = Math.min(size - this.held.length, bytes.length);
    this.held = Buffer.concat([this.held, bytes.subarray(0, taken)]);
    if (this.held.length < size) return taken;
    const whole = this.held;
    this.held = Buffer.alloc(0);
    if (!this.read(whole)) this.fail(this.offset + taken - size);
    return taken;
  }

  /** False when the part is not what it has to be. */
  private read(whole: Buffer): boolean {
    switch (this.part) {
      case 'signature':
        this.part = 'head';
        return whole.equals(SIGNATURE);
      case 'head':
        return this.beginChunk(whole);
      default:
        this.part = this.type === 'IEND' ? 'end' : 'head';
        return whole.readUInt32BE() === this.checksum;
    }
  }

  private beginChunk(head: Buffer): boolean {
    this.left = head.readUInt32BE();
    this.type = head.toString('latin1', 4);
    this.checksum = crc32(head.subarray(4));
    this.part = this.left === 0 ? 'checksum' : 'data';
    const first = this.chunks++ === 0;
    if (this.chunks > MAX_PARTS) this.failure = { rule: 'document.too-complex' };
    if (first !== (this.type === 'IHDR') || (first && this.left !== IHDR_BYTES)) return false;
    if (this.type === 'IDAT') this.hasImage = true;
    if (this.type === 'IEND') return this.hasImage && this.left === 0;
    return this.left <= MAX_CHUNK && TYPE.test(this.type);
  }

  private fail(offset: number): void {
    this.failure ??= { rule: 'type.mismatch', where: `byte ${offset}` };
  }
}
