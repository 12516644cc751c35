import { Injectable } from '@nestjs/common';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { LandingService } from './landing.service.js';
import { parseStagingKey } from './uploads.keys.js';

/** Lands what a bucket says it received. It is only asked where to look: what counts is what lies there. */
@Injectable()
export class StorageEventsService {
  constructor(private readonly landing: LandingService) {}

  /** Returns how many uploads landed by it. Keys that are none of ours, and uploads that landed before, count nothing. */
  async notice(keys: string[], origin: RequestInfo): Promise<number> {
    const named = new Map<string, Set<string>>();
    for (const key of keys) {
      const owner = parseStagingKey(key);
      if (!owner) continue;
      const { organizationId, uploadId } = owner;
      named.set(organizationId, (named.get(organizationId) ?? new Set()).add(uploadId));
    }
    let landed = 0;
    for (const [organizationId, uploadIds] of named) {
      const facts = await this.landing.look(organizationId, [...uploadIds]);
      const witness = { organizationId, actor: { kind: 'system' as const, id: 'bucket' }, origin };
      if (facts.length > 0) landed += await this.landing.land(witness, facts);
    }
    return landed;
  }
}
