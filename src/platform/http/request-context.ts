import { randomBytes } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Operation } from '../authorization/operations.js';
import type { Caller, Credential, Portal, Principal, RequestInfo } from '../authorization/principal.js';
import type { ApplicationError } from '../errors/application-error.js';
import { newId } from '../database/id.js';
import { callerAddress } from './caller-address.js';
import type { DeclaredMembers } from './route-table.js';

/** What one request has gathered on its way; guards, filters and hooks fill it in. */
export interface RequestContext {
  info: RequestInfo;
  operation?: Operation;
  /** What its route's schemas declare; nothing else of query and body says anything about the request. */
  declares?: DeclaredMembers;
  /** The route takes HTTP Basic too, and its 401 has to say so. */
  basic?: boolean;
  /** Of a portal's route, once its key is known. */
  portal?: Portal;
  credential?: Credential;
  /** Known as soon as the credential is, before anything was allowed. */
  principal?: Principal;
  caller?: Caller;
  error?: ApplicationError;
}

declare module 'fastify' {
  interface FastifyRequest {
    context: RequestContext;
  }
}

const REQUEST_ID = /^[A-Za-z0-9_-]{8,64}$/;
const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const NO_TRACE = '0'.repeat(32);

/** The context of a request that has just arrived: its id, and its trace (W3C Trace Context), taken over or begun. */
export function beginContext(request: FastifyRequest): RequestContext {
  const traceId = TRACEPARENT.exec(String(request.headers.traceparent ?? ''))?.[1];
  const ip = callerAddress(request);
  return {
    info: {
      requestId: requestIdOf(request.headers['x-request-id']),
      traceId: traceId && traceId !== NO_TRACE ? traceId : randomBytes(16).toString('hex'),
      ...(ip !== undefined && { ip }),
      ...(request.headers['user-agent'] && { userAgent: request.headers['user-agent'].slice(0, 256) }),
    },
  };
}

function requestIdOf(given: unknown): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
}

/** The caller of an authorized route. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>().context;
  if (!caller) throw new Error('The route has no caller: it is public.');
  return caller;
});

/** What the transport knows of the request; for public routes, which have no caller. */
export const CurrentRequest = createParamDecorator(
  (_: unknown, context: ExecutionContext): RequestInfo =>
    context.switchToHttp().getRequest<FastifyRequest>().context.info,
);

/** The portal whose key the request has shown; on routes that need one. */
export const CurrentPortal = createParamDecorator((_: unknown, context: ExecutionContext): Portal => {
  const { portal } = context.switchToHttp().getRequest<FastifyRequest>().context;
  if (!portal) throw new Error('The route needs no portal key.');
  return portal;
});
