import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { openZip } from './archive.js';
import { BlockReader } from './block-reader.js';
import { bytesSource, type RangeSource, ShortRead } from './range-source.js';
import { writeZip } from './zip.fixture.js';

const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));

/** Counts the requests, and answers in chunks. */
function counted(content: Uint8Array, chunkBytes = 7): RangeSource & { requests: [number, number][] } {
  const requests: [number, number][] = [];
  return {
    size: content.length,
    requests,
    async *read(start, end) {
      requests.push([start, end]);
      await Promise.resolve();
      for (let at = start; at < end; at += chunkBytes)
        yield content.subarray(at, Math.min(at + chunkBytes, end));
    },
  };
}

/** Gives `answer` whatever it is asked for. */
const answering = (answer: () => AsyncIterable<Uint8Array>, size = 1000): RangeSource => ({
  size,
  read: answer,
});

describe('BlockReader', () => {
  it('gives the bytes of the source, whatever was read before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.nat(1100), fc.nat(600)), { maxLength: 20 }),
        async (blockBytes, maxBlocks, reads) => {
          const reader = new BlockReader(counted(bytes), { blockBytes, maxBlocks });
          for (const [position, length] of reads)
            expect(await reader.read(position, length)).toEqual(bytes.subarray(position, position + length));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives them to several at once, and what it gave stays as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.nat(1000), fc.nat(300)), { minLength: 2, maxLength: 20 }),
        async (maxBlocks, reads) => {
          const reader = new BlockReader(counted(bytes), { blockBytes: 100, maxBlocks });
          const read = await Promise.all(reads.map(([position, length]) => reader.read(position, length)));
          read.forEach((piece, i) => {
            const [position, length] = reads[i]!;
            expect(piece).toEqual(bytes.subarray(position, position + length));
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('asks for each block once, and for the next one ahead, when it is read forward', async () => {
    const source = counted(bytes);
    const reader = new BlockReader(source, { blockBytes: 100 });
    for (let at = 0; at < 250; at += 10) await reader.read(at, 10);
    expect(source.requests).toEqual([
      [0, 100],
      [100, 200],
      [200, 300],
      [300, 400],
    ]);
  });

  it('holds no more blocks than it may', async () => {
    const source = counted(bytes);
    const reader = new BlockReader(source, { blockBytes: 100, maxBlocks: 2 });
    for (const at of [0, 500, 900, 500, 0]) await reader.read(at, 1);
    expect(source.requests.map(([start]) => start)).toEqual([0, 500, 900, 0]);
  });

  it.each([
    ['too few bytes', () => bytesSource(bytes).read(0, 999)],
    ['too many bytes', () => bytesSource(Buffer.alloc(2000)).read(0, 1001)],
  ])('takes %s for a broken connection, not for a verdict', async (_name, answer) => {
    await expect(new BlockReader(answering(answer)).read(0, 10)).rejects.toThrow(ShortRead);
    await expect(openZip(answering(answer))).rejects.toThrow(ShortRead);
  });

  it('asks again after a failure, of a block read ahead too', async () => {
    let broken = false;
    const source = counted(bytes);
    const flaky: RangeSource = {
      size: source.size,
      read: (start, end) => {
        if (broken) throw new Error('bucket away');
        return source.read(start, end);
      },
    };
    const reader = new BlockReader(flaky, { blockBytes: 100 });
    await reader.read(0, 1);
    broken = true;
    await expect(reader.read(100, 1)).rejects.toThrow('bucket away');
    broken = false;
    expect(await reader.read(100, 1)).toEqual(bytes.subarray(100, 101));
    expect(await reader.read(200, 1)).toEqual(bytes.subarray(200, 201));
  });

  it('ends requests under way when it is closed', async () => {
    let ended = false;
    const source = answering(async function* () {
      try {
        for (;;) {
          await Promise.resolve();
          yield Uint8Array.of(1);
        }
      } finally {
        ended = true;
      }
    });
    const reader = new BlockReader(source);
    const reading = reader.read(0, 1);
    reader.close();
    await expect(reading).rejects.toThrow(ShortRead);
    expect(ended).toBe(true);
  });
});

describe('thousands of small entries', () => {
  it('cost as many requests as the archive has blocks', async () => {
    const data = Buffer.alloc(3000, 'incompressible enough');
    const entries = Array.from({ length: 3000 }, (_, i) => ({ name: `s/${i}`, data, method: 0 }));
    const source = counted(writeZip(entries), 65_536);
    const opened = await openZip(source);
    if (!opened.ok) throw new Error(opened.rule);
    let read = 0;
    for (const entry of opened.archive.entries)
      for await (const chunk of opened.archive.read(entry)) read += chunk.length;
    expect(read).toBe(3000 * 3000);
    expect(source.size).toBeGreaterThan(9_000_000);
    expect(source.requests).toHaveLength(3); // blocks of 4 MiB, the directory's among them
  });
});
