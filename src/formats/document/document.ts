import { setImmediate } from 'node:timers/promises';
import { DICOM_RULES } from '../dicom/rules.js';
import { JsonReader } from './json.reader.js';
import { PdfReader } from './pdf.reader.js';
import { PngReader } from './png.reader.js';
import { ReportObjectReader } from './report-object.reader.js';
import { DOCUMENT_RULES, type DocumentFailure, type DocumentReader } from './rules.js';
import { TextReader } from './text.reader.js';
import { XmlReader } from './xml.reader.js';

/** What a document is: `sr` stands for every report that is a DICOM object. */
export type DocumentKind = 'json' | 'pdf' | 'sr' | 'xml' | 'png' | 'txt';

/** The media types documents are declared by (RFC 6838; `application/dicom` by RFC 3240). */
export const DOCUMENT_TYPES: Readonly<Record<string, DocumentKind>> = {
  'application/json': 'json',
  'application/pdf': 'pdf',
  'application/dicom': 'sr',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'image/png': 'png',
  'text/plain': 'txt',
};

export type DocumentVerdict =
  | { readonly ok: true; readonly kind: DocumentKind }
  | ({ readonly ok: false; readonly message: string } & DocumentFailure);

const READERS: Record<DocumentKind, new () => DocumentReader> = {
  json: JsonReader,
  pdf: PdfReader,
  sr: ReportObjectReader,
  xml: XmlReader,
  png: PngReader,
  txt: TextReader,
};

/**
 * Whether the bytes are what they were declared to be, whole and well-formed. Reads them to their end in bounded
 * memory, whatever they are; what the source throws is thrown.
 */
export async function inspectDocument(
  bytes: AsyncIterable<Uint8Array>,
  kind: DocumentKind,
): Promise<DocumentVerdict> {
  const reader = new READERS[kind]();
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    await reader.write(piece);
  }
  const failure: DocumentFailure | undefined = size === 0 ? { rule: 'empty' } : await reader.end();
  if (!failure) return { ok: true, kind };
  return { ok: false, message: { ...DICOM_RULES, ...DOCUMENT_RULES }[failure.rule], ...failure };
}

const PIECE_BYTES = 256 * 1024;

/** Bytes that are in memory already, a piece at a time: other work gets its turn in between. */
export async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (at > 0) await setImmediate();
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
