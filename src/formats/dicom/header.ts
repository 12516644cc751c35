import { boundedText, ownText } from '../text/bounded-text.js';
import { decodeText } from './character-set.js';
import { type Keyword, tagOf } from './dictionary.js';
import { readU16be, readU16le } from './element-header.js';
import { latin1 } from './latin1.js';
import {
  isDivided,
  MAX_CHARACTERS,
  STUDY_ATTRIBUTES,
  type StudyAttributes,
  valuesFromText,
} from './study-attributes.js';
import type { Tag } from './tag.js';
import { uidFromBytes } from './uid.js';

/**
 * What the index of patients, studies, series and instances takes from an object. Absent and empty are the same. Texts
 * are cut to 1,024 characters, but for the identifiers of patient, issuer and order: those are refused when longer.
 */
export interface DicomHeader {
  readonly transferSyntaxUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly patientId?: string;
  readonly issuerOfPatientId?: string;
  /** Components joined by `^`, representations by `=`, as in the file (PS3.5 section 6.2.1). */
  readonly patientName?: string;
  /** Dates and times as in the file: `YYYYMMDD` and `HHMMSS.FFFFFF` if it keeps to the standard. */
  readonly patientBirthDate?: string;
  readonly patientSex?: string;
  readonly accessionNumber?: string;
  readonly studyDate?: string;
  readonly studyTime?: string;
  readonly studyDescription?: string;
  readonly studyId?: string;
  readonly referringPhysicianName?: string;
  readonly modality?: string;
  readonly seriesNumber?: number;
  readonly seriesDescription?: string;
  readonly bodyPartExamined?: string;
  readonly manufacturer?: string;
  readonly instanceNumber?: number;
  readonly numberOfFrames?: number;
  readonly rows?: number;
  readonly columns?: number;
  readonly bitsAllocated?: number;
  readonly samplesPerPixel?: number;
  readonly photometricInterpretation?: string;
  /**
   * What the object says of its patient and study, by keyword: for display and comparison, each bounded in length.
   * Decoded when first asked for, since most objects of a study repeat what its first one said; a copy of the header
   * made by spreading does not have it.
   */
  readonly attributes: StudyAttributes;
}

type Kind = 'uid' | 'identifier' | 'text' | 'integer-string' | 'unsigned-short';

const FIELDS: readonly (readonly [Exclude<keyof DicomHeader, 'attributes'>, Keyword, Kind])[] = [
  ['sopClassUid', 'SOPClassUID', 'uid'],
  ['sopInstanceUid', 'SOPInstanceUID', 'uid'],
  ['studyInstanceUid', 'StudyInstanceUID', 'uid'],
  ['seriesInstanceUid', 'SeriesInstanceUID', 'uid'],
  ['patientId', 'PatientID', 'identifier'],
  ['issuerOfPatientId', 'IssuerOfPatientID', 'identifier'],
  ['patientName', 'PatientName', 'text'],
  ['patientBirthDate', 'PatientBirthDate', 'text'],
  ['patientSex', 'PatientSex', 'text'],
  ['accessionNumber', 'AccessionNumber', 'identifier'],
  ['studyDate', 'StudyDate', 'text'],
  ['studyTime', 'StudyTime', 'text'],
  ['studyDescription', 'StudyDescription', 'text'],
  ['studyId', 'StudyID', 'text'],
  ['referringPhysicianName', 'ReferringPhysicianName', 'text'],
  ['modality', 'Modality', 'text'],
  ['seriesNumber', 'SeriesNumber', 'integer-string'],
  ['seriesDescription', 'SeriesDescription', 'text'],
  ['bodyPartExamined', 'BodyPartExamined', 'text'],
  ['manufacturer', 'Manufacturer', 'text'],
  ['instanceNumber', 'InstanceNumber', 'integer-string'],
  ['numberOfFrames', 'NumberOfFrames', 'integer-string'],
  ['rows', 'Rows', 'unsigned-short'],
  ['columns', 'Columns', 'unsigned-short'],
  ['bitsAllocated', 'BitsAllocated', 'unsigned-short'],
  ['samplesPerPixel', 'SamplesPerPixel', 'unsigned-short'],
  ['photometricInterpretation', 'PhotometricInterpretation', 'text'],
];

type Writable = { -readonly [field in keyof DicomHeader]: unknown };

interface Wanted {
  readonly kind: Kind;
  readonly field: keyof DicomHeader;
}

