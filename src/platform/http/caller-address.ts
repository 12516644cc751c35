import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * The address a request comes from, for the ledger and for every limit: an address that a trusted proxy tells (`TRUST_PROXY`),
 * else the connection's own. `X-Forwarded-For` may hold any text, a name as well, and what is in the ledger stays there: only
 * what is an address is believed (45 characters at most), without its zone id, which again is text. Undefined once the
 * connection is reset.
 */
export function callerAddress(request: FastifyRequest): string | undefined {
  const own = request.socket.remoteAddress;
  return own === undefined ? undefined : (addressIn(request.ip) ?? addressIn(own));
}

/** What some proxies write: with a port behind it, in brackets if it is of IPv6. */
const WITH_PORT = /^(?:([\d.]+)|\[([^\]]+)\]):\d+$/;

function addressIn(text: string): string | undefined {
  const [, v4, v6] = WITH_PORT.exec(text) ?? [];
  const [address = ''] = (v4 ?? v6 ?? text).split('%', 1);
  return isIP(address) === 0 ? undefined : address;
}
