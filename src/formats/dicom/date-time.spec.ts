import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { isDate, isDateTime, isTime } from './date-time.js';

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

describe('dates and times', () => {
  it('has the days of the calendar, and no others', () => {
    const number = (least: number, most: number) => fc.integer({ min: least, max: most });
    fc.assert(
      fc.property(number(1, 9999), number(0, 13), number(0, 32), (year, month, day) => {
        const date = new Date(0);
        date.setUTCFullYear(year, month - 1, day);
        const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
        const text = `${digits(year, 4)}${digits(month, 2)}${digits(day, 2)}`;
        expect(isDate(text)).toBe(exists);
        expect(isDateTime(text)).toBe(exists);
      }),
      { numRuns: 2000 },
    );
  });

  it('has the seconds of a day, and no others', () => {
    for (let hour = 0; hour < 100; hour++) expect(isTime(digits(hour, 2))).toBe(hour < 24);
    for (let minute = 0; minute < 100; minute++) expect(isTime(`10${digits(minute, 2)}`)).toBe(minute < 60);
    for (let second = 0; second < 100; second++)
      expect(isTime(`1010${digits(second, 2)}`)).toBe(second <= 60);
  });

  it.each([20240101, 2024010110, 202401011015, 20240101101530].map(String))(
    'has %s with and without an offset',
    (text) => {
      for (const offset of ['', '+0000', '+0530', '-0330', '+1400', '-1200'])
        expect(isDateTime(text + offset)).toBe(true);
      for (const offset of ['-0000', '+1401', '-1201', '+1500', '+0060', 'Z', '+01', '+01:00'])
        expect(isDateTime(text + offset)).toBe(false);
    },
  );
});
