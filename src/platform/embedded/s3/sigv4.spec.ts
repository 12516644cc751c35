import { describe, expect, it } from '@jest/globals';
import {
  canonicalHeaderValue,
  canonicalQuery,
  canonicalRequest,
  deriveSigningKey,
  encodeRfc3986,
  hmac,
  parseAmzDate,
  sameSignature,
  scopeOf,
  sha256Hex,
  stringToSign,
} from './sigv4.js';

// The examples of AWS, "Signature Calculations for the Authorization Header" and "Authenticating Requests: Using Query
// Parameters" (Amazon S3 API reference).
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const DATE = '20130524T000000Z';
const EMPTY = sha256Hex('');
const HOST = 'examplebucket.s3.amazonaws.com';

function sign(
  method: string,
  path: string,
  query: [string, string][],
  headers: Record<string, string>,
  payloadHash: string,
): string {
  const canonical = canonicalRequest({
    method,
    path,
    query,
    signedHeaders: Object.keys(headers).sort(),
    header: (name) => [headers[name]!],
    payloadHash,
  });
  const key = deriveSigningKey(SECRET, '20130524', 'us-east-1', 's3');
  return hmac(key, stringToSign(DATE, scopeOf(DATE, 'us-east-1', 's3'), canonical)).toString('hex');
}

describe('AWS examples', () => {
  const common = { host: HOST, 'x-amz-date': DATE };

  it('GET object with a range', () => {
    const headers = { ...common, range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY };
    expect(sign('GET', '/test.txt', [], headers, EMPTY)).toBe(
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  it('PUT object', () => {
    const payload = sha256Hex('Welcome to Amazon S3.');
    const headers = {
      ...common,
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': payload,
    };
    expect(sign('PUT', '/test$file.text', [], headers, payload)).toBe(
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    );
  });

  it('GET bucket lifecycle and GET bucket (list objects)', () => {
    const headers = { ...common, 'x-amz-content-sha256': EMPTY };
    expect(sign('GET', '/', [['lifecycle', '']], headers, EMPTY)).toBe(
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    );
    const query: [string, string][] = [
      ['prefix', 'J'],
      ['max-keys', '2'],
    ];
    expect(sign('GET', '/', query, headers, EMPTY)).toBe(
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    );
  });

  it('presigned GET', () => {
    const query: [string, string][] = [
      ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
      ['X-Amz-Credential', 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'],
      ['X-Amz-Date', DATE],
      ['X-Amz-Expires', '86400'],
      ['X-Amz-SignedHeaders', 'host'],
    ];
    expect(sign('GET', '/test.txt', query, { host: HOST }, 'UNSIGNED-PAYLOAD')).toBe(
      'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });
});

describe('canonical form', () => {
  it('encodes by RFC 3986', () => {
    expect(encodeRfc3986("a b/ü+%&=?#~!'()*", true)).toBe('a%20b/%C3%BC%2B%25%26%3D%3F%23~%21%27%28%29%2A');
    expect(encodeRfc3986('a/b')).toBe('a%2Fb');
  });

  it('sorts the query by encoded name, then value', () => {
    const query: [string, string][] = [
      ['b', '2'],
      ['b', '1'],
      ['a', ''],
      ['B', 'x y'],
    ];
    expect(canonicalQuery(query)).toBe('B=x%20y&a=&b=1&b=2');
  });

  it('folds spaces and joins repeated headers', () => {
    expect(canonicalHeaderValue(['  a   b ', 'c'])).toBe('a b,c');
  });

  it('compares signatures and reads dates strictly', () => {
    expect(sameSignature('ab', 'ab')).toBe(true);
    expect(sameSignature('ab', 'ac')).toBe(false);
    expect(sameSignature('ab', 'abc')).toBe(false);
    expect(parseAmzDate(DATE)).toBe(Date.UTC(2013, 4, 24));
    for (const bad of ['2013-05-24', '20131324T000000Z', '20130524T000000'])
      expect(parseAmzDate(bad)).toBeUndefined();
  });
});
