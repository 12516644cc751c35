import { deflateRawSync } from 'node:zlib';

import { ByteWriter } from './byte-writer.js';
import { PREAMBLE_BYTES } from './preamble.js';
import { TAG } from './tag.js';
import { encodingOf, EXPLICIT_LITTLE_ENDIAN, isDeflated, TRANSFER_SYNTAX } from './transfer-syntax.js';
import {
  type DicomElement,
  type ElementValue,
  elementsFrom,
  tagOfElement,
  writeElement,
} from './write-element.js';

export { type DicomElement, type ElementValue, elementsFrom } from './write-element.js';

/** Names this program as the writer, in the File Meta Information. The UID is derived from a UUID (PS3.5 annex B.2). */
const IMPLEMENTATION_CLASS_UID = '2.25.199785139579609220243601815694706573845';
const IMPLEMENTATION_VERSION_NAME = 'SCANDOCK';

export interface WriteDicomOptions {
  /** Explicit little endian by default. The data set is encoded, and if need be deflated, accordingly. */
  readonly transferSyntaxUid?: string;
  /** 128 bytes; zeros by default; null for neither preamble nor `DICM`. */
  readonly preamble?: Uint8Array | null;
  /** Replaces elements of the File Meta Information by tag, or adds them; one without a value is left out. */
  readonly fileMeta?: readonly DicomElement[];
  /** Whether the File Meta Information begins with its length, as the standard demands; true by default. */
  readonly fileMetaGroupLength?: boolean;
  /** The data set, sorted by tag on the way out unless `order` says otherwise. Text is UTF-8: say ISO_IR 192. */
  readonly elements: readonly DicomElement[];
  readonly order?: 'tag' | 'given';
}

/**
 * Writes a DICOM file (PS3.10 section 7): preamble, File Meta Information taken from the data set, data set.
 * @throws TypeError for an element that cannot be encoded.
 */
export function writeDicom(options: WriteDicomOptions): Uint8Array {
  const transferSyntaxUid = options.transferSyntaxUid ?? TRANSFER_SYNTAX.explicitLittleEndian;
  const { elements } = options;
  const parts: Uint8Array[] = [];
  if (options.preamble !== null) {
    parts.push(options.preamble ?? new Uint8Array(PREAMBLE_BYTES), Buffer.from('DICM', 'latin1'));
  }
  parts.push(fileMetaBytes(options, transferSyntaxUid));

  const encoding = encodingOf(transferSyntaxUid);
  const out = new ByteWriter(encoding.littleEndian);
  for (const element of options.order === 'given' ? elements : sortByTag(elements)) {
    writeElement(out, element, encoding);
  }
  parts.push(isDeflated(transferSyntaxUid) ? deflated(out.written()) : out.written());
  return Buffer.concat(parts);
}

function fileMetaBytes(options: WriteDicomOptions, transferSyntaxUid: string): Uint8Array {
  const valueOf = (tag: number): ElementValue =>
    options.elements.find((element) => tagOfElement(element) === tag)?.value ?? '';
  const meta = new Map(
    elementsFrom({
      FileMetaInformationVersion: Uint8Array.of(0, 1),
      MediaStorageSOPClassUID: valueOf(0x00080016),
      MediaStorageSOPInstanceUID: valueOf(0x00080018),
      TransferSyntaxUID: transferSyntaxUid,
      ImplementationClassUID: IMPLEMENTATION_CLASS_UID,
      ImplementationVersionName: IMPLEMENTATION_VERSION_NAME,
    }).map((element) => [tagOfElement(element), element] as const),
  );
  for (const element of options.fileMeta ?? []) {
    if (element.value === undefined) meta.delete(tagOfElement(element));
    else meta.set(tagOfElement(element), element);
  }
  const group = new ByteWriter(true);
  for (const element of sortByTag([...meta.values()])) writeElement(group, element, EXPLICIT_LITTLE_ENDIAN);
  const out = new ByteWriter(true);
  if (options.fileMetaGroupLength !== false) {
    const length: DicomElement = { tag: TAG.fileMetaGroupLength, vr: 'UL', value: group.length };
    writeElement(out, length, EXPLICIT_LITTLE_ENDIAN);
  }
  out.bytes(group.written());
  return out.written();
}

function sortByTag(elements: readonly DicomElement[]): DicomElement[] {
  return [...elements].sort((a, b) => tagOfElement(a) - tagOfElement(b));
}

/** The stream is filled up to an even length with one NUL (PS3.5 annex A.5). */
function deflated(bytes: Uint8Array): Uint8Array {
  const stream = deflateRawSync(bytes);
  return stream.length & 1 ? Buffer.concat([stream, Uint8Array.of(0)]) : stream;
}
