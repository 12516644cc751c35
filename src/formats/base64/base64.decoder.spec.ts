import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Base64Decoder, NotBase64 } from './base64.decoder.js';

function decode(text: string, pieces: number[] = []): Buffer {
  const decoder = new Base64Decoder();
  const parts: Buffer[] = [];
  let from = 0;
  for (const size of pieces) {
    parts.push(decoder.write(text.slice(from, from + size)));
    from += size;
  }
  parts.push(decoder.write(text.slice(from)), decoder.end());
  return Buffer.concat(parts);
}

describe('Base64Decoder', () => {
  it('decodes what was encoded, in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.array(fc.nat(9)), (bytes, pieces) => {
        expect(decode(Buffer.from(bytes).toString('base64'), pieces)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('takes one text for a content and no other', () => {
    const text = fc.string({ unit: fc.constantFrom(...'AQgw/+=\n -_é'), maxLength: 12 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(5)), (given, pieces) => {
        const canonical = Buffer.from(given, 'base64').toString('base64') === given;
        if (canonical) expect(decode(given, pieces).toString('base64')).toBe(given);
        else expect(() => decode(given, pieces)).toThrow(NotBase64);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    'QQ',
    'QQ=',
    'QR==',
    'QUF=',
    'QQ==QQ==',
    'QQ===',
    '====',
    'Q=Q=',
    'QQ\n==',
    'QQ==\n',
    'Q-_Q',
    ' QUJD',
    'QUJD=====',
  ])('refuses %j', (text) => {
    expect(() => decode(text)).toThrow(NotBase64);
    expect(() => decode(text, [1, 1, 1, 1, 1])).toThrow(NotBase64);
  });

  it('says where', () => {
    expect(() => decode('QUJDQU*D')).toThrow('character 6');
  });
});
