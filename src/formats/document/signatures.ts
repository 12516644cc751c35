/** What files begin with, as ISO 8859-1. None of them is the start of a text that anybody writes. */
const ARCHIVES = [
  'PK\x03\x04',
  'PK\x05\x06',
  'PK\x07\x08',
  'Rar!\x1a\x07',
  '7z\xbc\xaf',
  '\x1f\x8b',
  '\xfd7zXZ',
];
const PROGRAMS = [
  '\x7fELF',
  '#!',
  '\xfe\xed\xfa\xce',
  '\xfe\xed\xfa\xcf',
  '\xce\xfa\xed\xfe',
  '\xcf\xfa\xed\xfe',
  '\xca\xfe\xba\xbe',
  '\xca\xfe\xba\xbf',
];
/** Two letters begin many texts. What makes them a header is numbers. */
const DOS_PROGRAM = /^MZ[^]{0,12}[\0-\x08\x0e-\x1f]/;
/** What browsers take for a page by its first tag (WHATWG MIME Sniffing, section 7.1), and what else is marked up. */
const PAGE =
  /^<(!--|!doctype|html|head|body|script|iframe|svg|\?xml|\?php|(h1|div|font|table|a|style|title|b|br|p)[\s/>])/i;
const DOCUMENTS = ['%PDF-', '%!PS', '{\\rtf', '\xd0\xcf\x11\xe0'];
const IMAGES = ['\x89PNG', '\xff\xd8\xff', 'GIF87a', 'GIF89a', 'II*\0', 'MM\0*', 'II+\0', 'MM\0+', 'RIFF'];

/** Characters of the start that are looked at. */
export const SIGNATURE_LENGTH = 16;

/**
 * Whether another program than one for images or texts would open it: an archive, an executable, a page, a document.
 * @param start of a file, or of what comes behind one: `SIGNATURE_LENGTH` characters, if there are as many
 */
export const isForeign = (start: string): boolean =>
  beginsWith(start, ARCHIVES) ||
  beginsWith(start, PROGRAMS) ||
  beginsWith(start, DOCUMENTS) ||
  DOS_PROGRAM.test(start) ||
  PAGE.test(start);

/** Whether a file that is said to be text is something else by its start. */
export const isNoText = (start: string): boolean => isForeign(start) || beginsWith(start, IMAGES);

const beginsWith = (start: string, signatures: readonly string[]): boolean =>
  signatures.some((signature) => start.startsWith(signature));
