import { describe, expect, it } from '@jest/globals';

import { judgeInput } from './campaign.js';
import { DOCUMENTS } from './samples.js';

/** The first inputs of one seed; `npm run fuzz` tries a million of another. */
const SEED = 20;
const COUNT = 2000;
const MAX_MS = 2000;
const KINDS = [...new Set(DOCUMENTS.map(([kind]) => kind))];

describe('the readers of files', () => {
  it(`give ${COUNT} mutated inputs a verdict each, in time`, async () => {
    const outcomes = new Map<string, number>();
    for (let index = 0; index < COUNT; index++) {
      const started = performance.now();
      const { format, outcome } = await judgeInput(SEED, index).catch((error: unknown) => {
        throw new Error(`input ${index} of seed ${SEED}: ${String(error)}`, { cause: error });
      });
      const ms = performance.now() - started;
      if (ms > MAX_MS) throw new Error(`input ${index} of seed ${SEED} took ${ms.toFixed()} ms`);
      outcomes.set(`${format} ${outcome}`, (outcomes.get(`${format} ${outcome}`) ?? 0) + 1);
    }
    // Mutations that all fail alike would try nothing.
    for (const format of ['dicom', 'zip', 'nifti', 'gradients']) {
      const rules = [...outcomes.keys()].filter((key) => key.startsWith(`${format} `));
      expect(rules.length).toBeGreaterThan(format === 'gradients' ? 1 : 3);
      expect(rules).toContain(`${format} accepted`);
    }
    // Few survive in formats with checksums or strict grammar, some do in most.
    const refusing = (kind: string) =>
      [...outcomes.keys()].some((key) => key.startsWith(`${kind} `) && key !== `${kind} accepted`);
    expect(KINDS.filter((kind) => !refusing(kind))).toEqual([]);
    const accepting = KINDS.filter((kind) => outcomes.has(`${kind} accepted`));
    expect(accepting.length).toBeGreaterThan(KINDS.length / 2);
  }, 60_000);

  it('are given the same input for the same seed and number', async () => {
    const twice = [1, 2].map(() => Promise.all([3, 5, 8, 13, 21].map((index) => judgeInput(SEED, index))));
    const [first, second] = await Promise.all(twice);
    expect(first).toEqual(second);
  });
});
