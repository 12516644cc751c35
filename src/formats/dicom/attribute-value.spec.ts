import { describe, expect, it } from '@jest/globals';

import { isEmptyValue, isSameValue, readAttributeValue } from './attribute-value.js';
import { findByKeyword } from './data-dictionary.js';

const read = (keyword: string, input: unknown): unknown => {
  const reading = readAttributeValue(findByKeyword(keyword)!, input);
  return reading.value === undefined ? reading.problem : reading.value;
};

describe('readAttributeValue', () => {
  it.each([
    ['PatientID', 'P-1', 'P-1'],
    ['OtherPatientIDs', 'A', 'A'],
    ['OtherPatientIDs', ['A'], 'A'],
    ['OtherPatientIDs', ['A ', 'B'], ['A', 'B']],
    ['PatientWeight', 70.5, '70.5'],
    ['ImagePositionPatient', [0, '-1.5', 2e3], ['0', '-1.5', '2000']],
    ['PregnancyStatus', 4, 4],
    ['PatientComments', 'this\\that', 'this\\that'],
    ['FrameType', ['A', 'B', 'C', 'D'], ['A', 'B', 'C', 'D']],
    ['FrameType', ['A', 'B', 'C', 'D', 'E'], ['A', 'B', 'C', 'D', 'E']],
    ['ImageType', ['A', 'B'], ['A', 'B']],
    ['ContourData', [1, 2, 3, 4, 5, 6], ['1', '2', '3', '4', '5', '6']],
  ])('%s takes %j', (keyword, input, kept) => expect(read(keyword, input)).toEqual(kept));

  it.each([
    ['PatientID', ['P-1'], 'takes one value, not a list'],
    ['PatientID', [], 'takes one value, not a list'],
    ['OtherPatientIDs', [], 'must not be empty'],
    ['OtherPatientIDs', ['A', ''], 'value 2 must not be empty'],
    ['OtherPatientIDs', ['A', null], 'value 2 must be text'],
    ['OtherPatientIDs', [['A'], 'B'], 'value 1 must be text'],
    ['OtherPatientIDs', 'A\\B', 'must not contain a backslash: several values are a list'],
    ['PatientComments', ['a', 'b'], 'takes one value, not a list'],
    ['ImagePositionPatient', [1, 2], 'takes 3 values'],
    ['ImagePositionPatient', 1, 'takes 3 values'],
    ['ImageType', 'A', 'takes 2-n values'],
    ['FrameType', ['A', 'B', 'C', 'D', 'E', 'F'], 'takes 4-5 values'],
    ['ContourData', [1, 2, 3, 4], 'takes 3-3n values'],
    ['PatientID', { Alphabetic: 'x' }, 'must be text'],
    ['PatientID', true, 'must be text'],
  ])('%s refuses %j', (keyword, input, problem) => expect(read(keyword, input)).toBe(problem));
});

describe('isSameValue', () => {
  it.each([
    ['PN', 'Doe^John', 'Doe^John^^^'],
    ['PN', 'Doe^John=', ' Doe ^ John '],
    ['PN', 'Yamada^T==やまだ^', 'Yamada^T==やまだ'],
    ['PN', 'Jérôme', 'Je\u0301ro\u0302me'],
    ['DS', '70.5', '70.500'],
    ['DS', '1e2', '100'],
    ['DS', '-0', '0.0'],
    ['IS', '007', '+7'],
    ['DA', '20240131', '2024.01.31'],
    ['TM', '101530.500000', '10:15:30.5'],
    ['TM', '101530.000', '101530'],
    ['CS', 'M', 'M '],
    ['FD', 1.5, '1.50'],
    ['UV', '18446744073709551615', '18446744073709551615'],
    ['LO', ['A', 'B'], ['A ', ' B']],
    ['LO', 'A', ['A']],
  ])('%s: %j is %j', (vr, one, other) => {
    expect(isSameValue(vr, one, other)).toBe(true);
    expect(isSameValue(vr, other, one)).toBe(true);
  });

  it.each([
    ['PN', 'Doe^John', 'Doe^^John'],
    ['PN', 'Doe^John', 'DOE^JOHN'],
    ['PN', '=Doe', 'Doe'],
    ['DS', '70.5', '70.51'],
    ['DS', '70.5', 'seventy'],
    ['IS', '7', 'x'],
    ['UV', '18446744073709551615', '18446744073709551614'],
    ['DA', '20240131', '20240130'],
    ['TM', '1015', '101500'],
    ['LO', '007', '7'],
    ['LO', ['A', 'B'], ['B', 'A']],
    ['LO', ['A', 'B'], 'A'],
  ])('%s: %j is not %j', (vr, one, other) => expect(isSameValue(vr, one, other)).toBe(false));
});

describe('isEmptyValue', () => {
  it('sees through padding and carets', () => {
    for (const value of ['', '  ', ['', ' ']]) expect(isEmptyValue('LO', value)).toBe(true);
    for (const value of ['^^^', '^=^', ' ^ ']) expect(isEmptyValue('PN', value)).toBe(true);
    for (const value of ['0', ['', 'A'], '^']) expect(isEmptyValue('LO', value)).toBe(false);
    expect(isEmptyValue('US', 0)).toBe(false);
  });
});
