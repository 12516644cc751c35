import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId } from '../database/id.js';
import { decodeCursor, encodeCursor, pageOf } from './cursor.js';

describe('a cursor', () => {
  it('gives back what was put in, and is safe in a URL', () => {
    const dates = fc.date({
      min: new Date(0),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, fc.uuid(), (createdAt, id) => {
        const cursor = encodeCursor({ createdAt, id });
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(decodeCursor(cursor)).toEqual({ createdAt, id });
      }),
    );
  });

  it('that is not ours is refused with the one word, whatever it is', () => {
    const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const id = newId();
    const wrong = [
      '',
      'x',
      made(null),
      made([]),
      made({}),
      made(['2026-01-01T00:00:00Z']),
      made(['2026-01-01T00:00:00Z', id, 1]),
      made(['2026-01-01T00:00:00Z', "' OR 1=1 --"]),
      made(['0000-01-01T00:00:00Z', id]), // no year of Postgres
      made(['1969-12-31T23:59:59Z', id]),
      made(['2026-02-30T00:00:00Z', id]),
      made([1767225600000, id]),
    ];
    for (const cursor of wrong)
      expect(() => decodeCursor(cursor)).toThrow('cursor: is not a cursor of this API');
    fc.assert(
      fc.property(fc.string(), (cursor) => {
        expect(() => decodeCursor(cursor)).toThrow('cursor: is not a cursor of this API');
      }),
    );
  });
});

it('a page says where the next begins when one row more was found, and only then', () => {
  const rows = Array.from({ length: 3 }, (_, at) => ({ createdAt: new Date(3000 - at), id: newId(), at }));
  expect(pageOf(rows, 2)).toEqual({ page: rows.slice(0, 2), next: encodeCursor(rows[1]!) });
  expect(pageOf(rows, 3)).toEqual({ page: rows });
  expect(pageOf([], 3)).toEqual({ page: [] });
});
