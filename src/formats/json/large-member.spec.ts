import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LargeMemberReader, MalformedObject } from './large-member.js';

function read(json: Buffer, pieces: number[] = []): { rest: unknown; text: string } {
  let text = '';
  const reader = new LargeMemberReader('data', (piece) => (text += piece));
  let from = 0;
  for (const size of pieces) {
    const piece = Buffer.from(json.subarray(from, from + size));
    reader.write(piece);
    piece.fill(0); // whoever reads a stream uses its memory again
    from += Math.min(size, json.length - from);
  }
  reader.write(json.subarray(from));
  return { rest: JSON.parse(reader.end()) as unknown, text };
}

const object = (value: object) => Buffer.from(JSON.stringify(value));

describe('LargeMemberReader', () => {
  it('takes the member out, wherever it stands', () => {
    expect(read(object({ data: 'QUJD', name: 'a' }))).toEqual({
      rest: { data: '', name: 'a' },
      text: 'QUJD',
    });
    expect(read(object({ name: 'a', data: 'QUJD' }))).toEqual({
      rest: { data: '', name: 'a' },
      text: 'QUJD',
    });
  });

  it('takes no other for it: a value, a nested member, a longer name', () => {
    const other = { name: 'data', x: { data: 'n' }, y: ['data', { data: '1' }], datas: '2', dat: '3' };
    expect(read(object(other))).toEqual({ rest: other, text: '' });
  });

  it('reads slashes that are escaped, as some encoders do', () => {
    expect(read(Buffer.from('{"data":"a\\/b\\/\\/"}')).text).toBe('a/b//');
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":"x","b":{"a":1},"a":[]}',
    '{"data":"x","data":"y"}',
    '{"data":"x","b":1,"data":7}',
    '{"\\u0064ata":"x"}',
    '{"data":"x","d\\u0061ta":"y"}',
    '{"b":1,"a\\/":1}',
    '{"\xff":1,"\xfe":2}',
  ])('refuses names that some read otherwise: %j', (text) => {
    const json = Buffer.from(text, 'latin1');
    expect(() => read(json)).toThrow(MalformedObject);
    expect(() => read(json, Array<number>(json.length).fill(1))).toThrow(MalformedObject);
  });

  it('leaves names alone that are no names of the object', () => {
    const other = { a: { a: 1, 'b"': 2 }, b: ['a', 'a', { a: 'b' }, 'b\\'], c: 'a', d: 'a' };
    expect(read(object(other))).toEqual({ rest: other, text: '' });
    expect(read(Buffer.from('{"a":{"b":1,"b":2,"\\u0062":3}}')).rest).toEqual({ a: { b: 3 } });
  });

  it.each(['{"data":"a\\"b"}', '{"data":"\\u0041"}', '{"data":"a\\n"}', '{"data":"x","data":"y"}'])(
    'refuses %s',
    (text) => {
      expect(() => read(Buffer.from(text))).toThrow(MalformedObject);
    },
  );

  it('leaves what is no JSON to the parser of the rest', () => {
    for (const text of ['{"data":"x"', '{"data":"x', '{"data":"x"} y', '{"data" "x"}', '["data":"x"]', ''])
      expect(() => read(Buffer.from(text))).toThrow(SyntaxError);
  });

  it('keeps no more of the rest than a little', () => {
    expect(() => read(object({ name: 'x'.repeat(70_000), data: '' }))).toThrow(/too much/);
  });

  it('reads any object in any pieces as JSON.parse does', () => {
    const value = fc.record(
      {
        name: fc.string({ unit: 'binary' }),
        data: fc.base64String(),
        caseId: fc.jsonValue(),
        other: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const named = fc.dictionary(
      fc.string({ unit: fc.constantFrom(...'aä🫀/,:"\\\n'), maxLength: 3 }),
      fc.jsonValue(),
      { maxKeys: 3 },
    );
    let [refused, taken] = [0, 0];
    fc.assert(
      fc.property(
        fc.tuple(named, value).map((both) => Object.assign({}, ...both) as (typeof both)[1]),
        fc.array(fc.nat(7)),
        fc.boolean(),
        (given, pieces, escapes) => {
          const json = JSON.stringify(given);
          const sent =
            escapes && given.data !== undefined
              ? json.replaceAll(given.data, given.data.replaceAll('/', '\\/'))
              : json;
          if (Object.keys(given).some((name) => JSON.stringify(name).includes('\\'))) {
            refused++;
            return expect(() => read(Buffer.from(sent), pieces)).toThrow(MalformedObject);
          }
          taken++;
          const expected = JSON.parse(sent) as { data?: string };
          const { rest, text } = read(Buffer.from(sent), pieces);
          expect(rest).toEqual({ ...expected, ...(expected.data !== undefined && { data: '' }) });
          expect(text).toBe(expected.data ?? '');
        },
      ),
      { numRuns: 500 },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(20);
  });
});
