import ipaddr from 'ipaddr.js';

const PREFIX_BYTES = 8; // a /64: what one customer gets at least, to take addresses from at will (RFC 6177, RFC 8981)

/**
 * What a limit counts a caller by: an IPv4 address as it is, an IPv6 one by its /64 (`2001:db8:0:1::/64`), since whoever has
 * one address of those has 2^64. IPv4 in the clothes of IPv6 is IPv4. What is no address comes back as it is; it never throws.
 */
export function addressKey(ip: string | undefined): string {
  if (ip === undefined || !ipaddr.isValid(ip)) return ip ?? '';
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const prefix = address.toByteArray().map((byte, index) => (index < PREFIX_BYTES ? byte : 0));
  return `${ipaddr.fromByteArray(prefix).toString()}/64`;
}
