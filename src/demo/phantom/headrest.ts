import { type Part } from './geometry.js';

/** The headrest of the table: a carbon shell with a foam pad, open to the front. */
export const headrest: Part = {
  box: { x: 112, y: [40, 131], z: [-120, 96] },
  paint(x, y, z, hu) {
    if (hu > -900) return hu;
    const radius = Math.hypot(x / 96, (y - 6) / 102);
    const outside = (radius - 1) * 98;
    if (y < 56 || outside < 0 || outside > 14) return hu;
    const edge = z > 92 || y < 58;
    if (outside > 9) return edge || outside > 12.1 || outside < 10.9 ? 180 : -880;
    return -955 + 12 * Math.sin(x / 7) * Math.sin(z / 9);
  },
};
