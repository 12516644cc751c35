import { along, Chain, clamp, ellipsoid, mix, type Part, rod, smoothstep } from './geometry.js';
import { valueNoise } from './noise.js';
import { coverage } from './skin.js';

const noise = valueNoise(23);

/** Height of the inner skull base in the midline, from the forehead to the back of the head. */
const BASE = [
  [-82, 16],
  [-45, 9],
  [-30, -2],
  [-14, -12],
  [8, -20],
  [24, -42],
  [60, -46],
  [88, -30],
] as const;

/** The middle fossae lie lower than the midline, on both sides. */
function baseHeight(ax: number, y: number): number {
  const fossa = smoothstep(16, 34, ax) * smoothstep(-48, -36, y) * (1 - smoothstep(-2, 16, y));
  return along(BASE, y) - 14 * fossa;
}

/** Distance to the outer surface of the skull cap. */
export function vaultDistance(x: number, y: number, z: number): number {
  // A head is wider behind than in front.
  const narrowing = 1 + 0.0011 * (y - 8);
  return ellipsoid(x / narrowing, y - 8, z - 30, 69.5, 88, 79.5);
}

/** Thickness of the skull cap below a point at this distance from its surface. */
function thickness(x: number, y: number, z: number, distance: number): number {
  const even = 6.2 + 2.5 * smoothstep(60, 95, Math.abs(y - 8));
  // Deep in the brain the unevenness of the bone must not show, and need not be computed.
  return distance < -24 ? even : even + 1.4 * noise(x / 30, y / 30, z / 30) * smoothstep(-24, -14, distance);
}

/** Distance to the cavity that holds brain and fluid. */
export function cavityDistance(x: number, y: number, z: number): number {
  const outside = vaultDistance(x, y, z);
  const cap = outside + thickness(x, y, z, outside);
  const floor = baseHeight(Math.abs(x), y) - z;
  return Math.max(cap, floor);
}

/** Skull cap with its two tables and the spongy bone between, and the plate of the skull base. */
export const vault: Part = {
  box: { x: 76, y: [-84, 100], z: [-56, 112] },
  paint(x, y, z, hu) {
    const outside = vaultDistance(x, y, z);
    const inside = coverage(outside, z);
    if (inside === 0) return hu;
    const ax = Math.abs(x);
    const above = z - baseHeight(ax, y);
    if (outside < -14 && above > 0) return hu;
    const sinks = 5 + 2 * noise(x / 12, y / 12, z / 12);
    if (above < -sinks) return hu;
    if (y > 20 && Math.hypot(x / 15, (y - 36) / 18) < 1 && above < 4) return hu;
    const bone = thickness(x, y, z, outside);
    const depth = -outside;
    if (depth > bone && above > 0) return hu;
    const grain = noise(x / 2.2, y / 2.2, z / 3);
    if (depth > bone) return 620 + 420 * noise(x / 6, y / 6, z / 6) + 180 * grain;
    const toTable = Math.min(depth - 1.7, bone - 1.6 - depth);
    if (toTable < 0) return mix(hu, 1450 + 120 * grain, inside);
    return clamp(1450 - toTable * 900, 520, 1450) + 160 * grain;
  },
};

const EAR_CANAL = rod([86, 8, -14], [48, 4, -13], 3.4, 2.4);
const PYRAMID = rod([56, 20, -16], [16, -6, -13], 10, 5);

/** Petrous pyramids and mastoids with their air cells, and the ear canals. */
export const temporalBones: Part = {
  box: { x: 84, y: [-20, 52], z: [-52, 4] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    if (ax < 8) return hu;
    const canal = EAR_CANAL.distance(ax, y, z);
    if (canal < 0) return -990;
    const pyramid = PYRAMID.distance(ax, y, z);
    const mastoid = ellipsoid(ax - 55, y - 24, z + 28, 11, 14, 19);
    const distance = Math.min(pyramid, mastoid);
    if (distance > 0) return canal < 1.6 && hu > -900 ? 60 : hu;
    if (pyramid < 0 && Math.hypot(ax - 36, y - 6, z + 13) < 3) return 60;
    const cells = noise(x / 3.2, y / 3.2, z / 4);
    if (mastoid < -2 && cells > 0.05) return -820;
    return 1350 + 300 * cells;
  },
};

const ARCH = new Chain([
  [[24, -71, -26], 6],
  [[40, -66, -20], 7],
  [[54, -46, -15], 3.6],
  [[60, -20, -13], 3],
  [[58, 2, -12], 4],
]);
const FRAME = new Chain([
  [[42, -65, -16], 5],
  [[47, -60, 4], 3.6],
  [[42, -66, 16], 4],
  [[18, -76, 19], 4.5],
]);

/** Cheek bones with their arches, and the rims of the orbits. */
export const cheekBones: Part = {
  box: { x: 70, y: [-86, 8], z: [-48, 26] },
  paint(x, y, z, hu) {
    if (hu < -500) return hu;
    const ax = Math.abs(x);
    const distance = Math.min(ARCH.distance(ax, y, z), FRAME.distance(ax, y, z));
    if (distance > 0) return hu;
    return distance > -1.8 ? 1350 : 650 + 200 * noise(x / 2, y / 2, z / 2);
  },
};
