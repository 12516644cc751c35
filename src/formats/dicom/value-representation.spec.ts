import { describe, expect, it } from '@jest/globals';
import { processorTime } from '../processor-time.fixture.js';
import fc from 'fast-check';

import { readValue } from './value-representation.js';

const read = (vr: string, input: unknown): unknown => {
  const reading = readValue(vr, input);
  return reading.value === undefined ? { problem: reading.problem } : reading.value;
};
const problem = expect.objectContaining({ problem: expect.any(String) });

/** PS3.5 table 6.2-1, VR by VR: what is accepted and how it is kept, and what is refused. */
const cases: [vr: string, accepted: [unknown, unknown?][], refused: unknown[]][] = [
  ['AE', [['STORE_SCP'], [' A B ', 'A B'], ['x'.repeat(16)]], ['', '   ', 'x'.repeat(17), 'Ä', 'A\\B', 1]],
  ['AS', [['018M'], ['054Y'], ['000D'], ['999W']], ['54Y', '054', '054y', '0541Y', '054J']],
  ['AT', [['00100010'], ['0010001f', '0010001F']], ['PatientName', '0010,0010', 1048592]],
  ['CS', [['HEAD'], ['A_1 B'], ['M ', 'M']], ['head', 'A-B', 'Ä', 'X'.repeat(17), 'A\\B']],
  ['DA', [['20240229'], ['19000101'], ['00010101'], ['20241231 ', '20241231']], []],
  [
    'DA',
    [],
    ['20230229', '20240431', '20241301', '20240100', '00000101', '2024-02-29', '2024.02.29', 20240229],
  ],
  ['DA', [], ['20240101-20240201', '2024', '202402', '20240229101010']],
  [
    'DS',
    [['70.5'], [' 70.50 ', '70.50'], ['-1.5E-3'], ['+.5'], ['5.'], [70.5, '70.5'], [0, '0'], [-0, '0']],
    [],
  ],
  [
    'DS',
    [[1e21, '1e+21'], ['1234567890123456']],
    ['12345678901234567', '1,5', 'NaN', 'Infinity', '1e999', 'x', '.'],
  ],
  ['DS', [], [Infinity, NaN, 0.1 + 0.2, true, null, '0x10', '1 2', '']],
  ['DT', [['2024'], ['202402'], ['20240229'], ['2024022910'], ['20240229101530.123456+0100']], []],
  ['DT', [['20240229101530-1200'], ['2024+1400'], ['20161231235960']], ['20240229101530-1230', '2024+1401']],
  [
    'DT',
    [],
    ['20230229', '2024022924', '20240229-0000', '202', '20240', '2024-02-29', '202402291015.5', '2024+1060'],
  ],
  [
    'IS',
    [['-2147483648'], ['2147483647'], ['+7'], ['007'], [7, '7']],
    ['2147483648', '1.0', '', 1.5, 2 ** 31, '1e3'],
  ],
  [
    'LO',
    [['Müller & Söhne'], ['x'.repeat(64)], ['😀'.repeat(64)], [' a ', 'a']],
    ['x'.repeat(65), '😀'.repeat(65)],
  ],
  [
    'LO',
    [['a^b=c']],
    ['a\nb', 'a\tb', 'a\u0000', '\u001b(B', '\u0085', '\u2028', '\ud800', 'a\\b', 5, {}, [], null],
  ],
  [
    'LT',
    [['two\r\nlines\tand a \\ backslash'], [' x ', ' x'], ['x'.repeat(10_240)]],
    ['x'.repeat(10_241), 'a\u0000'],
  ],
  ['PN', [['Müller^Jörg'], ['A^B^C^D^E'], ['Yamada^Tarou=山田^太郎=やまだ^たろう'], ['x'.repeat(64)]], []],
  [
    'PN',
    [[`${'x'.repeat(64)}=${'y'.repeat(64)}`]],
    ['A^B^C^D^E^F', 'a=b=c=d', 'x'.repeat(65), '^^^', '=', ' ^ ', ''],
  ],
  ['SH', [['x'.repeat(16)]], ['x'.repeat(17), 'a\\b']],
  ['ST', [['a\\b\nc'], ['x'.repeat(1024)]], ['x'.repeat(1025)]],
  [
    'TM',
    [['10'], ['1015'], ['101530'], ['101530.5'], ['235960.999999']],
    ['24', '1060', '101561', '1015.5', '10:15', '1'],
  ],
  ['UC', [['x'.repeat(20_000)]], ['a\\b', 'a\nb', '']],
  [
    'UR',
    [['https://example.org/a?b=c#d'], ['urn:oid:1.2 ', 'urn:oid:1.2']],
    ['http://ä.example', 'a b', 'a\\b', '<a>'],
  ],
  ['UT', [['x\n'.repeat(20_000).trim()]], ['', '  ', 'a\u0007']],
  ['FL', [[1.5], [-3.4e38], [0]], [3.5e38, '1.5', NaN, Infinity, null]],
  ['FD', [[1.7e308]], [Infinity, '1']],
  ['SL', [[-(2 ** 31)], [2 ** 31 - 1]], [2 ** 31, -(2 ** 31) - 1, 0.5, '1']],
  ['SS', [[-32768], [32767]], [32768, -32769]],
  ['UL', [[0], [2 ** 32 - 1]], [-1, 2 ** 32]],
  ['US', [[65535]], [-1, 65536, 1.5]],
  [
    'SV',
    [['-9223372036854775808'], ['9223372036854775807'], [5, '5']],
    ['9223372036854775808', 2 ** 53, '1.0', 'x'],
  ],
  ['UV', [['18446744073709551615'], [0, '0']], ['18446744073709551616', '-1', -1, 1.5]],
  ['OB', [], ['AAAA', 1]],
  ['SQ', [], [{}, []]],
];

describe('readValue', () => {
  for (const [vr, accepted, refused] of cases) {
    if (accepted.length > 0)
      it.each(accepted)(`${vr} accepts %j`, (...[input, kept = input]) =>
        expect(read(vr, input)).toEqual(kept),
      );
    if (refused.length > 0)
      it.each(refused.map((input) => [input]))(`${vr} refuses %j`, (input) =>
        expect(read(vr, input)).toEqual(problem),
      );
  }

  it('refuses without repeating the value', () => {
    for (const [vr, , refused] of cases) {
      for (const input of refused.filter(
        (item): item is string => typeof item === 'string' && item.length > 3,
      ))
        expect((read(vr, input) as { problem: string }).problem).not.toContain(input);
    }
  });

  it('keeps what it kept', () => {
    const vrs = fc.constantFrom(...new Set(cases.map(([vr]) => vr)));
    const inputs = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.integer(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString().replaceAll(/[-:TZ]/g, '')),
      fc.constantFrom(...cases.flatMap(([, accepted]) => accepted.map(([input]) => input))),
    );
    let kept = 0;
    fc.assert(
      fc.property(vrs, inputs, (vr, input) => {
        const { value } = readValue(vr, input);
        if (value === undefined) return;
        kept++;
        expect(readValue(vr, value)).toEqual({ value });
        expect(JSON.parse(JSON.stringify(value))).toEqual(value);
      }),
      { numRuns: 3000 },
    );
    expect(kept).toBeGreaterThan(300);
  });

  it('answers soon on long runs of one character', async () => {
    const spent = await processorTime(() => {
      for (const [vr] of cases)
        for (const unit of [' ', '^', '=', '0', '.', 'a ', '\\']) readValue(vr, `x${unit.repeat(60_000)}x`);
    });
    expect(spent).toBeLessThan(2000);
  });
});
