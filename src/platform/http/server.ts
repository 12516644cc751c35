import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import helmet from '@fastify/helmet';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import type { ConfigValues } from '../config/config.schema.js';
import { newId } from '../database/id.js';
import { toApplicationError } from '../errors/translate-error.js';
import { observeRequest } from '../health/metrics.js';
import { type ErrorFormat, errorHeaders, formatFor, problemDetails, renderError } from './error-format.js';
import { passRawBodies } from './raw-body.js';
import { readBodiesOfGet } from './reads-body.js';
import { beginContext } from './request-context.js';

/** Largest body of a route that says nothing else, in bytes. */
const DEFAULT_BODY_LIMIT = 256 * 1024;

/**
 * Longest a request may take to arrive, in milliseconds: a dripping one holds a socket. Long enough for a patient's file
 * over a slow line, which waits for its turn first.
 */
const REQUEST_LIMIT_MS = 300_000;

/** A route's own body limit: `[path, bytes]`. */
export type BodyLimits = Record<string, number>;

/** Fastify as every surface needs it: request context, security headers, body limits, one log line a request. */
export async function createHttpAdapter(
  config: ConfigValues,
  logger: Logger,
  bodyLimits: BodyLimits,
  formats: ErrorFormat[],
): Promise<FastifyAdapter> {
  const server = Fastify({
    loggerInstance: logger,
    // The default lines hold URLs, and those hold share tokens and study UIDs.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: config.TRUST_PROXY,
    bodyLimit: DEFAULT_BODY_LIMIT,
    requestTimeout: REQUEST_LIMIT_MS,
    exposeHeadRoutes: false,
    // Clients in the field ask for `/upload/`, and a redirect would cost them their body or their credentials.
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => refuseUnrouted(error, request, reply, formats),
    clientErrorHandler: refuseUnread,
    genReqId: () => '', // the context has the id; Fastify's own would be a second one
  });
  server.addHook('onRoute', (route) => {
    route.bodyLimit ??= bodyLimits[route.url];
  });
  await server.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        upgradeInsecureRequests: null,
      },
      useDefaults: false,
    },
    referrerPolicy: { policy: 'no-referrer' },
    hsts: config.PUBLIC_URL.startsWith('https:'),
  });
  followRequests(server as unknown as FastifyInstance);
  readBodiesOfGet(server as unknown as FastifyInstance);
  passRawBodies(server as unknown as FastifyInstance);
  server.addContentTypeParser(
    'application/merge-patch+json', // RFC 7396
    { parseAs: 'string' },
    server.getDefaultJsonParser('error', 'error'),
  );
  return new FastifyAdapter(server as never);
}

/** A URL no route can be found for, because it cannot be decoded or a part is too long: no hook has run yet. */
function refuseUnrouted(
  cause: Error,
  request: FastifyRequest,
  { raw }: FastifyReply,
  formats: ErrorFormat[],
): void {
  const { requestId } = beginContext(request).info;
  const error = toApplicationError(cause);
  const format = formatFor(formats, request.url);
  raw.writeHead(error.status, {
    ...bareHeaders(requestId),
    ...errorHeaders(format, error),
    'content-type': format.contentType,
  });
  raw.end(renderError(format, error, requestId));
}

/** What the HTTP parser refuses has no request: headers past the limit, a broken request line, a time-out. */
function refuseUnread(cause: NodeJS.ErrnoException, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || socket.destroyed) return;
  const status = UNREAD[cause.code ?? ''] ?? 400;
  const requestId = newId();
  const error = toApplicationError(Object.assign(new Error('unread', { cause }), { statusCode: status }));
  const body = renderError(problemDetails, error, requestId);
  const headers = {
    ...bareHeaders(requestId),
    'content-type': problemDetails.contentType,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable)
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`);
  socket.destroy(cause);
}

const UNREAD: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

const bareHeaders = (requestId: string): Record<string, string> => ({
  'x-request-id': requestId,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
});

/** As nginx calls it. */
const CLIENT_GONE = 499;

/**
 * Whoever resets the connection behind the request has no address any more, and waits for no answer: nothing is done for them
 * that the ledger could not say whence it was asked for. Without `done` no other hook runs, nor the handler.
 */
function giveUp({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.code(CLIENT_GONE).hijack(); // what is measured and logged is not a success
  raw.socket.destroy();
}

function followRequests(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    request.context = beginContext(request);
    const { requestId, traceId, ip } = request.context.info;
    if (ip === undefined) return giveUp(request, reply);
    reply.header('x-request-id', requestId);
    reply.header('traceparent', `00-${traceId}-${randomBytes(8).toString('hex')}-01`);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { info, operation, principal, portal, error } = request.context;
    const route = request.routeOptions.url ?? 'unknown';
    observeRequest({
      operation: operation?.name ?? 'none',
      method: request.method,
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
    request.log.info(
      {
        requestId: info.requestId,
        traceId: info.traceId,
        method: request.method,
        route,
        operation: operation?.name,
        organizationId: principal?.organizationId ?? portal?.organizationId,
        principalId: principal?.id,
        status: reply.statusCode,
        code: error?.code,
        milliseconds: Math.round(reply.elapsedTime),
      },
      'request',
    );
    done();
  });
}
