import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalDetail } from '../../audit.canonical.js';
import { writeFlatDetail } from './flat.detail.js';

/** As a jsonb comes: short names first, and blanks between members. */
const jsonbText = (detail: Record<string, unknown>): string =>
  `{${Object.entries(detail)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .sort((one, other) => one.length - other.length)
    .join(', ')}}`;

function written(text: string): string | undefined {
  const bytes = Buffer.from(`\u0001${text}`);
  const out = Buffer.alloc(bytes.length + 1);
  const at = writeFlatDetail(bytes, 1, bytes.length, out, 1);
  return at < 0 ? undefined : out.toString('utf8', 1, at);
}

const name = fc.oneof(
  fc.stringMatching(/^[ -~]{0,6}$/),
  fc.constantFrom('__proto__', '1', '10', '9', 'a!', 'a'),
);
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const flat = fc.dictionary(name, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)));

it('writes a flat detail as its canonical form', () => {
  let plain = 0;
  fc.assert(
    fc.property(flat, (detail) => {
      const found = written(jsonbText(detail));
      const expected = canonicalDetail(jsonbText(detail));
      if (Object.keys(detail).every((key) => !/["\\]/.test(key))) expect(found).toBe(expected);
      else expect(found ?? expected).toBe(expected);
      if (found !== undefined) plain++;
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(500);
});

it.each([
  '{"a": 1.5}',
  '{"a": 1e400}',
  '{"a": -1234567890123456}',
  '{"a": 9007199254740993}',
  '{"a": []}',
  '{"a": {}}',
  '{"é": 1}',
  '{"\\"": 1}',
  '[1, 2]',
  '"text"',
  '12',
])('leaves %s to be parsed', (detail) => {
  expect(written(detail)).toBeUndefined();
});

it('leaves a detail of very many members to be parsed', () => {
  const members = Array.from({ length: 40 }, (_, at) => [`n${String(at).padStart(2, '0')}`, at]);
  expect(written(jsonbText(Object.fromEntries(members)))).toBeUndefined();
});
