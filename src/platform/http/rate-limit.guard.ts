import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { ApplicationError } from '../errors/application-error.js';
import { addressKey } from './address-key.js';

const WINDOW_SECONDS = 60;

/** So many requests a minute for each principal, in each process; public routes count by address. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  private readonly limiter: RateLimiterMemory;

  constructor(@Inject(CONFIG) private readonly config: ConfigValues) {
    this.limiter = new RateLimiterMemory({ points: config.RATE_LIMIT_PER_MINUTE, duration: WINDOW_SECONDS });
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const { context: known } = http.getRequest<FastifyRequest>();
    if (known.operation?.audited === 'never') return true;
    const outcome = await this.limiter
      .consume(known.principal?.id ?? addressKey(known.info.ip))
      .catch((refused: unknown) => refused as RateLimiterRes);
    const reset = Math.ceil(outcome.msBeforeNext / 1000);
    const limits = {
      'ratelimit-limit': String(this.config.RATE_LIMIT_PER_MINUTE),
      'ratelimit-remaining': String(outcome.remainingPoints),
      'ratelimit-reset': String(reset),
    };
    http.getResponse<FastifyReply>().headers(limits);
    if (outcome.consumedPoints <= this.config.RATE_LIMIT_PER_MINUTE) return true;
    throw new ApplicationError('rate_limited', 429, 'Too many requests. Slow down.', {
      headers: { ...limits, 'retry-after': String(reset) },
    });
  }
}
