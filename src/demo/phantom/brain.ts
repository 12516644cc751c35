import { cavityDistance } from './cranium.js';
import { Chain, clamp, ellipsoid, mix, type Part, rod, smoothstep } from './geometry.js';
import { valueNoise } from './noise.js';

const FLUID = 7;
const WHITE = 25;
const GREY = 39;
const FALX = 62;
const noise = valueNoise(31);
const warp = valueNoise(37);

/**
 * The folded cortex. Where a warped noise is zero lies the bottom of a sulcus: fluid next to it, grey matter beside
 * the fluid, and white matter where both the surface and the next sulcus are far.
 */
function cerebrum(x: number, y: number, z: number, depth: number): number {
  const dx = warp(x / 15, y / 15, z / 17);
  const dy = warp(x / 15 + 9, y / 15, z / 17);
  const fold = noise(x / 9 + dx, y / 9 + dy, z / 11 + 0.7 * dx);
  const ridge = Math.abs(fold + 0.12 * noise(x / 4.5 + 3, y / 4.5, z / 6));
  const reach = clamp(1 - depth / (24 + 7 * dx), 0, 1);
  const root = Math.sqrt(reach);
  const sulcus = 0.1 * reach;
  const cortex = sulcus + 0.27 * root;
  const grey = Math.max(smoothstep(cortex + 0.08, cortex - 0.08, ridge), 1 - smoothstep(2.4, 3.8, depth));
  const tissue = mix(WHITE, GREY, grey);
  return reach === 0 ? tissue : mix(tissue, FLUID, (sulcus - ridge) / 0.06 + 0.4 * root);
}

/** The cerebellum has leaves instead of gyri: fine, nearly parallel, and bent around its middle. */
function cerebellum(x: number, y: number, z: number): number {
  const ax = Math.abs(x);
  const bend = Math.hypot(ax * 0.5 + 4, (y - 22) * 0.8, (z + 14) * 1.5) + 5 * warp(x / 11, y / 11, z / 11);
  const leaf = Math.abs(((bend / 4.6) % 1) - 0.5) * 2;
  const core = ellipsoid(ax - 18, y - 46, z + 22, 15, 11, 8);
  const outer = smoothstep(2, 16, core);
  const grey = Math.max(smoothstep(-3, 4, core) * 0.5, smoothstep(0.2, 0.7, leaf) * smoothstep(-4, 3, core));
  return mix(mix(WHITE + 2, GREY, grey), FLUID + 12, 0.7 * smoothstep(0.8, 1, leaf) * outer);
}

const LATERAL_VENTRICLE = new Chain([
  [[9, -36, 26], 3],
  [[10, -24, 32], 5.5],
  [[9, -4, 40], 5],
  [[12, 16, 40], 5],
  [[22, 32, 32], 6.5],
  [[24, 50, 24], 2.5],
]);
const TEMPORAL_HORN = new Chain([
  [[22, 32, 30], 6],
  [[32, 16, 6], 3],
  [[32, -6, -4], 2],
]);
const AQUEDUCT = rod([0, 14, 12], [0, 28, -6], 1.2, 1.4);
const CAUDATE = rod([14, -24, 30], [17, 2, 38], 6, 3);

/** Distance to the ventricles, in the half of the head with positive x. */
function ventricles(ax: number, y: number, z: number): number {
  const lateral = Math.min(LATERAL_VENTRICLE.distance(ax, y, z), TEMPORAL_HORN.distance(ax, y, z));
  const third = ellipsoid(ax, y + 2, z - 18, 2.6, 14, 10);
  const fourth = ellipsoid(ax, y - 32, z + 14, 7, 5.5, 12);
  const aqueduct = AQUEDUCT.distance(ax, y, z);
  return Math.min(lateral, third, fourth, aqueduct);
}

/** Thalamus, head of the caudate, and lentiform nucleus, as the distance to the nearest. */
function deepNuclei(ax: number, y: number, z: number): number {
  const thalamus = ellipsoid(ax - 10, y - 6, z - 22, 7, 14, 9);
  const caudate = CAUDATE.distance(ax, y, z);
  const lentiform = ellipsoid(ax - 24 - 0.12 * (y + 4), y + 4, z - 18, 6.5, 17, 11);
  return Math.min(thalamus, caudate, lentiform);
}

