import { type DocumentRule, MAX_PARTS } from './rules.js';
import { type Parse, StreamParser } from './stream-parser.js';

/** Sizes in bytes: TIFF 6.0 section 2, and the layout of BigTIFF that LibTIFF documents. */
const CLASSIC = { header: 8, count: 2, entry: 12, value: 4 };
const BIG = { header: 16, count: 8, entry: 20, value: 8 };
type Layout = typeof CLASSIC;

/** A field of an image file directory. */
interface Field {
  readonly type: number;
  readonly count: number;
  /** The value itself where it fits, and otherwise where it lies. */
  readonly value: number;
}

const IMAGE_WIDTH = 256;
const IMAGE_LENGTH = 257;
/** Where strips and tiles lie, and behind each how long they are. */
const PIXELS = [
  [273, 279],
  [324, 325],
] as const;
const LISTED = [IMAGE_WIDTH, IMAGE_LENGTH, ...PIXELS.flat()];
/** Bytes of a value: SHORT, LONG, LONG8, which those fields have. */
const SIZES: Readonly<Record<number, number>> = { 3: 2, 4: 4, 16: 8 };

/** A TIFF or BigTIFF up to its first directory, which must lie within the file with the image it describes. */
export class TiffReader extends StreamParser {
  private little = true;

  protected *parse(): Parse<DocumentRule | undefined> {
    const head = yield* this.take(CLASSIC.header);
    const order = head.toString('latin1', 0, 2);
    if (head.length < CLASSIC.header || (order !== 'II' && order !== 'MM')) return 'type.mismatch';
    this.little = order === 'II';
    const magic = this.unsigned(head, 2, 2);
    if (magic !== 42 && magic !== 43) return 'type.mismatch';
    const layout = magic === 43 ? BIG : CLASSIC;
    const directory = magic === 43 ? yield* this.bigOffset(head) : this.unsigned(head, 4, 4);
    if (directory < layout.header || !(yield* this.skip(directory - layout.header))) return 'type.mismatch';
    const number = yield* this.take(layout.count);
    const count = number.length === layout.count ? this.unsigned(number, 0, layout.count) : 0;
    if (count > MAX_PARTS) return 'document.too-complex';
    const fields = yield* this.fields(count, layout);
    if (!fields) return 'type.mismatch';
    yield* this.skip(Infinity);
    return isWithin(this.position, fields, layout) ? undefined : 'type.mismatch';
  }

  /** The rest of a BigTIFF header: the size of offsets, 0, and that of the first directory; 0 where it is none. */
  private *bigOffset(head: Buffer): Parse<number> {
    const isEight = this.unsigned(head, 4, 2) === 8 && this.unsigned(head, 6, 2) === 0;
    const offset = yield* this.take(8);
    return isEight && offset.length === 8 ? this.unsigned(offset, 0, 8) : 0;
  }

  /** Those that matter here; undefined when the directory is cut short. */
  private *fields(count: number, layout: Layout): Parse<Map<number, Field> | undefined> {
    const found = new Map<number, Field>();
    for (let read = 0; read < count; read++) {
      const entry = yield* this.take(layout.entry);
      if (entry.length < layout.entry) return undefined;
      const tag = this.unsigned(entry, 0, 2);
      if (!LISTED.includes(tag)) continue;
      const type = this.unsigned(entry, 2, 2);
      const values = this.unsigned(entry, 4, layout.value);
      // A smaller value lies at the start of its place, whatever the order.
      const inline = values === 1 ? Math.min(SIZES[type] ?? layout.value, layout.value) : layout.value;
      found.set(tag, { type, count: values, value: this.unsigned(entry, 4 + layout.value, inline) });
    }
    const next = yield* this.take(layout.value);
    return next.length === layout.value ? found : undefined;
  }

  private unsigned(bytes: Buffer, at: number, size: number): number {
    if (size === 8) return Number(this.little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
    return this.little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  }
}

/** Whether a file of `size` bytes can hold the image: a size that is not zero, and every part that one field can name. */
function isWithin(size: number, fields: ReadonlyMap<number, Field>, layout: Layout): boolean {
  if (![IMAGE_WIDTH, IMAGE_LENGTH].every((tag) => fields.get(tag)?.count === 1 && fields.get(tag)!.value > 0))
    return false;
  return PIXELS.every(([offsets, lengths]) => {
    const [offset, length] = [fields.get(offsets), fields.get(lengths)];
    if (offset?.count === 1) return offset.value + (length?.count === 1 ? length.value : 0) <= size;
    return [offset, length].every((field) => {
      const bytes = field ? field.count * (SIZES[field.type] ?? 0) : 0;
      return bytes <= layout.value || field!.value + bytes <= size;
    });
  });
}
