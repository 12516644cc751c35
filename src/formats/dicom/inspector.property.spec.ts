import { describe, expect, it } from '@jest/globals';
import { processorTime } from '../processor-time.fixture.js';
import fc from 'fast-check';

import { concat, description, identity, inspect, pixels, sequences } from './dicom.fixture.js';
import { DicomInspector, type DicomVerdict } from './inspector.js';
import { DICOM_RULES } from './rules.js';
import { TRANSFER_SYNTAX } from './transfer-syntax.js';
import { writeDicom } from './write.js';

/** Mutated inputs tried; more of them find more: `DICOM_FUZZ_RUNS=1000000`. */
const FUZZ_RUNS = Number(process.env['DICOM_FUZZ_RUNS'] ?? 1000);

const files = Object.values(TRANSFER_SYNTAX).map((transferSyntaxUid) => {
  const encapsulated = transferSyntaxUid === TRANSFER_SYNTAX.jpegBaseline;
  const value = { fragments: [new Uint8Array(100).fill(3), new Uint8Array(20)] };
  const pixelData = encapsulated ? ({ tag: 'PixelData', value } as const) : pixels;
  return writeDicom({ transferSyntaxUid, elements: [...description, ...sequences, pixelData] });
});

/** Bytes changed, bytes lost, bytes repeated: the places and values come from fast-check, so that it can shrink them. */
const mutated = fc
  .record({
    file: fc.constantFrom(...files),
    changes: fc.array(
      fc.record({ at: fc.nat(2000), byte: fc.constantFrom(0, 1, 0x7f, 0xfe, 0xff, 0xe0, 0x53, 0x51) }),
      {
        maxLength: 6,
      },
    ),
    cut: fc.option(fc.tuple(fc.nat(2000), fc.nat(40))),
    appended: fc.uint8Array({ maxLength: 30 }),
  })
  .map(({ file, changes, cut, appended }) => {
    const bytes = Buffer.from(file);
    for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
    if (cut === null) return concat(bytes, appended);
    const at = cut[0] % bytes.length;
    return concat(bytes.subarray(0, at), bytes.subarray(at + cut[1]), appended);
  });

async function inspectInChunks(bytes: Uint8Array, sizes: readonly number[]): Promise<DicomVerdict> {
  const inspector = new DicomInspector();
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    inspector.write(bytes.subarray(at, at + size));
    at += size;
  }
  return inspector.end();
}

describe('DicomInspector', () => {
  it('gives one verdict however the bytes are split', async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 3000 })), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constantFrom(...files), mutated), sizes, async (bytes, chunks) => {
        expect(await inspectInChunks(bytes, chunks)).toEqual(await inspect(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it(
    `neither throws nor hangs on ${FUZZ_RUNS} mutated files, and says why it refuses`,
    async () => {
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(mutated, async (bytes) => {
          const verdict = await inspect(bytes);
          if (verdict.ok) return;
          refused++;
          expect(verdict.message).toBe(DICOM_RULES[verdict.rule]);
        }),
        { numRuns: FUZZ_RUNS },
      );
      expect(refused).toBeGreaterThan(FUZZ_RUNS / 10);
    },
    5000 + 10 * FUZZ_RUNS,
  );

  it('neither throws on noise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const prefixed = concat(files[1]!.subarray(0, 300), bytes);
        expect((await inspect(bytes)).ok).toBe(false);
        await inspect(prefixed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('100,000 nested items', () => {
  const LEVELS = 100_000;
  const head = writeDicom({ elements: identity });
  const openSequence = Buffer.from('081040115351' + '0000' + 'ffffffff', 'hex');
  const openItem = Buffer.from('feff00e0ffffffff', 'hex');
  const closeItem = Buffer.from('feff0de000000000', 'hex');
  const closeSequence = Buffer.from('feffdde000000000', 'hex');
  const repeat = (...parts: Uint8Array[]): Buffer => {
    const one = concat(...parts);
    return Buffer.alloc(one.length * LEVELS, one);
  };
  const opened = repeat(openSequence, openItem);

  it('are walked by their delimiters', async () => {
    const bytes = concat(head, opened, repeat(closeItem, closeSequence));
    const spent = await processorTime(async () => {
      expect(await inspect(bytes)).toMatchObject({ ok: true });
      expect(await inspect(bytes, {}, 4096)).toMatchObject({ ok: true });
    });
    expect(spent).toBeLessThan(2000);
  });

  it('are walked by their lengths', async () => {
    const nested = Buffer.alloc(LEVELS * 20);
    for (let level = 0; level < LEVELS; level++) {
      const at = level * 20;
      openSequence.copy(nested, at);
      nested.writeUInt32LE(nested.length - at - 12, at + 8);
      openItem.copy(nested, at + 12);
      nested.writeUInt32LE(nested.length - at - 20, at + 16);
    }
    expect(await inspect(concat(head, nested))).toMatchObject({ ok: true });
  });

  it('are truncated if they are not closed', async () => {
    expect(await inspect(concat(head, opened))).toMatchObject({ rule: 'dicom.truncated' });
  });

  it('are refused when they are a million', async () => {
    const bytes = concat(head, ...Array.from({ length: 6 }, () => opened));
    expect(await inspect(bytes)).toMatchObject({ rule: 'dicom.header-too-large' });
  });
});
