import { Chain, type Part, type Point, Rod, rod } from './geometry.js';
import { randomFrom, valueNoise } from './noise.js';

const noise = valueNoise(53);

/** The dental arch seen from below: a half ellipse, open to the back. */
function onArch(angle: number, rx: number, ry: number): readonly [x: number, y: number] {
  return [rx * Math.sin(angle), -42 - ry * Math.cos(angle)];
}

/** How far a point lies outside the arch; along it, this is zero. */
function archDistance(ax: number, y: number, rx: number, ry: number): number {
  const u = ax / rx;
  const v = (y + 42) / ry;
  return y > -42 ? Math.hypot(ax - rx, 0) : Math.abs(Math.hypot(u, v) - 1) * Math.min(rx, ry);
}

const RAMUS = new Chain([
  [[31, -42, -78], 6],
  [[44, -22, -76], 6],
  [[49, -14, -60], 5],
  [[50, -8, -32], 4.5],
  [[50, -3, -16], 5],
]);
const CORONOID = new Chain([
  [[47, -24, -58], 5],
  [[48, -32, -24], 3],
]);
const CHIN = rod([0, -83, -90], [9, -81, -90], 5, 4);
const NERVE_CANAL = rod([34, -40, -84], [10, -80, -84], 1.4, 1.4);

/** Lower jaw, and the ridge of the upper one that holds its teeth. */
export const jawBones: Part = {
  box: { x: 60, y: [-94, 6], z: [-104, -8] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    const lower = Math.max(
      archDistance(ax, y, 31, 40) - 5.2 - 0.08 * (-66 - z),
      Math.abs(z + 80) - 14,
      y + 36,
    );
    const chin = CHIN.distance(ax, y, z);
    const upper = Math.max(archDistance(ax, y, 29, 39) - 5, Math.abs(z + 44) - 6, y + 38);
    const branch = Math.min(RAMUS.distance(ax, y, z), CORONOID.distance(ax, y, z));
    const distance = Math.min(lower, chin, upper, branch);
    if (distance > 0) return hu;
    if (NERVE_CANAL.distance(ax, y, z) < 0) return 60;
    return distance > -2 ? 1550 : 620 + 260 * noise(x / 2.2, y / 2.2, z / 2.6);
  },
};

interface Tooth {
  readonly crown: Point;
  readonly body: Rod;
  readonly canal: Rod;
  readonly radius: number;
}

/** Radii from the middle incisors to the second molars. */
const RADII = [3.6, 3.0, 3.5, 3.5, 3.5, 4.7, 4.6];

/** Seven teeth a side and jaw, side by side along the arch, roots away from the bite. */
function row(rx: number, ry: number, bite: number, up: number): Tooth[] {
  const random = randomFrom(59 + up);
  let angle = 0;
  return RADII.map((radius) => {
    const step = radius / Math.hypot(rx * Math.cos(angle), ry * Math.sin(angle));
    angle += step;
    const [x, y] = onArch(angle, rx, ry);
    angle += step;
    const [rootX, rootY] = onArch(angle - step, rx - 1.5, ry - 4);
    const tilt = (random() - 0.5) * 1.5;
    const crown: Point = [x, y, bite + up * 4.2];
    const root: Point = [rootX + tilt, rootY, bite + up * (19 + 2 * random())];
    return {
      crown,
      radius,
      body: new Rod(crown, root, radius, radius * 0.42),
      canal: new Rod(crown, root, 0.9, 0.5),
    };
  });
}

const teethOfSide: readonly Tooth[] = [...row(30, 41.5, -57.4, 1), ...row(29, 39.5, -58.6, -1)];

/** Crowns of enamel over dentine, with a canal down the root. */
export const teeth: Part = {
  box: { x: 40, y: [-92, -34], z: [-84, -36] },
  paint(x, y, z, hu) {
    const ax = Math.abs(x);
    for (const { crown, radius, body: shape, canal } of teethOfSide) {
      if (Math.abs(ax - crown[0]) > 9 || Math.abs(y - crown[1]) > 9) continue;
      const body = shape.distance(ax, y, z);
      if (body > 0) continue;
      const enamel = Math.hypot(ax - crown[0], y - crown[1], (z - crown[2]) * 0.85) < radius + 0.8;
      if (enamel && body > -1.3) return 2650;
      return canal.distance(ax, y, z) < 0 ? 250 : 1750;
    }
    return hu;
  },
};
