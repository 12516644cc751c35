import { type DocumentRule, MAX_PARTS } from './rules.js';
import { isForeign, SIGNATURE_LENGTH } from './signatures.js';
import { type Parse, StreamParser } from './stream-parser.js';

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
/** NUL and blanks: browsers and unpackers look behind them. */
const PADDING = [0, 0x09, 0x0a, 0x0c, 0x0d, 0x20];
/** Precision, lines, samples per line, number of components (ITU-T T.81, B.2.2). */
const FRAME_BYTES = 6;
const COMPONENT_BYTES = 3;
const MAX_FRAME_BYTES = FRAME_BYTES + 255 * COMPONENT_BYTES;

/**
 * A JPEG marker by marker (ITU-T T.81, annex B), from SOI to EOI: whole segments, a frame of a size, a scan. Telephones
 * write more behind EOI: further pictures, a film, records of their own. It may be anything that nothing else opens.
 */
export class JpegReader extends StreamParser {
  protected *parse(): Parse<DocumentRule | undefined> {
    if ((yield* this.take(2)).toString('hex') !== 'ffd8') return 'type.mismatch';
    let [framed, scanned, segments] = [false, false, 0];
    let marker = yield* this.marker();
    while (marker !== EOI) {
      if (++segments > MAX_PARTS) return 'document.too-complex';
      if (!hasSegment(marker)) return 'type.mismatch';
      const length = yield* this.take(2);
      const bytes = length.length === 2 ? length.readUInt16BE() - 2 : -1;
      if (bytes < 0) return 'type.mismatch';
      if (isFrame(marker)) {
        framed = bytes <= MAX_FRAME_BYTES && isFrameHeader(yield* this.take(bytes), bytes);
        if (!framed) return 'type.mismatch';
      } else if (!(yield* this.skip(bytes))) return 'type.mismatch';
      if (marker === SOS) scanned = framed;
      marker = yield* this.marker(marker === SOS);
    }
    if (!scanned) return 'type.mismatch';
    yield* this.scan((bytes) => bytes.findIndex((byte) => !PADDING.includes(byte)));
    const trailer = yield* this.take(SIGNATURE_LENGTH);
    return isForeign(trailer.toString('latin1')) ? 'document.polyglot' : undefined;
  }

  /**
   * The marker that comes next, or 0 where there is none. Within entropy-coded data a zero is stuffed behind FF, and
   * restart markers are part of it (B.1.1.5).
   */
  private *marker(inScan = false): Parse<number> {
    let found = 0;
    let isPrefixed = false;
    yield* this.scan((bytes) => {
      let prefixed = isPrefixed;
      for (let at = 0; at < bytes.length; at++) {
        if (inScan && !prefixed && bytes[at] !== 0xff) {
          at = bytes.indexOf(0xff, at); // most of a file is this
          if (at < 0) break;
        }
        const byte = bytes[at]!;
        if (byte === 0xff) prefixed = true;
        else if (!inScan || (byte !== 0 && !isRestart(byte))) {
          if (prefixed) found = byte;
          return at + 1;
        } else prefixed = false;
      }
      isPrefixed = prefixed;
      return -1;
    });
    return found;
  }
}

const isRestart = (marker: number): boolean => marker >= 0xd0 && marker <= 0xd7;
/** All but TEM, those reserved without one, RST, SOI and EOI. */
const hasSegment = (marker: number): boolean => marker >= 0xc0 && !isRestart(marker) && marker !== SOI;
/** SOF0 to SOF15; DHT, JPG and DAC are among their numbers. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

function isFrameHeader(header: Buffer, bytes: number): boolean {
  if (bytes < FRAME_BYTES || header.length < bytes) return false;
  const [lines, samples, components] = [header.readUInt16BE(1), header.readUInt16BE(3), header[5]!];
  if (lines === 0 || samples === 0 || components === 0) return false;
  return bytes === FRAME_BYTES + COMPONENT_BYTES * components;
}
