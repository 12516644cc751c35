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

/**
 * Whether data set and File Meta Information name the same instance, as PS3.10 section 7.1 demands. A group that names
 * none contradicts nothing.
 */
export function judgeSopMatch(header: DicomHeader, meta: FileMeta): DicomFailure | undefined {
  const declared = meta.mediaStorageSopInstanceUid;
  if (declared === '' || declared === header.sopInstanceUid) return undefined;
  return { rule: 'dicom.sop-mismatch', where: formatTag(tagOf('SOPInstanceUID')) };
}
