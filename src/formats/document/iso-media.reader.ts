import { type DocumentRule, MAX_PARTS } from './rules.js';
import { type Parse, StreamParser } from './stream-parser.js';

/** Brands of HEIF files that hold HEVC (ISO/IEC 23008-12, annexes B and C). */
const HEVC_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs'];
/** Files whose main brand is one of these are pictures, and no films. */
const PICTURE_BRANDS = [...HEVC_BRANDS, 'mif1', 'mif2', 'msf1', 'avif', 'avis', 'miaf'];
const MAX_FTYP_BYTES = 4096;
const TYPE = /^[\x20-\x7e\xa9]{4}$/;

/**
 * An ISO base media file box by box (ISO/IEC 14496-12, section 4.2): the file type first, whole boxes, among them the
 * data and what they are found by. Bytes behind them that are no box are left alone, as players do.
 */
abstract class IsoMediaReader extends StreamParser {
  /** @param indexes types of the box that describes the content */
  constructor(private readonly indexes: readonly string[]) {
    super();
  }

  /** @param brands the main one, then those it is compatible with */
  protected abstract takes(brands: readonly string[]): boolean;

  protected *parse(): Parse<DocumentRule | undefined> {
    const brands = yield* this.brands();
    if (!brands || !this.takes(brands)) return 'type.mismatch';
    let [hasIndex, hasData] = [false, false];
    for (let boxes = 0; boxes < MAX_PARTS; boxes++) {
      const head = yield* this.take(8);
      const type = head.toString('latin1', 4);
      const size = yield* this.boxSize(head);
      if (size === undefined || !TYPE.test(type)) return hasIndex && hasData ? undefined : 'type.mismatch';
      if (!(yield* this.skip(size)) && size < Infinity) return 'type.mismatch';
      hasIndex ||= this.indexes.includes(type);
      hasData ||= type === 'mdat';
    }
    return 'document.too-complex';
  }

  private *brands(): Parse<string[] | undefined> {
    const head = yield* this.take(8);
    if (head.length < 8 || head.toString('latin1', 4) !== 'ftyp') return undefined;
    const bytes = head.readUInt32BE() - head.length;
    if (bytes < 8 || bytes > MAX_FTYP_BYTES || bytes % 4 !== 0) return undefined;
    const box = yield* this.take(bytes);
    // A version of four bytes comes between the main brand and the others.
    return box.length < bytes
      ? undefined
      : box
          .toString('latin1')
          .match(/[^]{4}/g)!
          .filter((_, at) => at !== 1);
  }

  /** Bytes behind the header, Infinity when the box goes on to the end of the file; undefined when it is no box. */
  private *boxSize(head: Buffer): Parse<number | undefined> {
    if (head.length < 8) return undefined;
    const size = head.readUInt32BE();
    if (size === 0) return Infinity;
    if (size !== 1) return size < 8 ? undefined : size - 8;
    const large = yield* this.take(8);
    const bytes = large.length < 8 ? 0 : Number(large.readBigUInt64BE());
    return bytes < 16 ? undefined : bytes - 16;
  }
}

/** A film: MP4 (ISO/IEC 14496-14), or QuickTime of the same structure. */
export class FilmReader extends IsoMediaReader {
  constructor() {
    super(['moov']);
  }

  protected takes([main]: readonly string[]): boolean {
    return !PICTURE_BRANDS.includes(main!);
  }
}

/** A HEIF picture, or a sequence of them, with HEVC in it (HEIC). */
export class HeicReader extends IsoMediaReader {
  constructor() {
    super(['meta', 'moov']);
  }

  protected takes(brands: readonly string[]): boolean {
    return brands.some((brand) => HEVC_BRANDS.includes(brand));
  }
}
