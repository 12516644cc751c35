import { describe, expect, it } from '@jest/globals';
import { addressKind } from './address-kind.js';

describe('an address', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '168.63.129.15',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '192.167.255.255',
    '223.255.255.255',
    '2001:4860:4860::8888',
    '2a00:1450:4001:82f::200e',
  ])('%s is public', (address) => {
    expect(addressKind(address)).toBe('public');
  });

  it.each([
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.255',
    '::1',
    'fc00::1',
    'fd12:3456::1',
  ])('%s is private', (address) => {
    expect(addressKind(address)).toBe('private');
  });

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254', // the metadata service of most clouds
    '168.63.129.16', // the host's service in Azure
    '192.0.0.170',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::127.0.0.1', // IPv4-compatible, deprecated
    '::7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '100::1',
    '2001:db8::1',
    '2001::1', // Teredo
    '2002:7f00:1::', // 6to4 of 127.0.0.1
    '3fff::1',
    '4000::1',
    '5f00::1',
    'localhost',
    '',
    '127.0.0.1.example',
  ])('%s is neither', (address) => {
    expect(addressKind(address)).toBe('other');
  });
});
