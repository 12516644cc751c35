import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { MultipartUpload } from '../../../platform/storage/multipart-upload.js';
import { addRange, countOfRanges, type Ranges, rangesOf } from '../ranges.js';
import { ExportParts, type SentPart } from './export.parts.js';

/** A bucket that takes its time, and longer for every other part: the next is there before it. */
function slowBucket(fails = Infinity) {
  const parts: Buffer[] = [];
  let [begun, under, most] = [0, 0, 0];
  const add = async (bytes: Uint8Array) => {
    const number = ++begun;
    most = Math.max(most, ++under);
    await new Promise((resolve) => setTimeout(resolve, number % 2 ? 15 : 3));
    under--;
    if (number > fails) throw new Error('SlowDown');
    parts[number - 1] = Buffer.from(bytes); // as it is now
    return { number, etag: `etag-${number}` };
  };
  return { parts, begun: () => begun, most: () => most, upload: { add } as unknown as MultipartUpload };
}

const monthOf = (index: number) => `20${20 + (Math.floor(index / 7) % 3)}-0${1 + (index % 2)}`;
const events = Array.from(
  { length: 400 },
  (_, index) => `${index}: ${'ä€'.repeat(index % 40)},"time":"${monthOf(index)}-01T00:00:00.000Z"}\n`,
);

async function written(bucket: ReturnType<typeof slowBucket>, partBytes: number): Promise<SentPart[]> {
  const sent: SentPart[] = [];
  const parts = new ExportParts(
    () => Promise.resolve(bucket.upload),
    (part) => Promise.resolve(void sent.push(part)),
    partBytes,
  );
  parts.add('head\n');
  for (const [index, event] of events.entries()) {
    const position = index < 200 ? index : index + 1_000;
    await parts.breathe(position);
    const lines = Buffer.from(event);
    const run = { first: position, count: 1, lines, ends: [lines.length] };
    parts.addEvents(run, '', index % 2 ? lines : event);
  }
  await parts.end(1_400);
  return sent;
}

describe('the parts of an export', () => {
  it('are its bytes, and told of in their order, two on their way at once', async () => {
    const bucket = slowBucket();
    const sent = await written(bucket, 1_000);
    expect(Buffer.concat(bucket.parts).toString()).toBe(`head\n${events.join('')}`);
    expect(bucket.most()).toBe(2);
    expect(sent.length).toBeGreaterThan(10);
    for (const [index, { number, bytes, sha256, etag }] of sent.entries()) {
      expect(number).toBe(index + 1);
      expect(bytes).toBe(bucket.parts[index]!.length);
      expect(sha256).toEqual(createHash('sha256').update(bucket.parts[index]!).digest());
      expect(etag).toBe(`etag-${index + 1}`);
      if (index < sent.length - 1) expect(bytes).toBeGreaterThanOrEqual(1_000);
    }
  });

  it('say which events they hold, and where the next one begins', async () => {
    const sent = await written(slowBucket(), 1_000);
    expect(sent.reduce((sum, { rows }) => sum + rows, 0)).toBe(400);
    const held = sent.flatMap(({ held: ranges }) => ranges);
    expect(held[0]).toBe(0);
    expect(held.at(-1)).toBe(1_400);
    expect(held.filter((bound) => bound === 200 || bound === 1_200)).toHaveLength(2);
    for (const [index, { next }] of sent.entries()) expect(next).toBe(sent[index + 1]?.held[0] ?? 1_400);
  });

  it('say which of them happened in which month', async () => {
    const sent = await written(slowBucket(), 1_000);
    const [counted, expected] = [new Map<string, Ranges>(), new Map<string, Ranges>()];
    for (const { months, rows } of sent) {
      expect(months.map(([month]) => month)).toEqual(months.map(([month]) => month).sort());
      expect(months.reduce((sum, [, held]) => sum + countOfRanges(held), 0)).toBe(rows);
      for (const [month, held] of months)
        for (let at = 0; at < held.length; at += 2)
          addRange(rangesOf(counted, month), held[at]!, held[at + 1]!);
    }
    for (const index of events.keys()) {
      const position = index < 200 ? index : index + 1_000;
      addRange(rangesOf(expected, monthOf(index)), position, position + 1);
    }
    expect([...counted].sort()).toEqual([...expected].sort());
  });

  it('that the bucket refuses are told, and none after them is sent', async () => {
    const bucket = slowBucket(2);
    await expect(written(bucket, 1_000)).rejects.toThrow('SlowDown');
    const begun = bucket.begun();
    expect(begun).toBeLessThanOrEqual(4); // the third, and what was beside it
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bucket.begun()).toBe(begun);
    expect(bucket.parts).toHaveLength(2);
  });
});
