import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { instant, isInterval, writtenInstant } from './validation.js';

it.each([
  ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ['2026-01-01T00:00:00+02:00', '2025-12-31T22:00:00.000Z'],
  ['2026-01-01T00:00:00.1234Z', '2026-01-01T00:00:00.123Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
])('takes %s for a time', (text, time) => {
  expect(instant.parse(text)).toEqual(new Date(time));
  expect(writtenInstant.parse(text)).toBe(text);
});

it.each([
  '0000-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z',
  '1970-01-01T00:00:00+00:01',
  '9999-12-31T23:59:59-01:00', // the year 10000
  '2026-02-30T00:00:00Z',
  '2026-01-01',
  'yesterday',
  '',
])('takes %j for none', (text) => {
  expect(instant.safeParse(text).success).toBe(false);
});

it('an interval ends after it begins, whatever the offsets; either end may be open', () => {
  const written = z
    .strictObject({ from: writtenInstant.optional(), to: writtenInstant.optional() })
    .refine(...isInterval());
  const parsed = z
    .strictObject({ a: instant.optional(), b: instant.optional() })
    .refine(...isInterval('a', 'b'));
  const [early, late] = ['2026-01-01T23:00:00Z', '2026-01-01T00:00:00-02:00'];
  for (const given of [{}, { from: early }, { to: early }, { from: late, to: early }])
    expect(written.safeParse(given).success).toBe(true);
  for (const given of [
    { from: early, to: early },
    { from: early, to: late },
  ])
    expect(written.safeParse(given).error!.issues).toMatchObject([
      { path: ['to'], message: 'must be after from' },
    ]);
  expect(parsed.safeParse({ a: late, b: early }).success).toBe(true);
  expect(parsed.safeParse({ a: early, b: late }).error!.issues).toMatchObject([
    { path: ['b'], message: 'must be after a' },
  ]);
});
