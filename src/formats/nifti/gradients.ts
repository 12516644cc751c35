import { latin1 } from '../dicom/latin1.js';
import { type NiftiFailure, niftiFailure } from './rules.js';

/** A thousand times what a set of some hundred directions needs. */
export const MAX_GRADIENT_BYTES = 4 * 1024 * 1024;

/** Between which a gradient vector counts as one of unit length: writers round, some to two digits. */
const SHORTEST = 0.95;
const LONGEST = 1.05;

const SPACE = /[ \t\r\n\v\f]+/;
const LINE = /\r\n|\r|\n/;
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** The diffusion gradients of a set, one of each a volume. */
export interface Gradients {
  /** In s/mm². */
  readonly bValues: readonly number[];
}

export type GradientsResult = ({ readonly ok: true } & Gradients) | NiftiFailure;

/**
 * Reads the two text files that go with a diffusion volume, in the form FSL gave them: b-values separated by white
 * space, and three rows of as many vector components.
 * @param volumes how many the header of the NIfTI file says there are.
 */
export function readGradients(bval: Uint8Array, bvec: Uint8Array, volumes: number): GradientsResult {
  if (bval.length > MAX_GRADIENT_BYTES || bvec.length > MAX_GRADIENT_BYTES)
    return niftiFailure('nifti.gradients');
  const bValues = numbers(latin1(bval));
  if (bValues.length !== volumes)
    return niftiFailure('nifti.gradients', `b-value ${Math.min(bValues.length, volumes) + 1}`);
  const wrong = bValues.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) return niftiFailure('nifti.gradients', `b-value ${wrong + 1}`);

  const rows = latin1(bvec)
    .split(LINE)
    .map(numbers)
    .filter((row) => row.length > 0);
  const [x, y, z] = rows;
  if (x === undefined || y === undefined || z === undefined || rows.length > 3)
    return niftiFailure('nifti.gradients', `row ${Math.min(rows.length, 3) + 1}`);
  const uneven = rows.findIndex((row) => row.length !== volumes);
  if (uneven >= 0) return niftiFailure('nifti.gradients', `row ${uneven + 1}`);
  const odd = x.findIndex((component, i) => !isDirection(Math.hypot(component, y[i]!, z[i]!)));
  if (odd >= 0) return niftiFailure('nifti.gradients', `vector ${odd + 1}`);
  return { ok: true, bValues };
}

/** The numbers of a text; NaN for whatever is none. */
function numbers(text: string): number[] {
  return text
    .split(SPACE)
    .filter((word) => word !== '')
    .map((word) => (DECIMAL.test(word) ? Number(word) : NaN));
}

/** Zero, where no gradient was applied, or of unit length; never NaN or infinite. */
function isDirection(length: number): boolean {
  return length === 0 || (length >= SHORTEST && length <= LONGEST);
}
