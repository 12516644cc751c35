import { describe, expect, it } from '@jest/globals';

import { DATA_ELEMENTS } from './data-dictionary.data.js';
import { findByKeyword, findByTag, hexFromTag, tagFromHex } from './data-dictionary.js';
import { DICTIONARY } from './dictionary.js';

const lines = DATA_ELEMENTS.trim().split('\n');

describe('the data dictionary', () => {
  it('has PS3.6, in order and each keyword once', () => {
    expect(lines.length).toBeGreaterThan(5000);
    expect([...lines].sort()).toEqual(lines);
    for (const part of [0, 3])
      expect(new Set(lines.map((line) => line.split(' ')[part])).size).toBe(lines.length);
    for (const line of lines)
      expect(line).toMatch(/^[\dA-F]{8} [A-Z]{2}(\|[A-Z]{2})* \d+(-\d*n|-\d+)? [A-Za-z]\w+$/);
  });

  it('has no keyword that could be taken for a tag', () => {
    expect(lines.filter((line) => tagFromHex(line.split(' ')[3]!) !== undefined)).toEqual([]);
  });

  it('says the same as the attributes that the reader and the writer know', () => {
    for (const [keyword, [tag, vr]] of Object.entries(DICTIONARY)) {
      const element = findByKeyword(keyword);
      expect(element).toMatchObject({ tag, keyword });
      expect(element!.vrs).toContain(vr);
      expect(findByTag(tag)).toEqual(element);
    }
  });

  it.each([
    ['PatientName', '00100010', ['PN'], '1'],
    ['OtherPatientIDs', '00101000', ['LO'], '1-n'],
    ['ImageOrientationPatient', '00200037', ['DS'], '6'],
    ['SmallestImagePixelValue', '00280106', ['US', 'SS'], '1'],
    ['PixelData', '7FE00010', ['OB', 'OW'], '1'],
    ['FrameType', '00089007', ['CS'], '4-5'],
    ['ComponentTypeCodeSequence', '00760034', ['SQ'], '1'],
    ['PyramidUID', '00080019', ['UI'], '1'],
  ])('knows %s', (keyword, hex, vrs, vm) => {
    const tag = parseInt(hex, 16);
    expect(findByKeyword(keyword)).toEqual({ tag, keyword, vrs, vm });
    expect(findByTag(tag)).toEqual({ tag, keyword, vrs, vm });
    expect(hexFromTag(tag)).toBe(hex);
  });

  it('does not know what is not registered, nor what objects inherit', () => {
    for (const name of ['', 'patientName', 'PatientName ', '00100010', 'constructor', '__proto__', 'UI'])
      expect(findByKeyword(name)).toBeUndefined();
    for (const tag of [0x00091001, 0x60000010, 0x00100012, 0xffffffff])
      expect(findByTag(tag)).toBeUndefined();
  });

  it('takes eight hexadecimal digits of either case for a tag', () => {
    expect(tagFromHex('0010001f')).toBe(0x0010001f);
    expect(tagFromHex('FFFEE00D')).toBe(0xfffee00d);
    for (const text of [
      '(0010,0010)',
      '0x100010',
      '100010',
      '0010001G',
      '001000100',
      ' 00100010',
      '+0100010',
    ])
      expect(tagFromHex(text)).toBeUndefined();
  });
});
