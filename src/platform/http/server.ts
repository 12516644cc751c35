import { randomBytes } from 'node:crypto';
import helmet from '@fastify/helmet';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { ConfigValues } from '../config/config.schema.js';
import { observeRequest } from '../health/metrics.js';
import { beginContext } from './request-context.js';

/** Largest body of a route that says nothing else, in bytes. */
const DEFAULT_BODY_LIMIT = 256 * 1024;

/** A route's own body limit: `[path, bytes]`. */
export type BodyLimits = Record<string, number>;

/** Fastify as every surface needs it: request context, security headers, body limits, one log line a request. */
export async function createHttpAdapter(
  config: ConfigValues,
  logger: Logger,
  bodyLimits: BodyLimits,
): Promise<FastifyAdapter> {
  const server = Fastify({
    loggerInstance: logger,
    // The default lines hold URLs, and those hold share tokens and study UIDs.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: config.TRUST_PROXY,
    bodyLimit: DEFAULT_BODY_LIMIT,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
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
  return new FastifyAdapter(server as never);
}

function followRequests(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    request.context = beginContext(request);
    const { requestId, traceId } = request.context.info;
    reply.header('x-request-id', requestId);
    reply.header('traceparent', `00-${traceId}-${randomBytes(8).toString('hex')}-01`);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { info, operation, principal, error } = request.context;
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
        organizationId: principal?.organizationId,
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
