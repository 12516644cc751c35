/**
 * The shapes that the phantom is made of. Coordinates are those of the patient in millimetres (PS3.3 section
 * C.7.6.2.1.1): x grows to the left, y to the back, z to the head; the origin lies between the eyes and the ears.
 * A distance is negative inside a shape.
 */
export type Point = readonly [x: number, y: number, z: number];

export interface Box {
  /** From `-x` to `x`: the head is symmetrical. */
  readonly x: number;
  readonly y: readonly [from: number, to: number];
  readonly z: readonly [from: number, to: number];
}

/** A piece of anatomy: what it makes of the Hounsfield units that the pieces before it have left at a point. */
export interface Part {
  readonly box: Box;
  paint(x: number, y: number, z: number, hu: number): number;
}

export function clamp(value: number, from: number, to: number): number {
  return value < from ? from : value > to ? to : value;
}

export function smoothstep(from: number, to: number, value: number): number {
  const t = clamp((value - from) / (to - from), 0, 1);
  return t * t * (3 - 2 * t);
}

/** The union of two shapes, given their distances, with a fillet of about `radius`. */
export function smoothUnion(a: number, b: number, radius: number): number {
  const h = Math.max(radius - Math.abs(a - b), 0) / radius;
  return Math.min(a, b) - h * h * radius * 0.25;
}

/** Distance to an ellipsoid about the origin; exact on its surface and good near it. */
export function ellipsoid(x: number, y: number, z: number, rx: number, ry: number, rz: number): number {
  const u = x / rx;
  const v = y / ry;
  const w = z / rz;
  const k0 = Math.sqrt(u * u + v * v + w * w);
  const k1 = Math.sqrt((u * u) / (rx * rx) + (v * v) / (ry * ry) + (w * w) / (rz * rz));
  return k1 === 0 ? -Math.min(rx, ry, rz) : (k0 * (k0 - 1)) / k1;
}

/** A rod from `a` to `b` whose radius goes from `ra` to `rb`. */
export class Rod {
  private readonly bx: number;
  private readonly by: number;
  private readonly bz: number;
  private readonly perSquare: number;

  constructor(
    private readonly a: Point,
    b: Point,
    private readonly ra: number,
    private readonly rb: number,
  ) {
    this.bx = b[0] - a[0];
    this.by = b[1] - a[1];
    this.bz = b[2] - a[2];
    this.perSquare = 1 / (this.bx * this.bx + this.by * this.by + this.bz * this.bz);
  }

  distance(x: number, y: number, z: number): number {
    const { bx, by, bz } = this;
    const px = x - this.a[0];
    const py = y - this.a[1];
    const pz = z - this.a[2];
    const t = clamp((px * bx + py * by + pz * bz) * this.perSquare, 0, 1);
    const dx = px - bx * t;
    const dy = py - by * t;
    const dz = pz - bz * t;
    return Math.sqrt(dx * dx + dy * dy + dz * dz) - (this.ra + (this.rb - this.ra) * t);
  }
}

/** Where a chain is this far away or farther, in millimetres, it does not matter how far. */
const FAR = 14;

/** A chain of rods through points that each have a radius. */
export class Chain {
  private readonly rods: readonly Rod[];
  private readonly low: Point;
  private readonly high: Point;

  constructor(links: readonly (readonly [Point, number])[]) {
    this.rods = links.slice(1).map(([b, rb], i) => new Rod(links[i]![0], b, links[i]![1], rb));
    const corner = (sign: number): Point => {
      const at = (axis: 0 | 1 | 2): number =>
        sign * Math.max(...links.map(([point, radius]) => sign * point[axis] + radius + FAR));
      return [at(0), at(1), at(2)];
    };
    this.low = corner(-1);
    this.high = corner(1);
  }

  /** The distance, or `FAR` where the chain is farther than that. */
  distance(x: number, y: number, z: number): number {
    const { low, high } = this;
    if (x < low[0] || y < low[1] || z < low[2] || x > high[0] || y > high[1] || z > high[2]) return FAR;
    let distance = FAR;
    for (const rod of this.rods) distance = Math.min(distance, rod.distance(x, y, z));
    return distance;
  }
}

/** A chain of one rod. */
export function rod(a: Point, b: Point, ra: number, rb: number): Chain {
  return new Chain([
    [a, ra],
    [b, rb],
  ]);
}

/** The mean of a and b, with a share of b between 0 and 1. */
export function mix(a: number, b: number, share: number): number {
  return a + (b - a) * clamp(share, 0, 1);
}

/** The value at `x` of a curve through `[x, value]` points in rising order, straight between them. */
export function along(curve: readonly (readonly [number, number])[], x: number): number {
  let previous = curve[0]!;
  for (const point of curve) {
    if (x < point[0]) {
      const t = point === previous ? 0 : (x - previous[0]) / (point[0] - previous[0]);
      return previous[1] + (point[1] - previous[1]) * clamp(t, 0, 1);
    }
    previous = point;
  }
  return previous[1];
}
