import { along, clamp, ellipsoid, mix, type Part, rod, smoothstep, smoothUnion } from './geometry.js';
import { valueNoise } from './noise.js';

const AIR = -1000;
const noise = valueNoise(11);

/** Outline of face and neck by height: half width, front and back of the cross-section. */
const WIDTH = [
  [-112, 56],
  [-102, 53],
  [-92, 50],
  [-75, 57],
  [-50, 63],
  [-20, 67],
  [10, 66],
  [30, 60],
] as const;
const FRONT = [
  [-112, -34],
  [-104, -42],
  [-100, -62],
  [-96, -82],
  [-86, -93],
  [-70, -92],
  [-50, -92],
  [-30, -88],
  [-10, -82],
  [5, -82],
  [20, -84],
  [30, -80],
] as const;
const BACK = [
  [-112, 66],
  [-90, 64],
  [-60, 66],
  [-30, 76],
  [30, 70],
] as const;

let sliceZ = Number.NaN;
let width = 0;
let middle = 0;
let half = 0;

/** Distance to a cross-section between an ellipse and a rounded box, for the slice at hand. */
function faceAndNeck(x: number, y: number, z: number): number {
  if (z !== sliceZ) {
    sliceZ = z;
    width = along(WIDTH, z);
    const front = along(FRONT, z);
    const back = along(BACK, z);
    middle = (front + back) / 2;
    half = (back - front) / 2;
  }
  const u = (x / width) ** 2;
  const v = ((y - middle) / half) ** 2;
  const radius = Math.sqrt(0.5 * (u + v) + 0.5 * Math.sqrt(u * u + v * v));
  // Above the brow it sinks into the cranium, so that no seam shows.
  return (radius - 1) * Math.min(width, half) + 0.9 * Math.max(0, z - 12);
}

const BRIDGE = rod([0, -82, 6], [0, -101, -28], 6, 8);
const COLUMELLA = rod([0, -100, -31], [0, -86, -34], 7, 9);
const WING = rod([6, -92, -33], [4, -99, -32], 6.5, 6.5);
const BROW = rod([8, -82, 16], [36, -75, 15], 5.5, 4);
const UPPER_LIP = rod([0, -93, -53], [16, -88, -55.5], 4.4, 2);
const LOWER_LIP = rod([0, -92, -61], [14, -88, -59.5], 5, 2);
const CHIN = rod([0, -83, -90], [15, -80, -89], 11, 9);
const CHEEK = rod([40, -66, -22], [50, -50, -20], 14, 12);

/** Distance to the surface of the head. */
function skinDistance(x: number, y: number, z: number): number {
  const ax = Math.abs(x);
  const cranium = ellipsoid(x, y - 8, z - 30, 75, 95, 85.5);
  if (z > 60 || cranium < -30) return cranium;
  let distance = smoothUnion(cranium, faceAndNeck(x, y, z), 14);
  if (y > -8 || z > 44 || distance > 40 || distance < -30) return distance;
  distance = smoothUnion(distance, CHEEK.distance(ax, y, z), 14);
  const nose = smoothUnion(BRIDGE.distance(ax, y, z), COLUMELLA.distance(ax, y, z), 6);
  distance = smoothUnion(distance, smoothUnion(nose, WING.distance(ax, y, z), 5), 9);
  distance = smoothUnion(distance, BROW.distance(ax, y, z), 10);
  distance = smoothUnion(distance, Math.min(UPPER_LIP.distance(ax, y, z), LOWER_LIP.distance(ax, y, z)), 4);
  distance = smoothUnion(distance, CHIN.distance(ax, y, z), 12);
  // The hollow of the eye, with the lid over the eyeball.
  distance = Math.max(distance, 10 - Math.hypot((ax - 31) * 0.75, (y + 93) * 0.85, z - 1));
  return smoothUnion(distance, Math.hypot(ax - 32, y + 72, z) - 13.6, 5);
}

/**
 * How much of a slice lies inside a surface at this distance: where the surface is slanted, as at the top of the head,
 * a slice of some millimetres cuts it over a wider band.
 */
export function coverage(distance: number, z: number): number {
  const slant = clamp((z - 36) / 80, 0, 1);
  return clamp(0.5 - distance / (0.8 + 5 * slant * slant), 0, 1);
}

/** The auricle: a disc with a rim and a hollow, turned away from the head. */
function earDistance(ax: number, y: number, z: number): number {
  const along1 = y - 14;
  const out = ax - 74 - 0.45 * along1 - 0.06 * (z + 8);
  const radius = Math.hypot(along1 / 15, (z + 8) / 30);
  const bowl = Math.hypot(along1 / 15, (z + 2) / 26);
  const thickness = 2 + 1.6 * Math.exp(-(((radius - 0.86) / 0.1) ** 2));
  return Math.max(Math.abs(out - 3.5 * bowl * bowl) - thickness, (radius - 1) * 15);
}

/** Skin, the fat below it, and muscle with its planes of fat for all that lies deeper. */
export const softTissue: Part = {
  box: { x: 80, y: [-122, 108], z: [-120, 118] },
  paint(x, y, z, hu) {
    const distance = skinDistance(x, y, z);
    const inside = coverage(distance, z);
    if (inside === 0) return hu;
    const depth = -distance;
    if (depth < 1.8) return mix(hu, 48, inside);
    // Far below the scalp the skull and the brain will be painted over this.
    if (depth > 16 && z > 22) return 40;
    const n = noise(x / 9, y / 9, z / 11);
    const fat = 4.2 + 1.6 * n + 3 * smoothstep(-16, -30, z) * smoothstep(-10, -30, y);
    const tissue = mix(muscle(x, y, z, n), -100 + 12 * n, smoothstep(fat + 0.4, fat - 0.4, depth));
    return mix(hu, tissue, inside);
  },
};

/** Bundles of muscle that run up and down, with some fat between them. */
function muscle(x: number, y: number, z: number, n: number): number {
  const plane = Math.abs(noise(x / 15 + 7, y / 12, z / 48) + 0.25 * n);
  return mix(-55, 56 + 6 * n, smoothstep(0, 0.09, plane) + 0.15);
}

export const ears: Part = {
  box: { x: 96, y: [-8, 36], z: [-42, 26] },
  paint(x, y, z, hu) {
    if (hu > AIR) return hu;
    return earDistance(Math.abs(x), y, z) < 0 ? 30 : hu;
  },
};
