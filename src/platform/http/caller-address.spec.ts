import { isIP } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { callerAddress } from './caller-address.js';

/** @param told what Fastify takes for the address, by what trusted proxies say */
const addressOf = (told: string | undefined, own: string | undefined): string | undefined =>
  callerAddress({ ip: told, socket: { remoteAddress: own } } as FastifyRequest);

describe('the address of a request', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%Jane-Doe.born-1970', 'fe80::1'],
  ])('is what is told: of %s %s', (told, address) => {
    expect(addressOf(told, '203.0.113.9')).toBe(address);
  });

  it.each([
    'Jane Doe born 1970-01-01, jane@example.org',
    '192.0.2.1 Jane Doe',
    '[2001:db8::1]',
    'unknown',
    '%192.0.2.1',
    '',
  ])('is the connection’s own when %j is told, which is none', (told) => {
    expect(addressOf(told, '203.0.113.9')).toBe('203.0.113.9');
    expect(addressOf(told, 'fe80::9%eth0')).toBe('fe80::9');
  });

  it('is an address, whatever is told', () => {
    const told = fc.oneof(fc.string(), fc.ipV4Extended(), fc.ipV6(), fc.stringMatching(/^fe80::1%.*$/));
    fc.assert(
      fc.property(told, (text) => {
        const address = addressOf(text, '203.0.113.9')!;
        expect({ kind: isIP(address) > 0, zone: address.includes('%') }).toEqual({ kind: true, zone: false });
        expect(address.length).toBeLessThanOrEqual(45);
      }),
    );
  });

  it('is not known once the connection is reset, whatever is told', () => {
    expect(addressOf(undefined, undefined)).toBeUndefined();
    expect(addressOf('192.0.2.1', undefined)).toBeUndefined();
  });
});
