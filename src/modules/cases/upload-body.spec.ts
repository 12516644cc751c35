import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { ApplicationError } from '../../platform/errors/application-error.js';
import { readUploadBody, type ReceivedFile } from './upload-body.js';
import { uploadInputSchema } from './patient-files.schemas.js';

const LIMIT = 1000;
const FIELDS = { name: 'note.txt', mimeType: 'text/plain' };

afterEach(() => void jest.useRealTimers());

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function* inPieces(body: Buffer, sizes: number[]): Generator<Buffer> {
  let from = 0;
  for (const size of sizes) yield Buffer.from(body.subarray(from, (from += size)));
  if (from < body.length) yield Buffer.from(body.subarray(from));
}

/** With the bytes in one. */
const whole = ({ blocks, size, ...others }: ReceivedFile) => {
  const bytes = Buffer.concat(blocks);
  expect(bytes).toHaveLength(size);
  return { ...others, bytes };
};
type WholeFile = ReturnType<typeof whole>;

const receive = async (
  body: string,
  { sizes = [] as number[], length = undefined as number | undefined } = {},
) =>
  whole(await readUploadBody({ length, pieces: Readable.from(inPieces(Buffer.from(body), sizes)) }, LIMIT));

/** The file, or the status and words of the refusal. */
const outcomeOf = (body: string, sizes?: number[]): Promise<WholeFile | [number, string]> =>
  receive(body, { sizes }).catch(({ status, message }: ApplicationError) => [status, message]);
const statusOf = async (body: string, sizes?: number[]) => {
  const outcome = await outcomeOf(body, sizes);
  return Array.isArray(outcome) ? outcome[0] : 200;
};

