import { type Keyword, tagOf } from './dictionary.js';
import type { FileMeta } from './file-meta.js';
import type { DicomHeader } from './header.js';
import type { DicomFailure, DicomRule } from './rules.js';
import { formatTag } from './tag.js';
import { isLegalUid } from './uid.js';

const REQUIRED: readonly (readonly [keyof DicomHeader, Keyword, DicomRule])[] = [
  ['sopClassUid', 'SOPClassUID', 'dicom.missing-sop-class-uid'],
  ['sopInstanceUid', 'SOPInstanceUID', 'dicom.missing-sop-instance-uid'],
  ['studyInstanceUid', 'StudyInstanceUID', 'dicom.missing-study-uid'],
  ['seriesInstanceUid', 'SeriesInstanceUID', 'dicom.missing-series-uid'],
];

/** Whether an object says which one it is: four UIDs, all of them legal. */
export function judgeUids(header: DicomHeader): DicomFailure | undefined {
  for (const [field, keyword, rule] of REQUIRED) {
    if (header[field] === '') return { rule, where: formatTag(tagOf(keyword)) };
  }
  for (const [field, keyword] of REQUIRED) {
    if (!isLegalUid(header[field] as string))
      return { rule: 'dicom.bad-uid', where: formatTag(tagOf(keyword)) };
  }
  return undefined;
}

const IDENTIFIERS = [
  ['patientId', 'PatientID'],
  ['issuerOfPatientId', 'IssuerOfPatientID'],
  ['accessionNumber', 'AccessionNumber'],
] as const satisfies readonly (readonly [keyof DicomHeader, Keyword])[];

/**
 * Bytes of UTF-8: far above the 64 characters that PS3.5 section 6.2 allows the longest of them. An index could not keep
 * much longer ones, and they are not cut, since that could make two patients one.
 */
const MAX_IDENTIFIER_BYTES = 1024;

/** Whether what says whose object it is can be looked up. */
export function judgeIdentifiers(header: DicomHeader): DicomFailure | undefined {
  for (const [field, keyword] of IDENTIFIERS) {
    const value = header[field];
    if (value !== undefined && Buffer.byteLength(value) > MAX_IDENTIFIER_BYTES)
      return { rule: 'dicom.malformed', where: formatTag(tagOf(keyword)) };
  }
  return undefined;
}

/**
 * Whether data set and File Meta Information name the same instance, as PS3.10 section 7.1 demands. A group that names
 * none contradicts nothing.
 */
export function judgeSopMatch(header: DicomHeader, meta: FileMeta): DicomFailure | undefined {
  const declared = meta.mediaStorageSopInstanceUid;
  if (declared === '' || declared === header.sopInstanceUid) return undefined;
  return { rule: 'dicom.sop-mismatch', where: formatTag(tagOf('SOPInstanceUID')) };
}
