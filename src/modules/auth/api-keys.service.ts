import { Injectable } from '@nestjs/common';
import type { Credential } from '../../platform/authorization/principal.js';
import { isScope } from '../../platform/authorization/scopes.js';
import { Clock } from '../../platform/clock/clock.js';
import { sha256 } from '../../platform/crypto/master-key.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { recordKeyUse } from './api-key.rows.js';
import { invalidToken } from './auth.errors.js';

/** What every API key begins with, so that a leaked one is recognised by scanners. */
export const API_KEY_PREFIX = 'sdk_live_';

/** Opaque bearer keys, known by their hash alone. */
@Injectable()
export class ApiKeysService {
  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  /** Whose key that is, for who asks about it: that is no use of it. */
  async find(key: string): Promise<Pick<Credential, 'principalId' | 'organizationId'> | undefined> {
    const [found] = await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
      SELECT * FROM resolve_api_key(${Uint8Array.from(sha256(key))})`;
    return found && { principalId: found.id, organizationId: found.organization_id };
  }

  /** @throws invalid_token when no living key has that value. */
  async authenticate(key: string): Promise<Credential> {
    const hash = Uint8Array.from(sha256(key));
    const [found] = await this.database.outside.$queryRaw<{ organization_id: string; id: string }[]>`
      SELECT * FROM resolve_api_key(${hash})`;
    if (!found) throw invalidToken();
    const { organization_id: organizationId, id } = found;
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      await recordKeyUse(tx, { organizationId, id, hash }, this.clock.now());
      const [row] = await tx.$queryRaw<{ scopes: string[] }[]>`
        SELECT scopes FROM api_key WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid`;
      const scopes = row!.scopes.filter(isScope);
      return { kind: 'api_key', principalId: id, organizationId, scopes };
    });
  }
}
