/** A random number generator with a seed (mulberry32): the phantom is the same wherever it is made. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LATTICE = 32;
const MASK = LATTICE - 1;

/** Value noise: smooth in three dimensions, from -1 to 1, features of the size of one unit. */
export type Noise = (x: number, y: number, z: number) => number;

export function valueNoise(seed: number): Noise {
  const random = randomFrom(seed);
  const lattice = Float32Array.from({ length: LATTICE ** 3 }, () => random() * 2 - 1);
  return (x, y, z) => {
    const x0 = Math.floor(x);
    const y0 = Math.floor(y);
    const z0 = Math.floor(z);
    const u = fade(x - x0);
    const v = fade(y - y0);
    const w = fade(z - z0);
    const xa = x0 & MASK;
    const xb = (x0 + 1) & MASK;
    const ya = (y0 & MASK) << 5;
    const yb = ((y0 + 1) & MASK) << 5;
    const za = (z0 & MASK) << 10;
    const zb = ((z0 + 1) & MASK) << 10;
    const aa = mix(lattice[xa + ya + za]!, lattice[xb + ya + za]!, u);
    const ba = mix(lattice[xa + yb + za]!, lattice[xb + yb + za]!, u);
    const ab = mix(lattice[xa + ya + zb]!, lattice[xb + ya + zb]!, u);
    const bb = mix(lattice[xa + yb + zb]!, lattice[xb + yb + zb]!, u);
    return mix(mix(aa, ba, v), mix(ab, bb, v), w);
  };
}

function fade(t: number): number {
  return t * t * (3 - 2 * t);
}

function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

/**
 * Quantum noise of a CT image with a standard deviation of 1: Gaussian, and correlated over about two pixels as a
 * reconstruction kernel leaves it. One tile serves for all slices, each of which starts at another place in it.
 */
export function quantumNoise(seed: number, length: number): Float32Array {
  const random = randomFrom(seed);
  const white = Float32Array.from({ length: length + 2 }, () => {
    // The sum of four uniform numbers is close enough to a normal distribution, and cheap.
    return (random() + random() + random() + random() - 2) * 1.732;
  });
  return Float32Array.from(
    { length },
    (_, i) => 0.41 * white[i]! + 0.82 * white[i + 1]! + 0.41 * white[i + 2]!,
  );
}
