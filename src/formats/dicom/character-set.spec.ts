import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { decodeText } from './character-set.js';

const decode = (hex: string, ...terms: string[]): string =>
  decodeText(Buffer.from(hex.replaceAll(' ', ''), 'hex'), terms);

/** Those with escapes are the examples of PS3.5 annexes H, I and K. */
describe('decodeText', () => {
  it.each([
    ['the default', 'Buc^Jerome', '427563 5e 4a65726f6d65', []],
    ['Latin-1', 'Buc^Jérôme', '427563 5e 4ae972f46d65', ['ISO_IR 100']],
    ['Latin-1 that nobody declared', 'é', 'e9', []],
    ['Latin-2', 'ł', 'b3', ['ISO_IR 101']],
    ['Cyrillic', 'Люк', 'bbeeda', ['ISO_IR 144']],
    ['Greek', 'Δ', 'c4', ['ISO_IR 126']],
    ['Arabic', 'ق', 'e2', ['ISO_IR 127']],
    ['Hebrew', 'ש', 'f9', ['ISO_IR 138']],
    ['Turkish', 'Ş', 'de', ['ISO_IR 148']],
    ['Thai', 'ก', 'a1', ['ISO_IR 166']],
    ['Latin-9', '€', 'a4', ['ISO_IR 203']],
    ['half-width katakana', 'ﾔﾏﾀﾞ^ﾀﾛｳ', 'd4cfc0de 5e c0dbb3', ['ISO_IR 13']],
    ['UTF-8', 'Wang^XiaoDong=王^小东', '57616e675e5869616f446f6e673d e78e8b 5e e5b08fe4b89c', ['ISO_IR 192']],
    ['GB18030', '王^小东', 'cdf5 5e d0a1b6ab', ['GB18030']],
    ['GBK', '王', 'cdf5', ['GBK']],
    [
      'Japanese with escapes',
      'Yamada^Tarou=山田^太郎=やまだ^たろう',
      '59616d6164615e5461726f753d 1b2442 3b33 4544 1b2842 5e 1b2442 4240 4f3a' +
        '1b2842 3d 1b2442 2464 245e 2440 1b2842 5e 1b2442 243f 246d 2426 1b2842',
      ['', 'ISO 2022 IR 87'],
    ],
    [
      'Japanese with JIS X 0201',
      'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎',
      'd4cfc0de 5e c0dbb3 3d 1b2442 3b334544 1b284a 5e 1b2442 42404f3a 1b284a',
      ['ISO 2022 IR 13', 'ISO 2022 IR 87'],
    ],
    [
      'Korean',
      'Hong^Gildong=洪^吉洞=홍^길동',
      '486f6e675e47696c646f6e673d 1b242943 fbf3 5e 1b242943 d1ced4d7 3d 1b242943 c8ab 5e 1b242943 b1e6b5bf',
      ['', 'ISO 2022 IR 149'],
    ],
    ['Chinese with escapes', 'Zhang=张', '5a68616e673d 1b242941 d5c5', ['', 'ISO 2022 IR 58']],
    ['Latin-1 with code extensions', 'é', 'e9', ['ISO 2022 IR 100']],
    ['an unknown term', 'é', 'e9', ['ISO_IR 999']],
    ['a term misspelt', 'é', 'e9', ['ISO-IR 100']],
  ])('reads %s', (_name, text, hex, terms) => {
    expect(decode(hex, ...terms)).toBe(text);
  });

  it('never throws', () => {
    const term = fc.constantFrom(
      '',
      'ISO_IR 192',
      'GB18030',
      'ISO 2022 IR 87',
      'ISO_IR 13',
      'x',
      '__proto__',
    );
    const byte = fc.oneof(fc.constantFrom(0x1b, 0x24, 0x28, 0x29, 0x42, 0x43, 0x44), fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), fc.array(term, { maxLength: 3 }), (bytes, terms) => {
        expect(typeof decodeText(Uint8Array.from(bytes), terms)).toBe('string');
      }),
    );
  });
});
