import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Portal } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { recordKeyUse } from './api-key.rows.js';
import { organizationNotFound } from './auth.errors.js';

/** What every portal's key begins with. It tells the organization of a patient's app, and is no secret. */
export const PORTAL_KEY_PREFIX = 'sdk_portal_';

/** How long a key is taken as known, in milliseconds: a revoked one ends everywhere within a second. */
const TRUST_MS = 500;
const MAX_TRUSTED = 1_000;

/** From a portal's key to its organization. */
@Injectable()
export class PortalKeysService {
  private readonly trusted = new LRUCache<string, Portal>({ max: MAX_TRUSTED, ttl: TRUST_MS });

  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** @throws organization_not_found when no living key has that value. */
  async resolve(key: string): Promise<Portal> {
    const hash = sha256(key);
    const digest = hash.toString('base64');
    const known = this.trusted.get(digest);
    if (known) return known;
    const [found] = await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
      SELECT * FROM resolve_portal_key(${Uint8Array.from(hash)})`;
    if (!found) throw organizationNotFound();
    const { organization_id: organizationId, id } = found;
    await this.database.withOrganizationSql(organizationId, (tx) =>
      recordKeyUse(tx, { organizationId, id, hash }, this.clock.now()),
    );
    const portal = { organizationId, apiKeyId: id };
    this.trusted.set(digest, portal);
    return portal;
  }
}
