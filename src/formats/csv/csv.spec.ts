import { expect, it } from '@jest/globals';
import { csvLine } from './csv.js';

it('quotes what has to be quoted, and leaves empty what is not there', () => {
  expect(csvLine([1, true, null, undefined, 'a b', 'a,b', 'a"b', 'a\nb', ''])).toBe(
    '1,true,,,a b,"a,b","a""b","a\nb",\r\n',
  );
});

it.each([
  ['=1', "'=1"],
  [' =1', "' =1"],
  ['\t', "'\t"],
  ['-1', "'-1"],
])('has an apostrophe before %j, which would be computed', (text, cell) => {
  expect(csvLine([text])).toBe(`${cell}\r\n`);
});

it('has none before numbers', () => expect(csvLine([-1])).toBe('-1\r\n'));

it.each([
  ["x;=cmd|'/C calc'!A0;y", "x;'=cmd|'/C calc'!A0;y"],
  ['x; =1', "x; '=1"],
  ['x;;@SUM(A1)', "x;;'@SUM(A1)"],
  ['x\t+1', "x\t'+1"],
  ['x\n-1', `"x\n'-1"`],
  ['x\r\n =1', `"x\r\n '=1"`],
  ['x;"=1"', `"x;""'=1"""`],
  ['=1;=2', "'=1;'=2"],
])('has one within %j, where another list separator would begin a cell', (text, cell) => {
  expect(csvLine([text])).toBe(`${cell}\r\n`);
});

it.each(['a=b', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0)', 'a;b', '1-2', 'a\t;x=1'])(
  'has none in %j',
  (text) => expect(csvLine([text])).toBe(`${text}\r\n`),
);

it.each([';\t ', ' ', '" ', '='])('takes no longer for many of %j', (text) => {
  const begun = performance.now();
  csvLine([`x${text.repeat(300_000)}y`]);
  expect(performance.now() - begun).toBeLessThan(2000);
});
