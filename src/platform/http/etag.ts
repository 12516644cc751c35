import {
  type CallHandler,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { ApplicationError, validationError } from '../errors/application-error.js';

/** The version a change was made for; `any` with `If-Match: *`. */
export type ExpectedVersion = number | 'any';

/** RFC 9110, section 13.1.1. */
export const preconditionFailed = (): ApplicationError =>
  new ApplicationError(
    'precondition_failed',
    412,
    'It was changed since you read it. Read it again, and repeat your change with its new ETag in If-Match.',
  );

/** RFC 6585, section 3: without it two administrators would undo each other's changes unknowingly. */
const preconditionRequired = (): ApplicationError =>
  new ApplicationError(
    'precondition_required',
    428,
    'Say which version you change: the ETag you read, in If-Match.',
  );

const ETAG = /^"([1-9]\d{0,8})"$/;

/** The version named by `If-Match`, as `"7"` or `*`. Lists and weak tags are refused. @throws precondition_required */
export function readIfMatch(header: string | undefined): ExpectedVersion {
  if (header === undefined || header.trim() === '') throw preconditionRequired();
  if (header.trim() === '*') return 'any';
  const [, version] = ETAG.exec(header.trim()) ?? [];
  if (version === undefined)
    throw validationError([{ path: 'If-Match', message: 'must be one ETag of this API, or *' }]);
  return Number(version);
}

/** What the row must be for the change to be made: to be added to the `where` of its update. */
export const atVersion = (expected: ExpectedVersion): { version?: number } =>
  expected === 'any' ? {} : { version: expected };

/** The version a request says it changes. To be used with {@link NeedsIfMatch}. @throws precondition_required */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext): ExpectedVersion =>
  readIfMatch(context.switchToHttp().getRequest<FastifyRequest>().headers['if-match']),
);

/** Says in the OpenAPI document that a route demands `If-Match`. */
export const NeedsIfMatch = (): MethodDecorator =>
  ApiHeader({
    name: 'If-Match',
    required: true,
    description: 'The ETag of what you have read, or `*`; 412 when it has changed since',
  });

/** Puts the version of what a route answers with, its `version`, into the header `ETag` (RFC 9110, section 8.8.3). */
@Injectable()
export class EtagInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      map((answer: unknown) => {
        const version = (answer as { version?: unknown } | undefined)?.version;
        if (typeof version === 'number') reply.header('etag', `"${version}"`);
        return answer;
      }),
    );
  }
}
