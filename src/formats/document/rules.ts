import type { DicomRule } from '../dicom/rules.js';

/** Why a document is refused: the stable code, and one line that is safe to show to anybody. */
export const DOCUMENT_RULES = {
  'type.mismatch': 'The content is not a complete and well-formed document of its content type.',
  'text.encoding':
    'The text is in an encoding that is not accepted, or holds characters that its format does not allow.',
  'document.too-complex':
    'The document is nested deeper than 1,000 levels, has an element with more than 1,000 attributes or 64 KiB in one of them, or is of more than 1,000,000 parts or 100 MiB of markup.',
  'xml.doctype': 'A document type declaration (DTD), and with it entities, is not accepted.',
  'document.polyglot':
    'The file is also of another format: an archive, an executable, a PDF, a page or a script.',
  'dicom.not-a-report':
    'The object is neither a DICOM Structured Report nor an encapsulated PDF or CDA document.',
} as const;

export type DocumentRule = keyof typeof DOCUMENT_RULES;

/** A refusal and its place: `byte N`, `line N`, or `(gggg,eeee)` of a DICOM attribute. */
export interface DocumentFailure {
  readonly rule: DocumentRule | DicomRule;
  readonly where?: string;
}

/** Levels of JSON or XML, and attributes of an XML element, that are accepted. */
export const MAX_DEPTH = 1000;
export const MAX_ATTRIBUTES = 1000;
/**
 * Segments, chunks, boxes or fields of a binary format, elements, attributes, comments, instructions, sections and
 * ampersands of XML: each takes a thousand times as long as a byte in one.
 */
export const MAX_PARTS = 1_000_000;
/** Characters of XML whose size nobody else limits, for the same reason. */
export const MAX_MARKUP = 100 * 1024 * 1024;

/** Reads one document as it streams, in bounded memory. After a failure it ignores what is written. */
export interface DocumentReader {
  write(bytes: Uint8Array): void | Promise<void>;
  /** Call once, after the last byte; undefined when the document is well-formed. */
  end(): DocumentFailure | undefined | Promise<DocumentFailure | undefined>;
}
