import { lookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { addressKind } from './address-kind.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024;
/** Statuses whose answer has no body; `Response` insists on it. */
const WITHOUT_BODY = new Set([204, 205, 304]);

const REASONS = {
  credentials: 'holds credentials',
  protocol: 'is not https',
  address: 'leads to an address that is not public',
  redirect: 'answers with a redirect',
  size: 'answers with more than is read',
};

/** What the guard does not do, and asking again would not change. The words name no host. */
export class OutboundRefusedError extends Error {
  constructor(readonly reason: keyof typeof REASONS) {
    super(`The address of an outbound request ${REASONS[reason]}.`);
    this.name = 'OutboundRefusedError';
  }
}

/** The part of `fetch`'s options that is taken, and the limits of one request. */
export interface GuardedRequest {
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: string | Uint8Array | URLSearchParams;
  signal?: AbortSignal;
  /** From the question of the name to the last byte of the answer, in milliseconds. Default 10,000. */
  timeoutMs?: number;
  /** Largest body of an answer, in bytes. Default 64 KiB. */
  maxBytes?: number;
}

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * The only way to ask a URL that somebody else chose (webhooks, OIDC issuers, `jwks_uri`, SMS gateways). Addresses are
 * judged where the socket gets them, so that a name cannot lead elsewhere after it was looked at (DNS rebinding). No
 * redirects, no proxy, a limited answer in a limited time; https, or http to the hosts that may be private.
 */
export class GuardedFetch {
  private readonly privateHosts: ReadonlySet<string>;

  /**
   * @param privateHosts `host` or `host:port` as a URL spells them; those may have a private address.
   * @param resolve what answers for names, as `dns.lookup` does.
   */
  constructor(
    privateHosts: readonly string[],
    private readonly resolve: Resolve = lookup,
  ) {
    this.privateHosts = new Set(privateHosts);
  }

  /**
   * Like the global `fetch`, with a body that is read already; can be given to libraries in its place.
   * @throws {OutboundRefusedError} or a `TimeoutError`, or what the socket says
   */
  async fetch(target: string | URL, init: GuardedRequest = {}): Promise<Response> {
    const url = new URL(target);
    const mayBePrivate = this.mayBePrivate(url);
    if (url.username || url.password) throw new OutboundRefusedError('credentials');
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && mayBePrivate))
      throw new OutboundRefusedError('protocol');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // A socket does not look up what is an address already.
    if (isIP(host) && !isAllowed(host, mayBePrivate)) throw new OutboundRefusedError('address');

    const limit = AbortSignal.timeout(init.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
    try {
      const incoming = await ask(url, init, signal, this.guardedLookup(mayBePrivate));
      try {
        return await toResponse(incoming, init.maxBytes ?? DEFAULT_MAX_BYTES);
      } finally {
        incoming.destroy();
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  private mayBePrivate({ hostname, port, protocol }: URL): boolean {
    const number = port || (protocol === 'http:' ? '80' : '443');
    return this.privateHosts.has(hostname) || this.privateHosts.has(`${hostname}:${number}`);
  }

  /** One bad address spoils the answer: nobody honest gives both kinds. */
  private guardedLookup(mayBePrivate: boolean): LookupFunction {
    return (hostname, options, done) => {
      this.resolve(hostname, { ...options, all: true }, (error, addresses = []) => {
        const [first] = addresses;
        if (error || !first) return done(error ?? new Error('The name has no address.'), '');
        if (!addresses.every(({ address }) => isAllowed(address, mayBePrivate)))
          return done(new OutboundRefusedError('address'), '');
        if (options.all) done(null, addresses);
        else done(null, first.address, first.family);
      });
    };
  }
}

function isAllowed(address: string, mayBePrivate: boolean): boolean {
  const kind = addressKind(address);
  return kind === 'public' || (kind === 'private' && mayBePrivate);
}

function ask(
  url: URL,
  { method = 'GET', headers, body }: GuardedRequest,
  signal: AbortSignal,
  guardedLookup: LookupFunction,
): Promise<IncomingMessage> {
  const sent = new Headers(headers);
  sent.set('accept-encoding', 'identity'); // the limit is on what arrives
  if (body instanceof URLSearchParams && !sent.has('content-type'))
    sent.set('content-type', 'application/x-www-form-urlencoded');
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    // An agent of its own: a socket of another request may have been opened under other rules.
    request(url, { method, headers: Object.fromEntries(sent), signal, agent: false, lookup: guardedLookup })
      .once('response', resolve)
      .on('error', reject)
      .end(body instanceof URLSearchParams ? body.toString() : body);
  });
}

async function toResponse(incoming: IncomingMessage, maxBytes: number): Promise<Response> {
  const status = incoming.statusCode!;
  if (status >= 300 && status < 400 && status !== 304) throw new OutboundRefusedError('redirect');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new OutboundRefusedError('size');
    chunks.push(chunk);
  }
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(incoming.headersDistinct))
    for (const value of values) headers.append(name, value);
  return new Response(WITHOUT_BODY.has(status) ? null : Buffer.concat(chunks), { status, headers });
}
