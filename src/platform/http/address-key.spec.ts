import { describe, expect, it } from '@jest/globals';
import { addressKey } from './address-key.js';

describe('what a limit counts a caller by', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.2', '192.0.2.2'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:db8::', '2001:db8::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['2001:DB8:0:0:ffff:ffff:ffff:ffff', '2001:db8::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['::1', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['fe80::2%eth1', 'fe80::/64'],
  ])('of %s is %s', (ip, key) => {
    expect(addressKey(ip)).toBe(key);
  });

  it.each(['', 'unknown', '2001:db8::1::2', '2001:db8::1/64', '999.1.1.1', '192.0.2.1:80', '%'])(
    'of what is no address is what it is: %j',
    (ip) => {
      expect(addressKey(ip)).toBe(ip);
    },
  );

  it('of no address at all is empty', () => {
    expect(addressKey(undefined)).toBe('');
  });
});
