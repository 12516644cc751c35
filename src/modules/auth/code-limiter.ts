import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { addressKey } from '../../platform/http/address-key.js';
import { tooManyCodes } from './auth.errors.js';

const WINDOW_SECONDS = 60;

/** So many codes a minute may be asked for from one address of the network (IPv6: one /64), in each process: a portal's key is public. */
@Injectable()
export class CodeLimiter {
  private readonly limiter: RateLimiterMemory;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    this.limiter = new RateLimiterMemory({
      points: config.SIGN_IN_CODES_PER_MINUTE,
      duration: WINDOW_SECONDS,
    });
  }

  /** @throws rate_limited */
  async consume(ip: string | undefined): Promise<void> {
    await this.limiter.consume(addressKey(ip)).catch(({ msBeforeNext }: RateLimiterRes) => {
      throw tooManyCodes(Math.ceil(msBeforeNext / 1000));
    });
  }
}
