import { decodeText } from './character-set.js';
import { type Keyword, tagOf } from './dictionary.js';
import { readU16be, readU16le } from './element-header.js';
import { latin1 } from './latin1.js';
import type { Tag } from './tag.js';
import { uidFromBytes } from './uid.js';

/** What the index of patients, studies, series and instances takes from an object. Absent and empty are the same. */
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
}

type Kind = 'uid' | 'text' | 'integer-string' | 'unsigned-short';

const FIELDS: readonly (readonly [keyof DicomHeader, Keyword, Kind])[] = [
  ['sopClassUid', 'SOPClassUID', 'uid'],
  ['sopInstanceUid', 'SOPInstanceUID', 'uid'],
  ['studyInstanceUid', 'StudyInstanceUID', 'uid'],
  ['seriesInstanceUid', 'SeriesInstanceUID', 'uid'],
  ['patientId', 'PatientID', 'text'],
  ['issuerOfPatientId', 'IssuerOfPatientID', 'text'],
  ['patientName', 'PatientName', 'text'],
  ['patientBirthDate', 'PatientBirthDate', 'text'],
  ['patientSex', 'PatientSex', 'text'],
  ['accessionNumber', 'AccessionNumber', 'text'],
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

const COMPILED = FIELDS.map(([field, keyword, kind]) => ({ field, tag: tagOf(keyword), kind }));
const SPECIFIC_CHARACTER_SET = tagOf('SpecificCharacterSet');

/** The attributes whose values `readHeader` wants. */
export const HEADER_TAGS: ReadonlySet<Tag> = new Set([
  SPECIFIC_CHARACTER_SET,
  ...COMPILED.map(({ tag }) => tag),
]);

/** Decodes the values of an object. UIDs that are missing come out empty: judging them is the inspector's part. */
export function readHeader(
  values: ReadonlyMap<Tag, Uint8Array>,
  transferSyntaxUid: string,
  littleEndian: boolean,
): DicomHeader {
  const characterSet = values.get(SPECIFIC_CHARACTER_SET);
  const terms = characterSet === undefined ? [] : trim(latin1(characterSet)).split('\\');
  const header: Record<string, string | number> = {
    transferSyntaxUid,
    sopClassUid: '',
    sopInstanceUid: '',
    studyInstanceUid: '',
    seriesInstanceUid: '',
  };
  for (const { field, tag, kind } of COMPILED) {
    const bytes = values.get(tag);
    if (bytes === undefined || bytes.length === 0) continue;
    const value = decode(bytes, kind, terms, littleEndian);
    if (value !== undefined && value !== '') header[field] = value;
  }
  return header as unknown as DicomHeader;
}

function decode(bytes: Uint8Array, kind: Kind, terms: readonly string[], littleEndian: boolean) {
  switch (kind) {
    case 'uid':
      return uidFromBytes(bytes);
    case 'text':
      return trim(decodeText(bytes, terms));
    case 'integer-string':
      return integerFrom(latin1(bytes));
    case 'unsigned-short':
      if (bytes.length < 2) return undefined;
      return littleEndian ? readU16le(bytes, 0) : readU16be(bytes, 0);
  }
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
