import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { verifyExport } from './export-verifier.js';
import { readEvent } from './held-events.js';
import { newKey, plantExport, type PlantedExport } from './planted-export.fixture.js';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size)
    yield await Promise.resolve(bytes.subarray(from, from + size));
}
const file = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(''));
const checkFiles = (events: Buffer, manifest: Buffer, { keys }: PlantedExport, pieces = 1000) =>
  verifyExport({ events: inPieces(events, pieces), manifest: inPieces(manifest, pieces) }, keys);
const check = (made: PlantedExport, pieces?: number) =>
  checkFiles(file(made.events), file(made.manifest), made, pieces);
const why = (code: string): unknown => expect.stringMatching(`^${code}: `);

const exports = fc.record({
  sizes: fc.array(fc.integer({ min: 2, max: 12 }), { minLength: 2, maxLength: 4 }),
  pieces: fc.integer({ min: 1, max: 3000 }),
  at: fc.nat(),
});

/** Tampers with copies of a complete export's lines; returns what has to be found. */
type Tampering = (
  made: PlantedExport,
  line: number,
) => { code: string; seq?: number; line?: number; manifest_line?: number; id?: string };

const ON_EVENTS: Record<string, Tampering> = {
  altered: ({ events, ids }, at) => {
    events[at] = events[at]!.replace('192.0.2.1', '192.0.2.2');
    return { code: 'altered', seq: at + 1, line: at + 1, id: ids[at]! };
  },
  're-dated': ({ events, ids }, at) => {
    events[at] = events[at]!.replace('2026-11-29', '2026-11-28');
    return { code: 'altered', seq: at + 1, line: at + 1, id: ids[at]! };
  },
  'made no event': ({ events }, at) => {
    events[at] = '{"broken';
    return { code: 'altered', seq: at + 1, line: at + 1 };
  },
  removed: ({ events }, at) => {
    events.splice(at, 1);
    return { code: '(removed|altered|truncated)', seq: at + 1, line: at + 1 };
  },
  added: ({ events }, at) => {
    events.splice(at, 0, events[at]!.replace('192.0.2.1', '192.0.2.2'));
    return { code: '(added|altered)', seq: at + 1, line: at + 1 };
  },
  reordered: ({ events }, at) => {
    const first = Math.min(at, events.length - 2);
    [events[first], events[first + 1]] = [events[first + 1]!, events[first]!];
    return { code: '(reordered|altered|removed)', seq: first + 1, line: first + 1 };
  },
  'cut off': ({ events }, at) => {
    events.splice(at);
    return { code: 'truncated', seq: at + 1, line: at + 1 };
  },
  'added at the end': ({ events }) => {
    events.push(events[0]!);
    return { code: 'added', line: events.length };
  },
};

