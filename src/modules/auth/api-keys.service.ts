import { Injectable } from '@nestjs/common';
import type { Credential } from '../../platform/authorization/principal.js';
import { isScope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { invalidToken } from './auth.errors.js';

/** What every API key begins with, so that a leaked one is recognised by scanners. */
export const API_KEY_PREFIX = 'sdk_live_';

const LAST_USE_RESOLUTION_MS = 60_000;

/** Opaque bearer keys, known by their hash alone. */
@Injectable()
export class ApiKeysService {
  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** @throws invalid_token when no living key has that value. */
  async authenticate(key: string): Promise<Credential> {
    const [found] = await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
      SELECT * FROM resolve_api_key(${Uint8Array.from(sha256(key))})`;
    if (!found) throw invalidToken();
    const now = this.clock.now();
    return this.database.withOrganization(found.organization_id, async (tx) => {
      const row = await tx.apiKey.findUniqueOrThrow({ where: { id: found.id } });
      if (!row.lastUsedAt || now.getTime() - row.lastUsedAt.getTime() > LAST_USE_RESOLUTION_MS)
        await tx.apiKey.updateMany({ where: { id: row.id }, data: { lastUsedAt: now } });
      return {
        kind: 'api_key',
        principalId: row.id,
        organizationId: row.organizationId,
        scopes: row.scopes.filter(isScope),
      };
    });
  }
}
