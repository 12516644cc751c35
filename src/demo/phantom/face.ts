import { Chain, ellipsoid, type Part, rod } from './geometry.js';
import { valueNoise } from './noise.js';

const AIR = -995;
const FAT = -95;
const noise = valueNoise(43);

/** The orbit, a cone from the optic canal to the rim. */
const ORBIT = rod([15, -30, 2], [33, -74, 0], 5, 17.5);
const NASAL_BONES = rod([0, -80, 6], [4, -90, -14], 4, 2.4);
const PHARYNX = new Chain([
  [[0, -30, -24], 9],
  [[0, -20, -48], 8],
  [[0, -20, -78], 8.5],
  [[0, -24, -120], 8],
]);
const NOSTRIL = rod([6, -100, -40], [5, -84, -26], 3.2, 3.4);
const OPTIC_NERVE = rod([30.5, -60, 0], [15, -28, 2], 2.6, 2.2);
/** The four straight muscles of the eye: outside, inside, above, below. */
const EYE_MUSCLES = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
].map(([dx, dz]) => rod([32 + dx! * 11.5, -68, dz! * 11.5], [16, -32, 2], 2.4, 1.8));

/** The bone that the face is carved from: upper jaw, walls of the orbits, nasal bridge, palate. */
export const midface: Part = {
  box: { x: 46, y: [-92, -4], z: [-50, 24] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    const grain = noise(x / 2.4, y / 2.4, z / 3);
    const socket = ORBIT.distance(ax, y, z);
    if (socket > 0 && socket < 2 && y > -72) return 900 + 250 * grain;
    if (NASAL_BONES.distance(ax, y, z) < 0) return 1000;
    const block = Math.max(ax - 30 - 0.25 * (y + 80), Math.abs(y + 48) - 30, Math.abs(z + 20) - 24);
    const arch = Math.hypot(ax / 32, (y + 42) / 38);
    if (socket > 0 && block < 0 && arch < 1) {
      // Only the palate, the front and the side walls are bone; between them is air or soft tissue.
      if (z < -39 && z > -43 && arch < 0.95) return 1000 + 200 * grain;
      if (arch > 0.93) return 1050 + 250 * grain;
    }
    // The body of the sphenoid and the plates that hang from it.
    if (ellipsoid(ax, y + 16, z + 12, 20, 18, 12) < 0) return 700 + 250 * grain;
    if (Math.abs(ax - 14) < 1.6 && Math.abs(y + 26) < 8 && z < -14 && z > -42) return 950;
    return hu;
  },
};

/** Nasal cavity with septum and turbinates, the sinuses, and the airway down to the larynx. */
export const airways: Part = {
  box: { x: 46, y: [-112, -4], z: [-120, 42] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    const rough = 1.6 * noise(x / 6, y / 6, z / 6);
    const maxillary = ellipsoid(ax - 25, y + 58, z + 25, 13, 16, 14.5) + rough;
    const frontal = ellipsoid(ax - 11, y + 75.5, z - 22, 12, 4, 11) + 0.7 * rough;
    const sphenoid = ellipsoid(ax - 8, y + 20, z + 9, 7, 11, 8) + rough;
    const sinus = Math.min(maxillary, frontal, sphenoid);
    if (sinus < 0) return sinus > -1.1 ? 35 : AIR;
    if (sinus < 2.2 && hu > -200) return 1000;

    if (ax > 3 && ax < 13 && y > -74 && y < -32 && z > -10 && z < 9 && ORBIT.distance(ax, y, z) > 2) {
      return noise(x / 4.6 + 5, y / 4.6, z / 5.5) > -0.12 ? AIR : 420;
    }
    const cavity = Math.max(ellipsoid(ax, y + 56, z + 18, 12.5, 32, 21), -39 - z, -84 + 0.5 * (z + 30) - y);
    if (cavity < 0) return nasalCavity(x, ax, y, z);
    const pharynx = PHARYNX.distance(ax, y, z);
    if (pharynx < 0) return AIR;
    if (pharynx < 2) return Math.max(hu > 300 ? 40 : hu, 40);
    if (NOSTRIL.distance(ax, y, z) < 0) return AIR;
    // A breath of air between tongue and palate.
    const gap = z + 45 + 4 * Math.hypot(ax / 20, (y + 48) / 26) ** 2;
    if (gap > 0 && gap < 3 && z > -48.5 && z < -43.5 && Math.hypot(ax / 20, (y + 48) / 26) < 1)
      return AIR + 200;
    return hu;
  },
};

function nasalCavity(x: number, ax: number, y: number, z: number): number {
  const septum = Math.abs(x - 1.8 * noise(3, y / 24, z / 20));
  if (septum < 1) return y > -78 ? 300 : 70;
  if (septum < 2.1) return 40;
  // Three turbinates a side: a scroll of thin bone in thick mucosa, hanging into the air.
  for (const [height, size] of [
    [-31, 5.6],
    [-20, 4.6],
    [-10, 3.2],
  ] as const) {
    const scroll = Math.hypot((ax - 7.6) / 0.75, z - height - 0.8 * noise(x / 5, y / 9, z / 5)) - size;
    if (scroll < 0 && Math.abs(y + 56) < 26) return Math.abs(scroll + size * 0.6) < 0.8 ? 420 : 45;
  }
  return AIR;
}

/** Eyeballs with lens, their muscles and nerves, in the fat of the orbits. */
export const eyes: Part = {
  box: { x: 54, y: [-88, -26], z: [-20, 20] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    const globe = Math.hypot(ax - 32, y + 72, z) - 12.2;
    if (globe < 0) {
      if (ellipsoid(ax - 32, y + 80.5, z, 4.8, 2.2, 4.8) < 0) return 105;
      return globe > -1.3 ? 62 : 12;
    }
    const socket = ORBIT.distance(ax, y, z);
    if (socket > 0 || hu > 300 || hu < -500) return hu;
    if (y < -76) return hu;
    if (OPTIC_NERVE.distance(ax, y, z) < 0) return 38;
    if (EYE_MUSCLES.some((muscle) => muscle.distance(ax, y, z) < 0)) return 58;
    return FAT;
  },
};
