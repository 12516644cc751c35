import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toApplicationError } from '../errors/translate-error.js';
import { causeForLog } from '../logging/cause-for-log.js';
import { bothChallenges } from './challenge.js';
import { type ErrorFormat, errorHeaders, formatFor, renderError } from './error-format.js';

/** Every error of every route leaves through here, in the format of its surface. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly formats: ErrorFormat[]) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = toApplicationError(thrown);
    request.context.error = error;
    // Who hangs up in the middle of a body is no outage of ours.
    if (error.status >= 500 && !request.raw.readableAborted)
      request.log.error({ requestId: request.context.info.requestId, cause: causeForLog(error) }, error.code);
    if (reply.sent) return;
    const format = formatFor(this.formats, request.url);
    void reply
      .code(error.status)
      .headers({
        'cache-control': 'no-store',
        ...errorHeaders(format, error),
        ...(error.status === 401 &&
          request.context.basic && { 'www-authenticate': bothChallenges(error.headers['www-authenticate']) }),
      })
      .type(format.contentType)
      .send(renderError(format, error, request.context.info.requestId));
  }
}
