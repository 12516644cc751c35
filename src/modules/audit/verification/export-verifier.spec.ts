import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { verifyExport } from './export-verifier.js';
import { newKey, plantExport, type PlantedExport } from './planted-export.fixture.js';

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += size)
    yield await Promise.resolve(bytes.subarray(from, from + size));
}
const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
const check = ({ events, manifest, keys }: PlantedExport, pieces = 1000) =>
  verifyExport(
    { events: inPieces(lines(events), pieces), manifest: inPieces(lines(manifest), pieces) },
    keys,
  );
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
    const files = [lines(made.events), lines(made.manifest)] as const;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const [events, manifest] = files.map((text) => Buffer.from(text)) as [Buffer, Buffer];
        const place = at % (events.length + manifest.length);
        const [file, index] = place < events.length ? [events, place] : [manifest, place - events.length];
        file[index] = file[index]! ^ change;
        const report = await verifyExport(
          {
            events: inPieces(events.toString('latin1'), 500),
            manifest: inPieces(manifest.toString('latin1'), 500),
          },
          made.keys,
        );
        if (report.valid) expect(isHarmless(files[1], manifest.toString('latin1'))).toBe(true);
      }),
      { numRuns: 400 },
    );
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

/** A change that is none: a mark, which proves nothing, or the spelling of JSON. */
function isHarmless(before: string, after: string): boolean {
  const plain = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => {
        const { marks, ...rest } = JSON.parse(line) as { marks?: string };
        void marks;
        return rest;
      });
  expect(plain(after)).toEqual(plain(before));
  return true;
}
