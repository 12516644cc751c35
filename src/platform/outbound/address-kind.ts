import ipaddr from 'ipaddr.js';

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3'); // all that IANA has given out (RFC 4291 section 2.4)

/** Ranges of an own network: RFC 1918, RFC 4193, RFC 6598, and the machine itself. */
const PRIVATE = new Set(['private', 'uniqueLocal', 'carrierGradeNat', 'loopback']);

/** Unicast by every registry, yet answered by the host below the machine: Azure's WireServer, with its settings and keys. */
const HOST_SERVICES = new Set(['168.63.129.16']);

/**
 * Where an address leads: into the internet, into an own network, or nowhere a request of ours has any business (link-local
 * with the metadata services of clouds, multicast, reserved, unspecified, IPv4 in the clothes of IPv6, what is no address).
 */
export function addressKind(address: string): 'public' | 'private' | 'other' {
  if (!ipaddr.isValid(address)) return 'other';
  const parsed = ipaddr.parse(address);
  if (HOST_SERVICES.has(parsed.toString())) return 'other';
  const range = parsed.range();
  if (PRIVATE.has(range)) return 'private';
  if (range !== 'unicast') return 'other';
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST) ? 'public' : 'other';
}
