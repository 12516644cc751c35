import { setImmediate } from 'node:timers/promises';
import { DICOM_RULES } from '../dicom/rules.js';
import { FilmReader, HeicReader } from './iso-media.reader.js';
import { JpegReader } from './jpeg.reader.js';
import { JsonReader } from './json.reader.js';
import { PdfReader } from './pdf.reader.js';
import { PlainTextReader } from './plain-text.reader.js';
import { PngReader } from './png.reader.js';
import { ReportObjectReader } from './report-object.reader.js';
import { DOCUMENT_RULES, type DocumentFailure, type DocumentReader } from './rules.js';
import { SoleFormatReader } from './sole-format.reader.js';
import { TextReader } from './text.reader.js';
import { TiffReader } from './tiff.reader.js';
import { WebpReader } from './webp.reader.js';
import { WordReader } from './word.reader.js';
import { SVG, XmlReader } from './xml.reader.js';

/** What a report is: `sr` stands for every report that is a DICOM object. */
export type ReportKind = 'json' | 'pdf' | 'sr' | 'xml' | 'png' | 'txt';

/**
 * What a file of a patient is. People send what their programs wrote, in any encoding; and open it with any program, so
 * that it may not be two things at once. Where reports are read otherwise, the kind has a name of its own.
 */
type ClinicalKind =
  'clinical-pdf' | 'clinical-png' | 'clinical-txt' | 'csv' | 'doc' | 'jpeg' | 'svg' | 'tiff' | 'webp';

/** What a document is. `mp4` stands for QuickTime too. */
export type DocumentKind = ReportKind | ClinicalKind | 'heic' | 'mp4';

/** The media types reports are declared by (RFC 6838; `application/dicom` by RFC 3240). */
export const DOCUMENT_TYPES: Readonly<Record<string, ReportKind>> = {
  'application/json': 'json',
  'application/pdf': 'pdf',
  'application/dicom': 'sr',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'image/png': 'png',
  'text/plain': 'txt',
};

/** The media types of files of patients. */
export const CLINICAL_TYPES: Readonly<Record<string, DocumentKind>> = {
  'application/pdf': 'clinical-pdf',
  'application/msword': 'doc',
  'text/csv': 'csv',
  'text/plain': 'clinical-txt',
  'image/jpeg': 'jpeg',
  'image/png': 'clinical-png',
  'image/svg+xml': 'svg',
  'image/tiff': 'tiff',
  'image/webp': 'webp',
};

/** The media types of files of inspections: those, and what a telephone takes. */
export const INSPECT_TYPES: Readonly<Record<string, DocumentKind>> = {
  ...CLINICAL_TYPES,
  'image/heic': 'heic',
  'video/mp4': 'mp4',
  'video/quicktime': 'mp4',
};

export type DocumentVerdict =
  | { readonly ok: true; readonly kind: DocumentKind }
  | ({ readonly ok: false; readonly message: string } & DocumentFailure);

const READERS: Readonly<Record<DocumentKind, () => DocumentReader>> = {
  json: () => new JsonReader(),
  pdf: () => new PdfReader(),
  sr: () => new ReportObjectReader(),
  xml: () => new XmlReader(),
  png: () => new PngReader(),
  txt: () => new TextReader(),
  'clinical-pdf': () => new SoleFormatReader(new PdfReader(), { isPdf: true, archive: isPdfAttachment }),
  'clinical-png': () => new SoleFormatReader(new PngReader()),
  'clinical-txt': () => new PlainTextReader(),
  csv: () => new PlainTextReader(),
  doc: () => new SoleFormatReader(new WordReader(), { archive: ({ length }) => length > 0 }),
  heic: () => new SoleFormatReader(new HeicReader()),
  jpeg: () => new SoleFormatReader(new JpegReader()),
  mp4: () => new SoleFormatReader(new FilmReader()),
  svg: () => new XmlReader(SVG),
  tiff: () => new SoleFormatReader(new TiffReader()),
  webp: () => new SoleFormatReader(new WebpReader()),
};

/** An attached archive lies in a stream (ISO 32000-1, section 7.11.4), and the end of that behind it. */
function isPdfAttachment(behind: Uint8Array): boolean {
  return Buffer.from(behind.buffer, behind.byteOffset, behind.byteLength).includes('endstream');
}

/**
 * Whether the bytes are what they were declared to be, whole and well-formed. Reads them to their end in bounded
 * memory, whatever they are; what the source throws is thrown.
 */
export async function inspectDocument(
  bytes: AsyncIterable<Uint8Array>,
  kind: DocumentKind,
): Promise<DocumentVerdict> {
  const reader = READERS[kind]();
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    await reader.write(piece);
  }
  const failure: DocumentFailure | undefined = size === 0 ? { rule: 'empty' } : await reader.end();
  if (!failure) return { ok: true, kind };
  return { ok: false, message: { ...DICOM_RULES, ...DOCUMENT_RULES }[failure.rule], ...failure };
}

/** As long as the slowest reader takes for one, nobody else gets a turn. */
const PIECE_BYTES = 32 * 1024;

/** Bytes that are in memory already, a piece at a time: other work gets its turn in between. */
export async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (at > 0) await setImmediate();
    yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