describe('the body of an upload', () => {
  const bytes = Buffer.from([0xfb, 0xff, 0xfe, 0, 1]);

  it.each([
    ['data last', { ...FIELDS, data: textOf(bytes) }],
    ['data first', { data: textOf(bytes), ...FIELDS }],
    ['data in the middle', { name: 'note.txt', data: textOf(bytes), mimeType: 'text/plain' }],
  ])('is read with %s', async (_, body) => {
    expect(await receive(JSON.stringify(body))).toEqual({
      ...FIELDS,
      bytes,
      sha256: createHash('sha256').update(bytes).digest(),
    });
  });

  it('is read with escaped slashes, blanks, and names that say data', async () => {
    const data = textOf(bytes).replaceAll('/', '\\/');
    expect(data).toContain('\\/');
    const body = `\n{ "name" : "data\\"data" ,\t"mimeType":"text/plain", "data" : "${data}" } `;
    expect(await receive(body)).toMatchObject({ name: 'data"data', bytes });
  });

  it.each([
    ['', 'the body is not a JSON object'],
    ['[]', ''],
    ['null', ''],
    ['{', 'the body is not a JSON object'],
    [JSON.stringify({ ...FIELDS }), 'data'],
    [JSON.stringify({ ...FIELDS, data: '' }), 'data'],
    [JSON.stringify({ ...FIELDS, data: null }), 'data'],
    [JSON.stringify({ ...FIELDS, data: 7 }), 'data'],
    [JSON.stringify({ ...FIELDS, data: ['QQ=='] }), 'data'],
    [JSON.stringify({ ...FIELDS, data: 'QR==' }), 'canonical base64'],
    [JSON.stringify({ ...FIELDS, data: 'QQ' }), 'canonical base64'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==\n' }), 'data'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', size: 1 }), 'size'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', name: 'x'.repeat(256) }), 'name'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', name: '' }), 'name'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', mimeType: 'text/html' }), 'mimeType'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', caseId: 'mine' }), 'caseId'],
    [`{"data":"QQ==","data":"QQ==","name":"a","mimeType":"text/plain"}`, 'a name is given twice'],
    [`{"data":"QQ==","name":"a","name":"b","mimeType":"text/plain"}`, 'a name is given twice'],
    [`{"data":"QQ==","n\\u0061me":"a","mimeType":"text/plain"}`, 'a name holds an escape'],
    [JSON.stringify({ ...FIELDS, data: 'QQ==', more: 'x'.repeat(66_000) }), 'too much'],
  ])('is refused: %.60s', async (body, words) => {
    expect(await outcomeOf(body)).toEqual([400, expect.stringContaining(words)]);
    expect(
      await statusOf(
        body,
        Array.from({ length: body.length % 1000 }, () => 1),
      ),
    ).toBe(400);
  });

  it('may hold as many bytes as the limit says, and not one more', async () => {
    const full = Buffer.alloc(LIMIT, 7);
    const body = (data: Uint8Array) => JSON.stringify({ ...FIELDS, data: textOf(data) });
    expect(await receive(body(full))).toMatchObject({ bytes: full });
    for (const extra of [1, 2, 3, 100])
      expect(await statusOf(body(Buffer.alloc(LIMIT + extra, 7)))).toBe(413);
    const slashes = textOf(Buffer.alloc(LIMIT, 0xff)).replaceAll('/', '\\/');
    expect(await statusOf(`{"data":"${slashes}","name":"a","mimeType":"text/plain"}`)).toBe(200);
  });

  it('is gathered in blocks, whatever the pieces it comes in', async () => {
    const file = randomBytes(600_000);
    const body = Buffer.from(JSON.stringify({ ...FIELDS, data: textOf(file) }));
    const pieces = Readable.from(
      inPieces(
        body,
        Array.from({ length: 100_000 }, () => 4),
      ),
    );
    const { blocks, sha256 } = await readUploadBody({ length: undefined, pieces }, file.length);
    expect(blocks.length).toBeLessThanOrEqual(3);
    expect(Buffer.concat(blocks).equals(file)).toBe(true);
    expect(sha256).toEqual(createHash('sha256').update(file).digest());
  });

  it('is not begun when its announced length cannot fit', async () => {
    const pieces = new PassThrough();
    const read = jest.spyOn(pieces, 'read');
    await expect(readUploadBody({ length: 100_000, pieces }, LIMIT)).rejects.toMatchObject({ status: 413 });
    expect(read).not.toHaveBeenCalled();
  });

  it('is cut off when it goes on and on', async () => {
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        yield Buffer.from('{"data":"');
        for (;;) {
          sent += 4096;
          yield Buffer.alloc(4096, 'A');
        }
      })(),
    );
    await expect(readUploadBody({ length: undefined, pieces: endless }, LIMIT)).rejects.toMatchObject({
      status: 413,
    });
    expect(endless.destroyed).toBe(true);
    expect(sent).toBeLessThan(100_000);
  });

  it('is cut off when it comes too slowly, and not before it had its time', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const pieces = new PassThrough();
    const outcome = readUploadBody({ length: undefined, pieces }, LIMIT).catch((error: unknown) => error);
    const pass = async (milliseconds: number) => {
      jest.advanceTimersByTime(milliseconds);
      await new Promise((resolve) => setImmediate(resolve));
    };
    pieces.write('{"name":"a');
    await pass(15_000);
    expect(pieces.destroyed).toBe(false);
    await pass(2_000);
    expect(pieces.destroyed).toBe(true);
    expect(await outcome).toMatchObject({ status: 400 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    [127, true, 'cut off'],
    [129, true, 'read on'],
    [17, false, 'read on'],
    [15, false, 'cut off'],
  ])('of %i KiB a second, others waiting or not (%s), is %s', async (rate, isCrowded, outcome) => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const pieces = new PassThrough();
    let crowded = false;
    const read = readUploadBody({ length: undefined, pieces }, 2 ** 24, () => crowded);
    read.catch(() => undefined);
    pieces.write('{"data":"');
    for (let second = 1; second <= 30; second++) {
      if (second === 20) {
        expect(pieces.destroyed).toBe(rate < 16);
        crowded = isCrowded;
      }
      if (!pieces.destroyed) pieces.write(Buffer.alloc(rate * 1024, 'A'));
      await new Promise((resolve) => setImmediate(resolve));
      jest.advanceTimersByTime(1_000);
    }
    expect(pieces.destroyed).toBe(outcome === 'cut off');
    pieces.destroy();
    await expect(read).rejects.toMatchObject({ status: 400 });
  });

  it('that breaks off is a 400', async () => {
    const pieces = new PassThrough();
    const outcome = readUploadBody({ length: 100, pieces }, LIMIT).catch((error: unknown) => error);
    pieces.write('{"name":"a');
    setImmediate(() => pieces.destroy());
    expect(await outcome).toMatchObject({ status: 400, code: 'bad_request' });
  });

  it('gives in any pieces what JSON.parse and Buffer.from give, or is refused', async () => {
    const mostly = <T, U>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>) =>
      fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: other });
    const members = {
      name: mostly(fc.constantFrom('a.txt', 'ä/"ö'), fc.string({ unit: 'binary', maxLength: 5 })),
      mimeType: mostly(fc.constantFrom('text/plain', 'image/png'), fc.constant('text/html')),
      data: mostly(
        fc.uint8Array({ maxLength: 60 }).map(textOf),
        fc.oneof(fc.base64String({ maxLength: 12 }), fc.string({ maxLength: 6 }), fc.constant(null)),
      ),
    };
    const fields = mostly(
      fc.record(members),
      fc.record({ ...members, caseId: fc.uuid(), other: fc.constant('x') }, { requiredKeys: ['name'] }),
    );
    const mangled = fc.record({ at: fc.nat(), by: fc.constantFrom('', '"', '{', '\\', 'data', ',', '}') });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        fields.chain((given) =>
          fc.shuffledSubarray(Object.entries(given), { minLength: Object.keys(given).length }),
        ),
        fc.option(mangled, { freq: 3 }),
        fc.boolean(),
        fc.array(fc.nat(9), { maxLength: 60 }),
        async (entries, damage, escapes, sizes) => {
          let body = JSON.stringify(Object.fromEntries(entries));
          if (escapes) body = body.replaceAll('/', '\\/');
          if (damage) {
            const at = damage.at % body.length;
            body = Buffer.from(body.slice(0, at) + damage.by + body.slice(at + 1)).toString(); // a half of a pair is none
          }
          const expected = plainly(body);
          const outcome = await outcomeOf(body, sizes);
          if (!expected) return expect(outcome).toEqual([400, expect.any(String)]);
          taken++;
          expect(outcome).toEqual(expected);
        },
      ),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(200);
  });
});

/** What the body is to those who hold it whole; undefined where it has to be refused. */
function plainly(body: string): WholeFile | undefined {
  try {
    const { data, ...others } = JSON.parse(body) as { data: unknown };
    if (typeof data !== 'string' || /"data"\s*:\s*"[^"]*\\[^/]/.test(body)) return undefined;
    const bytes = Buffer.from(data, 'base64');
    if (bytes.length === 0 || bytes.toString('base64') !== data) return undefined;
    const { name, mimeType, caseId } = uploadInputSchema.parse({ ...others, data: '' });
    const sha256 = createHash('sha256').update(bytes).digest();
    return { name, mimeType, ...(caseId && { caseId }), bytes, sha256 };
  } catch {
    return undefined;
  }
}
