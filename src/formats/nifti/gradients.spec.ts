import { describe, expect, it } from '@jest/globals';
import { processorTime } from '../processor-time.fixture.js';
import fc from 'fast-check';

import { readGradients } from './gradients.js';
import { diffusion } from './nifti.fixture.js';

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');
const unit = '0 1 0\n0 0 .6\n0 0 -8e-1\n';

describe('readGradients accepts', () => {
  it('b-values and vectors, as many as there are volumes', () => {
    expect(readGradients(diffusion.bval, diffusion.bvec, 4)).toEqual({
      ok: true,
      bValues: [0, 1000, 1000, 1000],
    });
  });

  it.each([
    ['a column of b-values', '0\n1000\n2000.5\n', unit],
    ['Windows lines, tabs and blanks', '0\t1000  +2e3\r\n\r\n', unit.replaceAll('\n', ' \r\n')],
    ['no line end at the end', '0 5 5', unit.trimEnd()],
    ['vectors that were rounded', '0 5 5', '0 .95 1.05\n0 0 0\n-0 0 0'],
  ])('%s', (_name, bval, bvec) => {
    expect(readGradients(text(bval), text(bvec), 3)).toMatchObject({ ok: true });
  });
});

describe('readGradients refuses', () => {
  it.each([
    ['b-value 3', '0 1000', unit],
    ['b-value 4', '0 1 2 3', unit],
    ['b-value 1', '', unit],
    ['b-value 2', '0 nan 3', unit],
    ['b-value 2', '0 1e999 3', unit],
    ['b-value 2', '0 0x10 3', unit],
    ['b-value 1', '. 1 3', unit],
    ['b-value 2', '0,1000,2000', unit],
    ['row 1', '0 1 2', ''],
    ['row 3', '0 1 2', '0 1 0\n0 0 1'],
    ['row 4', '0 1 2', `${unit}0 0 0`],
    ['row 1', '0 1 2', '0 0 0 0\n0 0 0\n0 0 0'],
    ['row 3', '0 1 2', '0 0 0\n0 0 0\n0 0'],
    ['vector 2', '0 1 2', '0 .94 0\n0 0 0\n0 0 0'],
    ['vector 3', '0 1 2', '0 1 1.06\n0 0 0\n0 0 0'],
    ['vector 1', '0 1 2', 'inf 1 1\n0 0 0\n0 0 0'],
    ['vector 1', '0 1 2', '1e999 1 1\n0 0 0\n0 0 0'],
  ])('%s of %j, %j', (where, bval, bvec) => {
    expect(readGradients(text(bval), text(bvec), 3)).toMatchObject({
      ok: false,
      rule: 'nifti.gradients',
      where,
    });
  });

  it('vectors in columns of their own', () => {
    const columns = '0 0 0\n1 0 0\n0 1 0\n0 0 1\n';
    expect(readGradients(diffusion.bval, text(columns), 4)).toMatchObject({ rule: 'nifti.gradients' });
  });

  it('files larger than 4 MiB, and smaller ones in no time', async () => {
    const zeros = text('0 '.repeat(2 * 1024 * 1024));
    expect(readGradients(zeros, diffusion.bvec, 2 * 1024 * 1024)).toMatchObject({ where: 'row 1' });
    expect(readGradients(Buffer.concat([zeros, text(' ')]), diffusion.bvec, 4).ok).toBe(false);
    const spent = await processorTime(() => {
      for (const word of ['1', '1.', 'e', '+', '1e'])
        expect(readGradients(text(`${word.repeat(1_000_000)}x`), diffusion.bvec, 1).ok).toBe(false);
    });
    expect(spent).toBeLessThan(2000);
  });

  it('nothing that is a set', () => {
    const vector = fc
      .tuple(fc.double({ min: 0, max: Math.PI, noNaN: true }), fc.double({ min: 0, max: 6.28, noNaN: true }))
      .map(([theta, phi]) => [
        Math.sin(theta) * Math.cos(phi),
        Math.sin(theta) * Math.sin(phi),
        Math.cos(theta),
      ]);
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(finite, vector), { minLength: 1, maxLength: 50 }), (volumes) => {
        const bValues = volumes.map(([bValue]) => bValue);
        const rows = [0, 1, 2].map((axis) => volumes.map(([, xyz]) => xyz[axis]).join(' '));
        expect(readGradients(text(bValues.join(' ')), text(rows.join('\n')), volumes.length)).toEqual({
          ok: true,
          bValues: bValues.map((value) => value + 0), // written, -0 is 0
        });
      }),
    );
  });
});
