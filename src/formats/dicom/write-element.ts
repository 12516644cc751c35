import type { ByteWriter } from './byte-writer.js';
import { DICTIONARY, type Keyword } from './dictionary.js';
import { UNDEFINED_LENGTH } from './element-header.js';
import { TAG, type Tag } from './tag.js';
import type { Encoding } from './transfer-syntax.js';
import { explicitHeaderSize, vrCode } from './vr.js';

type Items = { readonly items: readonly (readonly DicomElement[])[] };
type Fragments = { readonly fragments: readonly Uint8Array[] };
type PlainValue = Uint8Array | string | number | readonly (string | number)[];

/** Bytes go out as they are; text as UTF-8, values joined by backslashes; numbers by the VR. */
export type ElementValue =
  | PlainValue
  /** A sequence: its items, each a list of elements. */
  | Items
  /** Encapsulated pixel data: its fragments; an empty Basic Offset Table is put before them. */
  | Fragments;

export interface DicomElement {
  readonly tag: Tag | Keyword;
  /** Needed where the tag is a number; otherwise it overrules the dictionary. */
  readonly vr?: string;
  readonly value?: ElementValue;
  /** For sequences: end sequence and items by delimiters instead of lengths. */
  readonly undefinedLength?: boolean;
}

/** Elements from an object with keywords as names. Names without a value (undefined) are left out. */
export function elementsFrom(values: Readonly<Partial<Record<Keyword, ElementValue>>>): DicomElement[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([keyword, value]) => ({ tag: keyword as Keyword, value }));
}

export function tagOfElement({ tag }: DicomElement): Tag {
  return typeof tag === 'number' ? tag : DICTIONARY[tag][0];
}

function vrOfElement({ tag, vr, value }: DicomElement): string {
  if (vr !== undefined) return vr;
  if (isFragments(value)) return 'OB';
  if (typeof tag === 'string') return DICTIONARY[tag][1];
  if (isItems(value)) return 'SQ';
  throw new TypeError(`element ${tag.toString(16)} needs a VR`);
}

/** Writes one element (PS3.5 section 7.1). @throws TypeError for a tag without VR or a value that its VR cannot hold. */
export function writeElement(out: ByteWriter, element: DicomElement, encoding: Encoding): void {
  const { value } = element;
  const vr = vrOfElement(element);
  out.tag(tagOfElement(element));
  const lengthAt = writeVrAndLength(out, vr, encoding.explicitVr);
  const start = out.length;
  const delimited = isFragments(value) || (isItems(value) && element.undefinedLength === true);
  if (isItems(value)) writeItems(out, value.items, encoding, delimited);
  else if (isFragments(value)) writeFragments(out, value.fragments);
  else if (value !== undefined) writeValue(out, vr, value);
  if (delimited) writeDelimiter(out, TAG.sequenceDelimitation);
  lengthAt(delimited ? UNDEFINED_LENGTH : out.length - start);
}

/** Writes VR and a length of zero; returns what sets the true length. */
function writeVrAndLength(out: ByteWriter, vr: string, explicitVr: boolean): (length: number) => void {
  if (explicitVr) out.bytes(Buffer.from(vr, 'latin1'));
  if (explicitVr && explicitHeaderSize(vrCode(vr), 0) === 8) {
    out.u16(0);
    const at = out.length - 2;
    return (length) => {
      if (length > 0xffff) throw new TypeError(`a value of ${vr} cannot have ${length} bytes`);
      out.setU16(at, length);
    };
  }
  if (explicitVr) out.u16(0);
  out.u32(0);
  const at = out.length - 4;
  return (length) => out.setU32(at, length);
}

function writeItems(
  out: ByteWriter,
  items: readonly (readonly DicomElement[])[],
  encoding: Encoding,
  delimited: boolean,
): void {
  for (const item of items) {
    out.tag(TAG.item);
    out.u32(UNDEFINED_LENGTH);
    const start = out.length;
    for (const element of item) writeElement(out, element, encoding);
    if (delimited) writeDelimiter(out, TAG.itemDelimitation);
    else out.setU32(start - 4, out.length - start);
  }
}

function writeFragments(out: ByteWriter, fragments: readonly Uint8Array[]): void {
  for (const fragment of [new Uint8Array(0), ...fragments]) {
    out.tag(TAG.item);
    out.u32(fragment.length + (fragment.length & 1));
    out.bytes(fragment);
    if (fragment.length & 1) out.bytes(Uint8Array.of(0));
  }
}

function writeDelimiter(out: ByteWriter, tag: Tag): void {
  out.tag(tag);
  out.u32(0);
}

function writeValue(out: ByteWriter, vr: string, value: PlainValue) {
  const start = out.length;
  const list = typeof value === 'string' || typeof value === 'number' ? [value] : value;
  if (list instanceof Uint8Array) out.bytes(list);
  else if (!writeNumbers(out, vr, list)) out.bytes(Buffer.from(list.join('\\'), 'utf8'));
  // Values have an even length: text is filled up with a space, UIDs and bytes with NUL (PS3.5 section 6.2).
  if ((out.length - start) & 1)
    out.bytes(Uint8Array.of(vr === 'UI' || vr.startsWith('O') || vr === 'UN' ? 0 : 0x20));
}

function writeNumbers(out: ByteWriter, vr: string, values: readonly (string | number)[]): boolean {
  const write = {
    US: (n: number) => out.u16(n),
    SS: (n: number) => out.u16(n),
    UL: (n: number) => out.u32(n),
    SL: (n: number) => out.u32(n),
    FL: (n: number) => out.f32(n),
    FD: (n: number) => out.f64(n),
    AT: (n: number) => out.tag(n),
  }[vr];
  if (write === undefined) return false;
  for (const value of values) {
    if (typeof value !== 'number') throw new TypeError(`a value of ${vr} must be a number`);
    write(value);
  }
  return true;
}

function isItems(value: ElementValue | undefined): value is Items {
  return typeof value === 'object' && 'items' in value;
}

function isFragments(value: ElementValue | undefined): value is Fragments {
  return typeof value === 'object' && 'fragments' in value;
}