describe('an export', () => {
  it('is valid as it was made, complete or filtered, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(exports, fc.boolean(), async ({ sizes, pieces, at }, filtered) => {
        const made = await plantExport(sizes, filtered ? (position) => (position + at) % 3 === 0 : undefined);
        const report = await check(made, pieces);
        expect(report).toMatchObject({
          valid: true,
          events: made.events.length,
          export: { complete: !filtered },
        });
        expect(report.through).toBeDefined();
      }),
      { numRuns: 40 },
    );
  });

  it.each(Object.keys(ON_EVENTS))('whose events were %s is found, and where', async (name) => {
    await fc.assert(
      fc.asyncProperty(exports, async ({ sizes, pieces, at }) => {
        const made = await plantExport(sizes);
        const { code, ...place } = ON_EVENTS[name]!(made, at % made.events.length);
        const report = await check(made, pieces);
        expect(report.valid).toBe(false);
        expect(report.first_bad).toMatchObject({ why: why(code), ...place });
      }),
      { numRuns: 25 },
    );
  });

  it('of which any byte of either file is another is not valid', async () => {
    const made = await plantExport([3, 5, 2]);
    const before = file(made.manifest);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const [events, manifest] = [file(made.events), Buffer.from(before)];
        const place = at % (events.length + manifest.length);
        const [altered, index] = place < events.length ? [events, place] : [manifest, place - events.length];
        altered[index] = altered[index]! ^ change;
        if ((await checkFiles(events, manifest, made)).valid) expectHarmless(before, manifest);
      }),
      { numRuns: 400 },
    );
  });

  // The smallest changes are those that a loose reader takes for none: the unused bits of base64, the next digit.
  it.each([1, 2, 4])('of which any byte of the manifest differs by %d is not valid', async (change) => {
    const made = await plantExport([2, 3]);
    const [events, before] = [file(made.events), file(made.manifest)];
    for (const at of before.keys()) {
      const manifest = Buffer.from(before);
      manifest[at] = manifest[at]! ^ change;
      if ((await checkFiles(events, manifest, made)).valid) expectHarmless(before, manifest);
    }
  });

  it('whose manifest lacks a line, or has one twice or elsewhere, is not valid', async () => {
    await fc.assert(
      fc.asyncProperty(
        exports,
        fc.constantFrom('lacks', 'twice', 'elsewhere'),
        async ({ sizes, at }, how) => {
          const made = await plantExport(sizes);
          const line = at % made.manifest.length;
          const [taken] = made.manifest.splice(line, how === 'twice' ? 0 : 1);
          if (how === 'twice') made.manifest.splice(line, 0, made.manifest[line]!);
          if (how === 'elsewhere') made.manifest.splice((line + 1) % (made.manifest.length + 1), 0, taken!);
          const report = await check(made);
          expect(report.valid).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('signed by another key is not valid', async () => {
    const made = await plantExport([2]);
    const { key, publicKey } = await newKey();
    const report = await check({ ...made, keys: new Map([[key.kid, publicKey]]) });
    expect(report).toMatchObject({ valid: false, first_bad: { manifest_line: 1, why: why('forged') } });
    expect(report.export).toBeUndefined();
  });

  it('of another format is proved by its parts', async () => {
    const made = await plantExport([3, 4], undefined, 'csv');
    expect(await check(made)).toMatchObject({ valid: true, events: 7 });
    made.events[6] = made.events[6]!.replace('192.0.2.1', '192.0.2.2');
    expect(await check(made)).toMatchObject({ valid: false, first_bad: { part: 2, why: why('altered') } });
  });

  it.each([null, '2026-11-29T00:00:30.000Z'])(
    'from %s that does not list its first tree is not valid',
    async (from) => {
      const made = await plantExport([2, 2, 2], undefined, 'ndjson', { from });
      made.manifest.splice(1, 1);
      made.events.splice(0, 2);
      expect(await check(made)).toMatchObject({
        valid: false,
        first_bad: { manifest_line: 2, seq: from ? 2 : 1, why: why('removed') },
      });
    },
  );

  it.each<[string, Parameters<typeof plantExport>, object]>([
    ['another head', [[2, 2], undefined, 'ndjson', { seal: 1 }], { manifest_line: 4, why: why('head') }],
    ['other events', [[2, 2], undefined, 'csv', { positions: '0'.repeat(64) }], { manifest_line: 1 }],
    ['other events of a month', [[2, 2], undefined, 'ndjson', { months: {} }], { manifest_line: 1 }],
    ['all there are', [[2, 2], (at) => at !== 3, 'ndjson', { complete: true }], { manifest_line: 1 }],
  ])('whose signed statement has %s is not valid', async (_, planted, found) => {
    const report = await check(await plantExport(...planted));
    expect(report).toMatchObject({ valid: false, first_bad: { why: why('statement'), ...found } });
  });

  it('is read without keeping more of a line than there can be in it', () => {
    expect(readEvent(Buffer.from(`{"time":"${'A'.repeat(1000)}"}`))).toEqual({ leaf: expect.any(Buffer) });
    const { month, time } = readEvent(Buffer.from('{"time":"+012026-11-29T00:00:00.001Z"}'));
    expect([month, new Date(time!).toISOString()]).toEqual(['+012026-11', '+012026-11-29T00:00:00.001Z']);
  });

  it.each<[string, (made: PlantedExport) => void, object]>([
    ['no JSON', ({ manifest }) => (manifest[1] = '{'), { manifest_line: 2, why: why('malformed') }],
    ['nothing', ({ manifest }) => manifest.splice(0), { manifest_line: 1, why: why('truncated') }],
    [
      'a line of 5 MB',
      ({ manifest }) => (manifest[1] = ' '.repeat(5e6)),
      { manifest_line: 2, why: why('malformed') },
    ],
    ['an event of 5 MB', ({ events }) => (events[2] = 'x'.repeat(5e6)), { line: 3, why: why('altered') }],
    [
      'a tree over too many organizations',
      ({ manifest }) => manifest.push(manifest.pop()!.replace('"size":3', '"size":8589934592')),
      { manifest_line: 4, why: why('malformed') },
    ],
    [
      'a member that nobody signed',
      ({ manifest }) =>
        (manifest[0] = manifest[0]!.replace('"filters":{', '"filters":{"__proto__":{"action":"x"}')),
      { manifest_line: 1, why: why('malformed') },
    ],
    [
      'a member twice',
      ({ manifest }) => (manifest[0] = manifest[0]!.replace('"rows":', '"rows":9,"rows":')),
      { manifest_line: 1, why: why('malformed') },
    ],
    [
      'filters in many',
      ({ manifest }) =>
        (manifest[0] = manifest[0]!.replace('"filters":{', `"filters":{"a":[${'{},'.repeat(1e6)}0]`)),
      { manifest_line: 1, why: why('malformed') },
    ],
    [
      'filters within filters',
      ({ manifest }) =>
        (manifest[0] = manifest[0]!.replace(
          '"filters":{',
          `"filters":{"a":${'['.repeat(2_500)}${']'.repeat(2_500)}`,
        )),
      { manifest_line: 1, why: why('malformed') },
    ],
    [
      'filters without end',
      ({ manifest }) =>
        (manifest[0] = manifest[0]!.replace(
          '"filters":{',
          `"filters":{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}`,
        )),
      { manifest_line: 1, why: why('malformed') },
    ],
  ])('with %s is told as that, with its line', async (_, tamper, expected) => {
    const made = await plantExport([2, 2]);
    tamper(made);
    expect((await check(made)).first_bad).toMatchObject(expected);
  });
});

/**
 * Of a change that is not told: it is of what proves nothing. That is marks, and how many organizations there are where that
 * leaves the path to the root as it is, which a tree of the next size may.
 */
function expectHarmless(before: Buffer, after: Buffer): void {
  const proving = (manifest: Buffer) =>
    manifest
      .toString()
      .trim()
      .split('\n')
      .map((line) => {
        const { marks, newest, ...rest } = JSON.parse(line) as { marks?: string; newest?: { size?: number } };
        void marks;
        return { ...rest, newest: { ...newest, size: undefined } };
      });
  expect(proving(after)).toEqual(proving(before));
}
