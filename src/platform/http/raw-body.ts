import type { Readable } from 'node:stream';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApplicationError } from '../errors/application-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    rawBody?: readonly string[];
  }
  interface FastifyRequest {
    /** The content type of a body that is left as it is. */
    announcedType: string;
  }
}

/** A body as it came, to the byte. */
export interface ReceivedBody {
  /** In lower case, without parameters. */
  mediaType: string;
  bytes: Buffer<ArrayBuffer>;
}

/** What such a body is to Fastify, whatever its content type says: JSON too would be parsed, and its bytes be gone. */
const RAW = 'application/vnd.scandock.raw';
const UTF8 = /^(utf-?8|us-ascii)$/i;

/** The route takes its body unparsed, of one of these media types; the handler gets it by {@link RawBody}. */
export const TakesRawBody = (...mediaTypes: string[]): MethodDecorator =>
  RouteConfig({ rawBody: mediaTypes });

/**
 * Hands the body of the routes that say so on as the stream it is. It is read when the guards have passed: what may be
 * large is not kept for a caller who may not send it.
 */
export function passRawBodies(server: FastifyInstance): void {
  server.decorateRequest('announcedType', '');
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.rawBody) {
      request.announcedType = request.headers['content-type'] ?? '';
      request.headers['content-type'] = RAW;
    }
    done();
  });
  server.addContentTypeParser(RAW, (request, body, done) =>
    request.routeOptions.config.rawBody ? done(null, body) : done(unsupportedType()),
  );
}

/** A body of which nothing was read yet: until somebody does, its bytes stay with the network. */
export interface WaitingBody {
  /** Bytes, if the request says how many. */
  length: number | undefined;
  /** Who leaves the loop before its end cuts the connection, and the caller gets no answer. */
  pieces: Readable;
}

/** The body of a route that takes it raw, for a service that reads it when there is room. @throws unsupported_media_type */
export const UnreadBody = createParamDecorator((_: unknown, context: ExecutionContext): WaitingBody => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  mediaTypeOf(request);
  const length = request.headers['content-length'];
  return {
    length: length === undefined ? undefined : Number(length),
    pieces: request.body as Readable,
  };
});

/** The body of a route that takes it raw. @throws unsupported_media_type, payload_too_large */
export const RawBody = createParamDecorator((_: unknown, context: ExecutionContext): Promise<ReceivedBody> =>
  receive(context.switchToHttp().getRequest<FastifyRequest>()),
);

async function receive(request: FastifyRequest): Promise<ReceivedBody> {
  const { bodyLimit } = request.routeOptions;
  const mediaType = mediaTypeOf(request);
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) throw payloadTooLarge();
  return { mediaType, bytes: await readAll(request.body as Readable, bodyLimit) };
}

/** @throws unsupported_media_type when the route does not take it, or not encoded like that */
function mediaTypeOf(request: FastifyRequest): string {
  const { config } = request.routeOptions;
  const [type = '', ...parameters] = request.announcedType.split(';').map((part) => part.trim());
  const mediaType = type.toLowerCase();
  const charset = parameters
    .map((parameter) => /^charset\s*=\s*"?([^"]*)"?$/i.exec(parameter)?.[1])
    .find((value) => value !== undefined);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (!config.rawBody?.includes(mediaType) || !UTF8.test(charset ?? 'utf-8') || encoding !== 'identity')
    throw unsupportedType();
  return mediaType;
}

/** Read to its end even when it is too long, keeping nothing: to stop would cut the connection before the answer. */
async function readAll(body: Readable, limit: number): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      size += part.length;
      if (size <= limit) parts.push(part);
      else parts.length = 0;
    }
  } catch (cause) {
    throw incompleteBody(cause);
  }
  if (size > limit) throw payloadTooLarge();
  return Buffer.concat(parts, size);
}

const unsupportedType = (): ApplicationError =>
  new ApplicationError('unsupported_media_type', 415, 'This content type is not supported here.');

export const incompleteBody = (cause: unknown): ApplicationError =>
  new ApplicationError('bad_request', 400, 'The request body did not arrive in full.', { cause });

export const payloadTooLarge = (): ApplicationError =>
  new ApplicationError('payload_too_large', 413, 'The request body is too large.');
