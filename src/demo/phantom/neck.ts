import { Chain, ellipsoid, type Part, rod } from './geometry.js';
import { valueNoise } from './noise.js';

const noise = valueNoise(61);

/** Height of a vertebra with the disc below it. */
const SEGMENT = 17;
const TOP = -46;
const PROCESS = rod([12, 28, 0], [25, 32, 0], 5, 3.5);
const SPINOUS = rod([0, 48, 0], [2, 54, 0], 3.2, 2.6);

/** The cervical spine: bodies with discs, arches with spines, the canal with the cord. */
export const spine: Part = {
  box: { x: 34, y: [4, 74], z: [-120, -40] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    const canal = Math.hypot(ax / 11.5, (y - 39) / 9);
    if (canal < 1) return Math.hypot(ax / 6.5, (y - 38) / 4.6) < 1 ? 36 : 9;
    const phase = (((TOP - z) % SEGMENT) + SEGMENT) % SEGMENT;
    const grain = 130 * noise(x / 2.4, y / 2.4, z / 3);
    const body = ellipsoid(ax, y - 21, 0, 13.5, 10, 40);
    if (body < 0) {
      if (z < TOP - 8 && phase < 4) return 85;
      return body > -1.6 || phase < 5.4 || phase > SEGMENT - 1.4 ? 900 + grain : 330 + grain;
    }
    const process = PROCESS.distance(ax, y, 0);
    const hole = Math.hypot(ax - 18, y - 29) < 3;
    const arch = Math.max(Math.abs(canal - 1.22) - 0.22, phase < 5 ? 1 : -1);
    const spinous = Math.max(SPINOUS.distance(ax, y, 0), Math.abs(phase - 11) - 4);
    if (hole && process < 2) return 45;
    if (Math.min(process + (phase < 6 ? 9 : 0), arch, spinous) < 0) return 800 + 2 * grain;
    return hu;
  },
};

const CAROTID = new Chain([
  [[27, -4, -120], 3.6],
  [[26, 0, -84], 3.4],
  [[24, 4, -50], 2.6],
  [[20, 2, -26], 2.4],
]);
const JUGULAR = rod([33, 4, -120], [31, 10, -40], 5, 3.5);
const HYOID = rod([0, -46, -96], [22, -22, -92], 2.6, 2);

/** Vessels, the hyoid, the thyroid cartilage, and the salivary glands. */
export const neckOrgans: Part = {
  box: { x: 62, y: [-72, 30], z: [-120, -20] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    if (hu < -500) return hu;
    const vessel = Math.min(CAROTID.distance(ax, y, z), JUGULAR.distance(ax, y, z));
    if (vessel < 0) return 48;
    if (HYOID.distance(ax, y, z) < 0) return 650;
    const cartilage = Math.abs(ellipsoid(ax, y + 24, 0, 17, 21, 60)) - 1.6;
    if (z < -103 && y < -14 && cartilage < 0) return 190 + 90 * noise(x / 3, y / 3, z / 3);
    const parotid = ellipsoid(ax - 54, y + 2, z + 48, 9, 14, 20);
    const submandibular = ellipsoid(ax - 30, y + 34, z + 94, 9, 14, 9);
    if (Math.min(parotid, submandibular) < 0 && hu < 200) return 12 + 14 * noise(x / 3, y / 3, z / 3);
    return hu;
  },
};
