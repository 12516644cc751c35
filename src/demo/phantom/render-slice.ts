import { brain, calcifications } from './brain.js';
import { cheekBones, temporalBones, vault } from './cranium.js';
import { airways, eyes, midface } from './face.js';
import { clamp, type Part } from './geometry.js';
import { headrest } from './headrest.js';
import { jawBones, teeth } from './jaw.js';
import { neckOrgans, spine } from './neck.js';
import { quantumNoise } from './noise.js';
import { ears, softTissue } from './skin.js';

/** From the outside inwards: each part paints over those before it. Only the first and the last paint on air. */
const OUTLINE: readonly Part[] = [softTissue, ears];
const INSIDE: readonly Part[] = [
  cheekBones,
  vault,
  midface,
  temporalBones,
  brain,
  calcifications,
  neckOrgans,
  spine,
  jawBones,
  airways,
  eyes,
  teeth,
];
const PARTS: readonly Part[] = [...OUTLINE, ...INSIDE, headrest];

/** Side of the square that a slice shows, in millimetres, and the y of its middle. */
export const FIELD_OF_VIEW = 256;
export const MIDDLE_Y = 5;

/** Hounsfield units of the stored value 0. */
export const INTERCEPT = -1024;

const AIR = -1000;
/** Standard deviation of the noise in Hounsfield units: a head scan of ordinary dose. */
const NOISE = 4;
const NOISE_LENGTH = 1 << 20;
let noiseTile: Float32Array | undefined;

/**
 * The anatomy is sampled on a grid of at most this many points a side, 0.7 mm apart, which is what a
 * head scan resolves; larger images interpolate it, which softens the stairs of its edges as a scanner would.
 */
const FINEST_GRID = 360;

/**
 * One slice of the phantom as stored values, 12 bits from `INTERCEPT` up: row by row, `size` pixels a side, at the
 * height `z` in millimetres.
 */
export function renderSlice(size: number, z: number, index: number): Uint16Array {
  const grid = Math.min(size, FINEST_GRID);
  return expose(paintAnatomy(grid, z), grid, size, index);
}

/** Hounsfield units of the anatomy on a square grid over the field of view. */
function paintAnatomy(grid: number, z: number): Float32Array {
  const spacing = FIELD_OF_VIEW / grid;
  const middle = (grid - 1) / 2;
  const field = new Float32Array(grid * grid).fill(AIR);
  const indexOf = (millimetres: number): number =>
    clamp(Math.round(millimetres / spacing + middle), 0, grid - 1);
  for (const part of PARTS) {
    const { box } = part;
    if (z < box.z[0] || z > box.z[1]) continue;
    const inside = INSIDE.includes(part);
    const firstColumn = indexOf(-box.x);
    const lastColumn = indexOf(box.x);
    const lastRow = indexOf(box.y[1] - MIDDLE_Y);
    for (let row = indexOf(box.y[0] - MIDDLE_Y); row <= lastRow; row++) {
      const y = (row - middle) * spacing + MIDDLE_Y;
      for (let column = firstColumn; column <= lastColumn; column++) {
        const at = row * grid + column;
        if (inside && field[at] === AIR) continue;
        field[at] = part.paint((column - middle) * spacing, y, z, field[at]!);
      }
    }
  }
  return field;
}

/** Interpolates the anatomy to the pixels of the image and adds the noise of the scanner. */
function expose(field: Float32Array, grid: number, size: number, index: number): Uint16Array {
  noiseTile ??= quantumNoise(71, NOISE_LENGTH);
  const { lower, upper, share } = interpolation(grid, size);
  const slice = new Uint16Array(size * size);
  for (let row = 0; row < size; row++) {
    const above = lower[row]! * grid;
    const below = upper[row]! * grid;
    const down = share[row]!;
    // Rows of the tile must not line up, or the noise would show columns.
    const noiseAt = index * 104_729 + row * (size + 7919);
    for (let column = 0; column < size; column++) {
      const left = lower[column]!;
      const right = upper[column]!;
      const across = share[column]!;
      const top = field[above + left]! * (1 - across) + field[above + right]! * across;
      const bottom = field[below + left]! * (1 - across) + field[below + right]! * across;
      const hu =
        top * (1 - down) + bottom * down + NOISE * noiseTile[(noiseAt + column) & (NOISE_LENGTH - 1)]!;
      const stored = Math.round(hu) - INTERCEPT;
      slice[row * size + column] = stored < 0 ? 0 : stored > 4095 ? 4095 : stored;
    }
  }
  return slice;
}

/** For each pixel of a line, the grid points on either side of its middle and the share of the second. */
function interpolation(grid: number, size: number) {
  const lower = new Uint16Array(size);
  const upper = new Uint16Array(size);
  const share = new Float32Array(size);
  for (let pixel = 0; pixel < size; pixel++) {
    const position = clamp(((pixel + 0.5) * grid) / size - 0.5, 0, grid - 1);
    lower[pixel] = Math.floor(position);
    upper[pixel] = Math.min(grid - 1, lower[pixel]! + 1);
    share[pixel] = position - lower[pixel]!;
  }
  return { lower, upper, share };
}
