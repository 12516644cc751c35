import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isOneTimeCode, oneTimeCode } from './one-time-code.js';

const key = randomBytes(32);

describe('a one-time code', () => {
  it('is six digits of the challenge and the key, the same each time', () => {
    const id = randomUUID();
    expect(oneTimeCode(key, id)).toMatch(/^\d{6}$/);
    expect(oneTimeCode(key, id)).toBe(oneTimeCode(key, id));
    // Ten codes that are all alike would be one chance in 10^54.
    const others = Array.from({ length: 10 }, (_, index) => oneTimeCode(randomBytes(32), id + index));
    expect(new Set(others).size).toBeGreaterThan(1);
  });

  it('has every digit in every place about as often, also in front', () => {
    const counts = Array.from({ length: 6 }, () => Array<number>(10).fill(0));
    for (let turn = 0; turn < 10_000; turn++)
      [...oneTimeCode(key, String(turn))].forEach((digit, place) => counts[place]![Number(digit)]!++);
    for (const place of counts) for (const count of place) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  it('is told from every other', () => {
    const id = randomUUID();
    const code = oneTimeCode(key, id);
    const next = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
    expect([code, next, '000000'].map((guess) => isOneTimeCode(key, id, guess))).toEqual([
      true,
      false,
      code === '000000',
    ]);
  });
});
