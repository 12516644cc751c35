/** A growing run of bytes in one byte order. Its lengths can be filled in once what they measure has been written. */
export class ByteWriter {
  private buffer = Buffer.allocUnsafe(4096);
  length = 0;

  constructor(private readonly littleEndian: boolean) {}

  u16(value: number): void {
    this.setU16(this.claim(2), value);
  }

  setU16(at: number, value: number): void {
    if (this.littleEndian) this.buffer.writeUInt16LE(value & 0xffff, at);
    else this.buffer.writeUInt16BE(value & 0xffff, at);
  }

  u32(value: number): void {
    this.setU32(this.claim(4), value);
  }

  setU32(at: number, value: number): void {
    if (this.littleEndian) this.buffer.writeUInt32LE(value >>> 0, at);
    else this.buffer.writeUInt32BE(value >>> 0, at);
  }

  f32(value: number): void {
    const at = this.claim(4);
    if (this.littleEndian) this.buffer.writeFloatLE(value, at);
    else this.buffer.writeFloatBE(value, at);
  }

  f64(value: number): void {
    const at = this.claim(8);
    if (this.littleEndian) this.buffer.writeDoubleLE(value, at);
    else this.buffer.writeDoubleBE(value, at);
  }

  bytes(value: Uint8Array): void {
    const at = this.claim(value.length);
    this.buffer.set(value, at);
  }

  tag(tag: number): void {
    this.u16(tag >>> 16);
    this.u16(tag & 0xffff);
  }

  /** The bytes written so far; valid until the next write. */
  written(): Uint8Array {
    return new Uint8Array(this.buffer.buffer, this.buffer.byteOffset, this.length);
  }

  private claim(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.length, 2 * this.buffer.length));
      grown.set(this.buffer.subarray(0, at));
      this.buffer = grown;
    }
    return at;
  }
}
