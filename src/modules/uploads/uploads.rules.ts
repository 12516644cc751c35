import type { DocumentRule } from '../../formats/document/rules.js';
import type { ContentsRule } from '../../formats/zip/contents.js';
import type { SidecarRule } from '../metadata/sidecar.js';

/** Why an upload was rejected: a stable code, words safe to show, and the place in the object where it applies. */
export interface Rejection {
  rule: UploadRule;
  message: string;
  where?: string;
}

/** Every rule there is (docs/rules.md). */
export type UploadRule = ContentsRule | DocumentRule | SidecarRule | keyof typeof UPLOAD_RULES;

/** Rules that are not the format's. */
export const UPLOAD_RULES = {
  'size.mismatch': 'The object has another size than was declared.',
  'sha256.mismatch': 'The object has another SHA-256 than was declared.',
  'type.not-allowed':
    'Objects of this kind are not accepted here. A NIfTI file comes in a ZIP, together with its .bval and .bvec.',
  'object.missing': 'The object vanished from the bucket before it could be verified.',
  'dicom.conflict':
    'The SOPInstanceUID stands for another patient, study, series or SOP class, or the study or instance is another uploader’s.',
} as const;

export const rejection = (rule: keyof typeof UPLOAD_RULES): Rejection => ({
  rule,
  message: UPLOAD_RULES[rule],
});