const WANTED = new Map<Tag, Wanted>(
  FIELDS.map(([field, keyword, kind]) => [tagOf(keyword), { kind, field }]),
);

const ATTRIBUTES = STUDY_ATTRIBUTES.map((keyword) => {
  const tag = tagOf(keyword);
  return { keyword, tag, field: WANTED.get(tag)?.field, divided: isDivided(keyword) };
});
const SPECIFIC_CHARACTER_SET = tagOf('SpecificCharacterSet');

/** The attributes that are read for `attributes` alone. The index can do without any of them. */
export const DISPENSABLE_TAGS: ReadonlySet<Tag> = new Set(
  ATTRIBUTES.filter(({ field }) => field === undefined).map(({ tag }) => tag),
);

/** The attributes whose values `readHeader` wants. */
export const HEADER_TAGS: ReadonlySet<Tag> = new Set([
  SPECIFIC_CHARACTER_SET,
  ...WANTED.keys(),
  ...DISPENSABLE_TAGS,
]);

/** The header itself, which holds the values of the attributes until somebody wants to see them. */
class Header {
  sopClassUid = '';
  sopInstanceUid = '';
  studyInstanceUid = '';
  seriesInstanceUid = '';
  #values: ReadonlyMap<Tag, Uint8Array> | undefined;
  readonly #terms: readonly string[];
  #attributes: StudyAttributes | undefined;

  constructor(
    readonly transferSyntaxUid: string,
    values: ReadonlyMap<Tag, Uint8Array>,
    terms: readonly string[],
  ) {
    this.#values = values;
    this.#terms = terms;
  }

  get attributes(): StudyAttributes {
    return (this.#attributes ??= this.#decode());
  }

  #decode(): StudyAttributes {
    const attributes: Record<string, string | readonly string[]> = {};
    for (const { keyword, tag, field, divided } of ATTRIBUTES) {
      const bytes = this.#values?.get(tag);
      if (bytes === undefined) continue;
      const known = field && (this as DicomHeader)[field];
      const text = typeof known === 'string' ? known : trim(decodeText(bytes, this.#terms));
      const value = valuesFromText(text, divided);
      if (value !== undefined) attributes[keyword] = value;
    }
    this.#values = undefined;
    return attributes;
  }
}

/** Decodes the values of an object. UIDs that are missing come out empty: judging them is the inspector's part. */
export function readHeader(
  values: ReadonlyMap<Tag, Uint8Array>,
  transferSyntaxUid: string,
  littleEndian: boolean,
): DicomHeader {
  const characterSet = values.get(SPECIFIC_CHARACTER_SET);
  const terms = characterSet === undefined ? [] : trim(latin1(characterSet)).split('\\');
  const header: DicomHeader = new Header(transferSyntaxUid, values, terms);
  for (const [tag, bytes] of values) {
    const wanted = WANTED.get(tag);
    if (wanted === undefined || bytes.length === 0) continue;
    const value = decode(bytes, wanted.kind, terms, littleEndian);
    if (value !== undefined && value !== '') (header as Writable)[wanted.field] = value;
  }
  return header;
}

function decode(bytes: Uint8Array, kind: Kind, terms: readonly string[], littleEndian: boolean) {
  switch (kind) {
    case 'uid':
      return uidFromBytes(bytes);
    case 'identifier':
      return textOf(bytes, terms); // whole: cut, two patients could become one
    case 'text':
      return boundedText(textOf(bytes, terms), MAX_CHARACTERS);
    case 'integer-string':
      return integerFrom(latin1(bytes));
    case 'unsigned-short':
      if (bytes.length < 2) return undefined;
      return littleEndian ? readU16le(bytes, 0) : readU16be(bytes, 0);
  }
}

/** A long one in memory of its own: thousands of headers are kept, each of which would hold the padding it had. */
function textOf(bytes: Uint8Array, terms: readonly string[]): string {
  const text = trim(decodeText(bytes, terms));
  return bytes.length > MAX_CHARACTERS ? ownText(text) : text;
}

/** Without padding, and without NULs in between, which no text may hold and no database takes. */
function trim(text: string): string {
  const whole = text.includes('\0') ? text.replaceAll('\0', '') : text;
  return whole.trim();
}

/** IS (PS3.5 section 6.2): a signed 32 bit integer in at most 12 characters. Others are as good as absent. */
function integerFrom(text: string): number | undefined {
  const first = trim(text.split('\\', 1)[0]!);
  if (!/^[+-]?\d+(?:\.0*)?$/.test(first)) return undefined;
  const value = Number(first);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}
