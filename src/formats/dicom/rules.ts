/**
 * Why an object is refused: the stable code (it shows in APIs, events and audit records) and one line that is safe
 * to show to anybody. A message never holds an attribute's value, since values are patient data.
 */
export const DICOM_RULES = {
  empty: 'The file is empty.',
  'dicom.not-part10': 'The file is not a DICOM Part 10 file: it has no readable File Meta Information.',
  'dicom.dicomdir': 'The file is a DICOMDIR, a directory of a medium, and not an object of a study.',
  'dicom.polyglot': 'The file is also an executable, a script, a document or an archive.',
  'dicom.truncated': 'The file ends before the object does.',
  'dicom.malformed': 'The file breaks the encoding rules of DICOM.',
  'dicom.header-too-large': 'The attributes, or the inflated bytes, exceed the size that is accepted.',
  'dicom.missing-sop-class-uid': 'SOPClassUID is missing or empty.',
  'dicom.missing-sop-instance-uid': 'SOPInstanceUID is missing or empty.',
  'dicom.missing-study-uid': 'StudyInstanceUID is missing or empty.',
  'dicom.missing-series-uid': 'SeriesInstanceUID is missing or empty.',
  'dicom.bad-uid': 'A UID is not legal: digits and dots, no leading zeros, at most 64 characters.',
  'dicom.sop-mismatch':
    'SOPInstanceUID differs from MediaStorageSOPInstanceUID of the File Meta Information.',
} as const;

export type DicomRule = keyof typeof DICOM_RULES;

/** A refusal and its place, as `(gggg,eeee)` of the attribute or `byte N` of the file. */
export interface DicomFailure {
  readonly rule: DicomRule;
  readonly where?: string;
}
