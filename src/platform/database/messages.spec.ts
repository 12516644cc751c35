import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BODY_AT, Messages } from './messages.js';

const message = (code: number, body: Uint8Array): Buffer => {
  const bytes = Buffer.concat([Buffer.of(code, 0, 0, 0, 0), body]);
  bytes.writeUInt32BE(body.length + 4, 1);
  return bytes;
};

it('are the same however they were cut on their way', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((body, index) => message(0x41 + index, body)));
      const read: { code: number; body: Buffer }[] = [];
      const messages = new Messages((bytes, at, end) => {
        read.push({ code: bytes[at]!, body: Buffer.from(bytes.subarray(at + BODY_AT, end)) });
        return true;
      });
      const memory = Buffer.alloc(700); // which is read into again and again
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const length = stream.copy(memory, 0, at, at + cuts[cut % cuts.length]!);
        messages.push(memory.subarray(0, length));
        memory.fill(0xff);
        at += length;
      }
      expect(read).toEqual(sent.map((body, index) => ({ code: 0x41 + index, body: Buffer.from(body) })));
    }),
  );
});

it('are no longer read by who has what he wants, however that was cut; and what is behind it is told', () => {
  const [first, second, third] = [1, 2, 3].map((code) => message(code, Buffer.alloc(3, code)));
  const stream = Buffer.concat([first!, second!, third!]);
  for (let cut = 1; cut < stream.length; cut++) {
    const codes: number[] = [];
    const messages = new Messages((bytes, at) => codes.push(bytes[at]!) < 2);
    const chunks = [stream.subarray(0, cut), stream.subarray(cut)];
    const left = chunks.flatMap((chunk) =>
      codes.length < 2 ? [chunk.subarray(messages.push(chunk))] : [chunk],
    );
    expect(codes).toEqual([1, 2]);
    expect(Buffer.concat(left)).toEqual(third);
  }
});
