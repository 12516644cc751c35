import { describe, expect, it } from '@jest/globals';

import { boundedText, ownText } from './bounded-text.js';

describe('a bounded text', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'abc'],
    ['ab\u{1f600}', 3, 'ab'],
    ['a\u{1f600}b', 3, 'a\u{1f600}'],
    ['', 3, ''],
  ])('of %j by %i is %j', (text, most, bounded) => {
    expect(boundedText(text, most)).toBe(bounded);
    expect(boundedText(text, most)).not.toMatch(/\p{Surrogate}/u); // no half of a pair
  });
});

it('a text of its own is the same text', () => {
  expect(ownText('aé\u65e5\u{1f600}')).toBe('aé\u65e5\u{1f600}');
});
