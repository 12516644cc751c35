import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { ORGANIZATION_NOT_FOUND, tooManyFailures } from './auth.errors.js';

const WINDOW_SECONDS = 60;

/** A credential that is not one: a 401, or the 404 of a portal's key that nobody has. */
const isRefusal = (error: unknown): boolean =>
  (error as { status?: number }).status === 401 ||
  (error as { code?: string }).code === ORGANIZATION_NOT_FOUND;

/**
 * Counts failed credentials per address (callers give its `addressKey`) and per client, in each process. Successes cost nothing, so that a script that
 * authenticates each of its requests is not throttled for being right.
 */
@Injectable()
export class FailureLimiter {
  private readonly limiter: RateLimiterMemory;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    this.limiter = new RateLimiterMemory({
      points: config.CREDENTIAL_FAILURES_PER_MINUTE,
      duration: WINDOW_SECONDS,
    });
  }

  /**
   * For secrets nobody can guess (256 random bits): the attempt always runs, so that one misconfigured device does not
   * lock out its neighbours behind the same address; past the limit a failure answers 429 and is only counted.
   */
  async count<T>(keys: string[], attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.penalize(keys);
      throw error;
    }
  }

  /**
   * For secrets a person chose: past the limit nothing is even tried. A try is counted before it is made, and given
   * back when it was right: otherwise all guesses that are sent at once would be tried.
   */
  async guard<T>(keys: string[], attempt: () => Promise<T>): Promise<T> {
    await this.penalize(keys);
    try {
      const result = await attempt();
      await this.giveBack(keys);
      return result;
    } catch (error) {
      if (!isRefusal(error)) await this.giveBack(keys);
      throw error;
    }
  }

  private async giveBack(keys: string[]): Promise<void> {
    for (const key of keys) await this.limiter.reward(key);
  }

  private async penalize(keys: string[]): Promise<void> {
    for (const key of keys) {
      const state = await this.limiter.penalty(key);
      if (state.consumedPoints > this.limiter.points)
        throw tooManyFailures(Math.ceil(state.msBeforeNext / 1000));
    }
  }
}
