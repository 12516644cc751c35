import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { applyMergePatch } from './overlay.js';

const keyword = fc.constantFrom('PatientName', 'PatientID', 'StudyID', 'OtherPatientIDs', 'PatientWeight');
const value = fc.oneof(fc.string(), fc.integer(), fc.array(fc.string(), { maxLength: 3 }));
const overlay = fc.dictionary(keyword, value);
const patch = fc.dictionary(keyword, fc.option(value));

describe('applyMergePatch', () => {
  it('gives what RFC 7396 does', () => {
    /** The algorithm of section 2, to the letter. */
    const mergePatch = (target: unknown, change: unknown): unknown => {
      const isObject = (item: unknown): item is Record<string, unknown> =>
        typeof item === 'object' && item !== null && !Array.isArray(item);
      if (!isObject(change)) return change;
      const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
      for (const [name, item] of Object.entries(change)) {
        if (item === null) delete result[name];
        else result[name] = mergePatch(result[name], item);
      }
      return result;
    };
    fc.assert(
      fc.property(overlay, patch, (current, change) => {
        expect(applyMergePatch(current, change)).toEqual(mergePatch(current, change));
      }),
    );
  });

  it('is the same applied once or twice', () => {
    fc.assert(
      fc.property(overlay, patch, (current, change) => {
        const once = applyMergePatch(current, change);
        expect(applyMergePatch(once, change)).toEqual(once);
      }),
    );
  });

  it('removes by null, and leaves what the patch does not name', () => {
    fc.assert(
      fc.property(overlay, patch, (current, change) => {
        const merged = applyMergePatch(current, change);
        for (const [name, item] of Object.entries(change)) expect(merged[name]).toEqual(item ?? undefined);
        for (const name of Object.keys(current))
          if (!(name in change)) expect(merged[name]).toEqual(current[name]);
        expect(Object.values(merged)).not.toContain(null);
      }),
    );
  });

  it('of two patches the later prevails, and one of both does the same', () => {
    fc.assert(
      fc.property(overlay, patch, patch, (current, first, second) => {
        const oneByOne = applyMergePatch(applyMergePatch(current, first), second);
        expect(oneByOne).toEqual(applyMergePatch(current, { ...first, ...second }));
      }),
    );
  });

  it('does not mind the order of patches that name different attributes', () => {
    fc.assert(
      fc.property(overlay, patch, patch, (current, first, second) => {
        const apart = Object.fromEntries(Object.entries(second).filter(([name]) => !(name in first)));
        const [one, other] = [
          applyMergePatch(applyMergePatch(current, first), apart),
          applyMergePatch(applyMergePatch(current, apart), first),
        ];
        expect(JSON.stringify(one)).toBe(JSON.stringify(other));
      }),
    );
  });

  it('changes neither of its arguments', () => {
    const [current, change] = [
      Object.freeze({ PatientID: '1' }),
      Object.freeze({ PatientID: null, StudyID: '2' }),
    ];
    expect(applyMergePatch(current, change)).toEqual({ StudyID: '2' });
  });

  it('does not grow without end by patches that are small enough each', () => {
    const part = (name: string) => ({ [name]: 'x'.repeat(40_000) });
    const full = applyMergePatch({}, part('ReasonForVisit'));
    expect(() => applyMergePatch(full, part('PrescriptionNotes'))).toThrow(
      expect.objectContaining({ code: 'metadata_too_large', status: 400 }),
    );
    expect(applyMergePatch(full, { ...part('PrescriptionNotes'), ReasonForVisit: null })).toEqual(
      part('PrescriptionNotes'),
    );
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`a${i}`, 'x']));
    expect(() => applyMergePatch(many, { b: 'x' })).toThrow('more than 500 attributes');
  });
});
