import type { IncomingHttpHeaders } from 'node:http';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    readsBody?: boolean;
  }
}

/** The GET route reads the body of its request, which other GETs do not (RFC 9110, section 9.3.1, advises against it). */
export const ReadsBody = (): MethodDecorator => RouteConfig({ readsBody: true });

/**
 * Lets the GET routes that say so have a body. To all others a GET is what it was: its body stays unread, and a content
 * type without one, which many clients send with everything, is nothing to complain of.
 */
export function readBodiesOfGet(server: FastifyInstance): void {
  server.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  server.addHook('onRequest', (request, _reply, done) => {
    const { headers, routeOptions } = request;
    if (request.method === 'GET' && !(routeOptions.config.readsBody && announcesBody(headers)))
      for (const name of ['content-type', 'content-length', 'transfer-encoding']) delete headers[name];
    done();
  });
}

/** RFC 9112, section 6.3: a request without either header has no body. */
const announcesBody = (headers: IncomingHttpHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
