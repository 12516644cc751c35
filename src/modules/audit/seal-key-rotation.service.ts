import { Inject, Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { OPERATOR } from './audit.actors.js';
import { AuditService } from './audit.service.js';
import { newSealKey, openSealKey } from './seal.js';
import { insertSealKey, lockSealKeys, signingSealKey } from './seal.rows.js';

declare module './audit.events.js' {
  interface AuditDetails {
    'seal-keys:rotate': { former: string | null };
  }
}

export interface SealKeyRotation {
  kid: string;
  /** The key that has signed until now. It verifies for ever. */
  former: string | null;
}

/** The operator's: gives the key that signs seals a successor. */
@Injectable()
export class SealKeyRotationService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * The new key signs from the next seal on. Nothing is signed anew.
   * @throws WrongMasterKey when the key there is was sealed under another
   */
  rotate(): Promise<SealKeyRotation> {
    const { SCANDOCK_MASTER_KEY: masterKey } = this.config;
    return this.database.withOrganizationSql(PLATFORM_ORGANIZATION, async (tx) => {
      await lockSealKeys(tx);
      const former = await signingSealKey(tx, masterKey);
      if (former) openSealKey(masterKey, former);
      const key = await newSealKey(masterKey);
      // The newest signs, whatever the clock of the machine said that made the former.
      const after = (former?.createdAt.getTime() ?? 0) + 1;
      await insertSealKey(tx, key, new Date(Math.max(this.clock.now().getTime(), after)));
      const rotation = { kid: key.kid, former: former?.kid ?? null };
      await this.audit.record<'seal-keys:rotate'>(tx, {
        organizationId: PLATFORM_ORGANIZATION,
        actor: OPERATOR,
        action: 'seal-keys:rotate',
        outcome: 'success',
        resource: { type: 'SealKey', id: key.kid },
        detail: { former: rotation.former },
      });
      return rotation;
    });
  }
}
