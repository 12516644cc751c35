import { brain, calcifications } from './brain.js';
import { cheekBones, temporalBones, vault } from './cranium.js';
import { airways, eyes, midface } from './face.js';
import { clamp, type Part } from './geometry.js';
import { headrest } from './headrest.js';
import { jawBones, teeth } from './jaw.js';
import { neckOrgans, spine } from './neck.js';
import { quantumNoise } from './noise.js';
import { ears, softTissue } from './skin.js';

/** From the outside inwards: each part paints over those before it. */
const PARTS: readonly Part[] = [
  softTissue,
  ears,
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
  headrest,
];

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
 * One slice of the phantom as stored values, 12 bits from `INTERCEPT` up: row by row, `size` pixels a side, at the
 * height `z` in millimetres.
 */
export function renderSlice(size: number, z: number, index: number): Uint16Array {
  const spacing = FIELD_OF_VIEW / size;
  const middle = (size - 1) / 2;
  const field = new Float32Array(size * size).fill(AIR);
  const columnOf = (x: number): number => Math.min(size - 1, Math.max(0, Math.round(x / spacing + middle)));
  for (const part of PARTS) {
    const { box } = part;
    if (z < box.z[0] || z > box.z[1]) continue;
    const lastColumn = columnOf(box.x);
    const lastRow = columnOf(box.y[1] - MIDDLE_Y);
    for (let row = columnOf(box.y[0] - MIDDLE_Y); row <= lastRow; row++) {
      const y = (row - middle) * spacing + MIDDLE_Y;
      for (let column = columnOf(-box.x); column <= lastColumn; column++) {
        const at = row * size + column;
        field[at] = part.paint((column - middle) * spacing, y, z, field[at]!);
      }
    }
  }
  return finish(field, size, index);
}

/** Blurs as a scanner does, which also softens the stairs of the edges, and adds noise. */
function finish(field: Float32Array, size: number, index: number): Uint16Array {
  noiseTile ??= quantumNoise(71, NOISE_LENGTH);
  const across = new Float32Array(field.length).fill(AIR);
  for (let at = 1; at < field.length - 1; at++) {
    across[at] = 0.25 * field[at - 1]! + 0.5 * field[at]! + 0.25 * field[at + 1]!;
  }
  const slice = new Uint16Array(field.length);
  for (let row = 0; row < size; row++) {
    const above = Math.max(0, row - 1) * size;
    const below = Math.min(size - 1, row + 1) * size;
    // Rows of the tile must not line up, or the noise would show columns.
    const noiseAt = index * 104_729 + row * (size + 7919);
    for (let column = 0; column < size; column++) {
      const hu =
        0.25 * across[above + column]! + 0.5 * across[row * size + column]! + 0.25 * across[below + column]!;
      const noise = noiseTile[(noiseAt + column) & (NOISE_LENGTH - 1)]!;
      slice[row * size + column] = clamp(Math.round(hu + NOISE * noise) - INTERCEPT, 0, 4095);
    }
  }
  return slice;
}
