/** Why a NIfTI file or set is refused: the stable code, and one line that is safe to show to anybody. */
export const NIFTI_RULES = {
  'nifti.header': 'The file does not begin with a valid NIfTI-1 or NIfTI-2 header of a single file (.nii).',
  'nifti.truncated': 'The file ends before the voxels its header promises.',
  'nifti.corrupt': 'The compressed file is damaged and does not inflate.',
  'nifti.ratio': 'The compressed file inflates to more than is accepted.',
  'nifti.gradients':
    'The set needs one .bval and one .bvec file: a finite b-value and a column of three finite components for each volume, each vector zero or of unit length.',
} as const;

export type NiftiRule = keyof typeof NIFTI_RULES;

/** A refusal and its place: a field of the header by its name in nifti1.h, `b-value N`, or `vector N`. */
export interface NiftiFailure {
  readonly ok: false;
  readonly rule: NiftiRule;
  readonly message: string;
  readonly where?: string;
}

export function niftiFailure(rule: NiftiRule, where?: string): NiftiFailure {
  return { ok: false, rule, message: NIFTI_RULES[rule], ...(where !== undefined && { where }) };
}
