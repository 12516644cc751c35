import type { Random } from './random.js';

/** Values at which lengths, counts and offsets go wrong. */
const EDGES = [
  0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xfffe, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

/** Where interesting fields begin: right behind these. */
const MARKS = [
  'PK\x01\x02',
  'PK\x03\x04',
  'PK\x05\x06',
  'PK\x06\x06',
  'PK\x06\x07',
  'DICM',
  '\x1f\x8b',
  'SQ',
  'OB',
  '\xfe\xff',
  'IHDR',
  'IDAT',
  '\xff\xc0',
  '\xff\xda',
  'II',
  'RIFF',
  'VP8',
  '<svg',
  '%%EOF',
  '\xd0\xcf\x11\xe0',
  'R\0o\0',
  'W\0o\0',
  'ftyp',
  'moov',
  'mdat',
].map((mark) => Buffer.from(mark, 'latin1'));

type Mutation = (bytes: Buffer, random: Random, donor: Buffer) => Buffer;

const flipBits: Mutation = (bytes, random) => {
  for (let i = 0; i <= random.below(8); i++) {
    const at = place(bytes, random);
    if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
  }
  return bytes;
};

const setBytes: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  return bytes.fill(
    random.pick([0, 0xff, 0x20, 0x30, 0x2d, 0x41]),
    at,
    Math.min(bytes.length, at + 1 + random.below(8)),
  );
};

/** A number of 2, 4 or 8 bytes, in either order, to an edge or to something near the length of the whole. */
const editLength: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  const width = random.pick([2, 4, 4, 8]);
  if (at + width > bytes.length) return bytes;
  const value = random.chance(3) ? Math.max(0, bytes.length + random.below(65) - 32) : random.pick(EDGES);
  const little = !random.chance(4);
  const big = BigInt.asUintN(8 * width, BigInt(value));
  for (let i = 0; i < width; i++) {
    const byte = Number((big >> BigInt(8 * i)) & 0xffn);
    bytes[at + (little ? i : width - 1 - i)] = byte;
  }
  return bytes;
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

const remove: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40))]);
};

const insert: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(24)), bytes.subarray(at)]);
};

const repeat: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  const piece = bytes.subarray(at, at + 1 + random.below(200));
  const times = 1 + random.below(20);
  return Buffer.concat([
    bytes.subarray(0, at),
    ...Array.from({ length: times }, () => piece),
    bytes.subarray(at),
  ]);
};

/** The start of one, the end of another. */
const splice: Mutation = (bytes, random, donor) =>
  Buffer.concat([bytes.subarray(0, place(bytes, random)), donor.subarray(place(donor, random))]);

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  flipBits,
  setBytes,
  editLength,
  editLength,
  editLength,
  truncate,
  remove,
  insert,
  repeat,
  splice,
];

/** A changed copy of a sample. `donor` gives the pieces that are spliced in. */
export function mutate(sample: Uint8Array, random: Random, donor: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(sample);
  do bytes = random.pick(MUTATIONS)(bytes, random, donor);
  while (random.chance(2));
  return bytes;
}

/** Anywhere, but rather where a structure begins than amid the pixels. */
function place(bytes: Buffer, random: Random): number {
  const from = random.below(bytes.length + 1);
  if (random.chance(3)) return from;
  const mark = bytes.indexOf(random.pick(MARKS), from);
  return mark < 0 ? Math.min(from, random.below(600)) : Math.min(bytes.length, mark + random.below(60));
}