const STEM = new Chain([
  [[0, 4, 8], 14],
  [[0, 12, -16], 14.5],
  [[0, 24, -38], 8.5],
  [[0, 38, -62], 6.5],
]);

/** The stem is broader than deep, and not quite smooth. */
function stemDistance(ax: number, y: number, z: number): number {
  return STEM.distance(ax * 0.86, y + 1.4 * warp(ax / 9, y / 9, z / 12), z);
}

/** Spaces of fluid that are not between gyri: below the brain, around the stem, at the sides. */
function cisterns(ax: number, y: number, z: number, stem: number): number {
  const star = ellipsoid(ax, y + 16, z + 3, 15, 9, 7);
  const ambient = Math.abs(stem - 1.5) - 0.7 - 1.6 * warp(ax / 9, y / 9, 1);
  const sylvian = Math.max(
    Math.abs(z - 12 - 0.28 * (y + 10) - 3 * warp(ax / 14, y / 14, 3)) - 1.5 - 0.05 * (ax - 30),
    Math.abs(y + 12) - 34,
    32 + 0.2 * Math.abs(y + 12) - ax,
  );
  return Math.min(star, z < 10 ? ambient : Infinity, sylvian);
}

/** All that the skull holds. */
export const brain: Part = {
  box: { x: 70, y: [-82, 94], z: [-62, 108] },
  paint(x, y, z, hu) {
    const wall = cavityDistance(x, y, z);
    if (wall > 0) return hu;
    const depth = -wall - 2.2;
    if (depth < 0) return FLUID + 6 * smoothstep(1, 0, -wall);
    const ax = Math.abs(x + 1.2 * warp(0, y / 22, z / 22));

    const tent = 2 + 0.16 * (60 - y) + 18 * (1 - ax / 60);
    // In front the cerebellum ends at the petrous ridges, which run obliquely.
    const belowTent = y > 2 + 0.45 * ax && z < tent;
    // The falx stands between the hemispheres, down to the corpus callosum.
    const arch = Math.hypot((y - 2) / 46, (z - 22) / 30);
    if (!belowTent && arch > 1 && z > -8) {
      if (ax < 0.9) return y > -60 || z > 20 ? FALX : FLUID;
      if (ax < 2.2 + 0.8 * warp(y / 9, z / 9, 0)) return FLUID + 3;
    }
    if (y > 18 && Math.abs(z - tent) < 0.8 && ax > 10) return 50;

    const stem = z < 16 ? stemDistance(ax, y, z) : Infinity;
    const fluid = cisterns(ax, y, z, stem);
    const inner = ventricles(ax, y, z);
    let tissue: number;
    if (stem < 0) tissue = 31 + 3 * noise(x / 6, y / 6, z / 6);
    else if (belowTent) tissue = cerebellum(x, y, z);
    else {
      tissue = cerebrum(x, y, z, Math.min(depth, arch > 1 ? ax - 2 : Infinity));
      tissue = mix(tissue, GREY, 0.5 - deepNuclei(ax, y, z) / 1.6);
    }
    if (inner < 12) tissue = mix(tissue, WHITE, smoothstep(7, 2, inner) * (inner > 0 && z > 26 ? 0.8 : 0));
    tissue = mix(tissue, FLUID, 0.5 - inner / 1.2);
    if (stem > 0) tissue = mix(tissue, FLUID + 2, 0.5 - fluid / 1.4);
    return tissue + 2.5 * noise(x / 14, y / 14, z / 14);
  },
};

/** What turns to chalk in most adults: the pineal gland and the choroid plexus. */
export const calcifications: Part = {
  box: { x: 26, y: [14, 42], z: [16, 40] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    if (Math.hypot(ax, y - 20, (z - 17) * 0.7) < 2.6) return 210;
    const plexus = Math.hypot(ax - 22, y - 33, (z - 31) * 0.6);
    return plexus < 3 ? 60 + 90 * Math.max(0, noise(x, y, z)) : hu;
  },
};
