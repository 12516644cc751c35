import { describe, expect, it } from '@jest/globals';
import { isOlderThan, monthNamed, monthsAfter } from './month.js';

describe('a month', () => {
  it('is named by year and number', () => {
    expect(monthNamed('2020-12')).toEqual({
      name: '2020-12',
      from: new Date('2020-12-01T00:00:00.000Z'),
      to: new Date('2021-01-01T00:00:00.000Z'),
    });
    for (const name of ['2020-13', '2020-00', '2020-1', '20-01', '2020-01-01', ' 2020-01', ''])
      expect(monthNamed(name)).toBeUndefined();
  });

  it('is old enough when its last event is', () => {
    const month = monthNamed('2020-10')!;
    expect(isOlderThan(month, 72, new Date('2026-10-31T23:59:59.999Z'))).toBe(false);
    expect(isOlderThan(month, 72, new Date('2026-11-01T00:00:00.000Z'))).toBe(true);
    expect(isOlderThan(month, 1, new Date('2020-12-01T00:00:00.000Z'))).toBe(true);
  });
});

it('counts months from the end of a longer one', () => {
  expect(monthsAfter(new Date('2024-02-29T12:00:00Z'), 12)).toEqual(new Date('2025-02-28T12:00:00Z'));
  expect(monthsAfter(new Date('2024-05-31T12:00:00Z'), -3)).toEqual(new Date('2024-02-29T12:00:00Z'));
  expect(monthsAfter(new Date('2024-01-15T12:00:00Z'), -1)).toEqual(new Date('2023-12-15T12:00:00Z'));
});
