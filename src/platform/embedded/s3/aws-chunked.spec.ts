import { describe, expect, it } from '@jest/globals';
import { decodeAwsChunked } from './aws-chunked.js';
import { deriveSigningKey, scopeOf } from './sigv4.js';

// AWS, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
const DATE = '20130524T000000Z';
const chain = () => ({
  signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  date: DATE,
  scope: scopeOf(DATE, 'us-east-1', 's3'),
  key: deriveSigningKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '20130524', 'us-east-1', 's3'),
});
const SIGNED =
  `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${'a'.repeat(65536)}\r\n` +
  `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${'a'.repeat(1024)}\r\n` +
  '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n';

async function decode(text: string, signed: boolean, trailerNames: string[] = [], step = 1000) {
  const fields: Record<string, string> = {};
  const pieces = async function* () {
    for (let at = 0; at < text.length; at += step) yield Buffer.from(text.slice(at, at + step), 'latin1');
  };
  const onTrailer = (found: ReadonlyMap<string, string>) =>
    void Object.assign(fields, Object.fromEntries(found));
  const out: Buffer[] = [];
  const options = { ...(signed && { chain: chain() }), trailerNames, onTrailer };
  for await (const chunk of decodeAwsChunked(pieces(), options)) out.push(chunk);
  return { body: Buffer.concat(out).toString('latin1'), fields };
}

describe('aws-chunked bodies', () => {
  it.each([1, 7, 1000, 100_000])('decode the AWS example in pieces of %d bytes', async (step) => {
    expect((await decode(SIGNED, true, [], step)).body).toBe('a'.repeat(66_560));
  });

  it('refuse changed bytes, changed order and a missing end', async () => {
    await expect(decode(SIGNED.replace('aaaa', 'aaba'), true)).rejects.toThrow(/signature/);
    await expect(decode(SIGNED.slice(0, -90), true)).rejects.toMatchObject({ code: 'IncompleteBody' });
    await expect(decode(`${SIGNED}x`, true)).rejects.toMatchObject({ code: 'IncompleteBody' });
    await expect(decode('3\r\nabc\r\n0\r\n\r\n', true)).rejects.toMatchObject({
      code: 'InvalidChunkSizeError',
    });
  });

  it('read the announced trailer, and no other', async () => {
    const text = '3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n';
    const read = await decode(text, false, ['x-amz-checksum-crc32'], 1);
    expect(read).toEqual({ body: 'abc', fields: { 'x-amz-checksum-crc32': 'NSRBwg==' } });
    await expect(decode(text, false)).rejects.toMatchObject({ code: 'MalformedTrailerError' });
    await expect(decode('0\r\n\r\n', false, ['x-amz-checksum-crc32'])).rejects.toMatchObject({
      code: 'MalformedTrailerError',
    });
  });
});
