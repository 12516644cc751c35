import { CompoundFile } from './compound-file.js';
import type { DocumentRule } from './rules.js';
import { type Parse, StreamParser } from './stream-parser.js';

const COMPOUND_FILE = 'd0cf11e0a1b11ae1';
const RTF = Buffer.from('{\\rtf1');
const CLOSE_BRACE = 0x7d;
/** A divisor of every sector's size. */
const PART_BYTES = 512;

/**
 * A document of Word: the binary format ([MS-DOC]), or RTF, which many programs send under the same media type. Word
 * since 2007 writes ZIP archives, which have a media type of their own.
 */
export class WordReader extends StreamParser {
  protected *parse(): Parse<DocumentRule | undefined> {
    const start = yield* this.take(8);
    const isWhole = start.subarray(0, RTF.length).equals(RTF)
      ? yield* this.richText(start)
      : start.toString('hex') === COMPOUND_FILE && (yield* this.compoundFile(start));
    return isWhole ? undefined : 'type.mismatch';
  }

  /** Ends with the brace that closes the first one; some programs write line ends or a NUL behind it. */
  private *richText(start: Buffer): Parse<boolean> {
    let last = start[start.length - 1]!;
    yield* this.scan((bytes) => {
      for (let at = bytes.length - 1; at >= 0; at--) {
        if (bytes[at]! <= 0x20) continue;
        last = bytes[at]!;
        break;
      }
      return -1;
    });
    return last === CLOSE_BRACE;
  }

  private *compoundFile(start: Buffer): Parse<boolean> {
    const rest = yield* this.take(CompoundFile.HEADER_BYTES - start.length);
    const file = CompoundFile.of(Buffer.concat([start, rest]), 'WordDocument');
    if (!file || !(yield* this.skip(file.sectorBytes - CompoundFile.HEADER_BYTES))) return false;
    for (;;) {
      const at = this.position;
      const part = yield* this.take(PART_BYTES);
      file.read(part, at);
      if (part.length < PART_BYTES) return file.isWhole(this.position);
    }
  }
}
