import { Inject, Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import { Clock } from '../../platform/clock/clock.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { OPERATOR } from '../audit/audit.actors.js';
import { AuditService } from '../audit/audit.service.js';
import { newSigningKey, openSigningKey, type SigningKeyRow } from './signing-key.js';

/** A new key is published this long before it signs, in milliseconds: whoever verifies by our JWKS keeps it for a minute. */
const PUBLISHED_FIRST_MS = 5 * 60_000;
/** The last token a key signs is over by then, in milliseconds: the longest lifetime there is, and clocks that differ. */
const OUTLIVED_BY_MS = 3600_000 + 60_000;

/** Message of the error when the keys there are cannot be opened. */
export const WRONG_MASTER_KEY = 'SCANDOCK_MASTER_KEY is not the one the keys are sealed under';

export interface KeyRotation {
  kid: string;
  /** From when it signs. */
  activeAt: Date;
  /** The keys it takes the place of, and from when they verify nothing any more. */
  retired: string[];
  retiredAt: Date;
}

/** The operator's: gives the keys that sign access tokens a successor. */
@Injectable()
export class KeyRotationService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes a key. Usually it is published now and signs in five minutes, and those before it verify until the last token
   * they have signed is over, so that nobody notices. `atOnce`, for a key that has leaked: it signs now, and no token that
   * was signed with another is good any more.
   * @throws {@link WRONG_MASTER_KEY} when the keys there are were sealed under another
   */
  rotate({ atOnce }: { atOnce: boolean }): Promise<KeyRotation> {
    const { SCANDOCK_MASTER_KEY: masterKey } = this.config;
    return this.database.withOrganization(PLATFORM_ORGANIZATION, async (tx) => {
      await tx.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended('signing keys', 0))::text`;
      const now = this.clock.now();
      const living = await tx.signingKey.findMany({
        where: { OR: [{ retiredAt: null }, { retiredAt: { gt: now } }] },
      });
      // A key that the processes cannot open would stop them all.
      for (const key of living) assertOpens(masterKey, key);
      const activeAt = atOnce || living.length === 0 ? now : new Date(now.getTime() + PUBLISHED_FIRST_MS);
      const retiredAt = atOnce ? now : new Date(activeAt.getTime() + OUTLIVED_BY_MS);
      // What is to be retired already was outlived by the one before this.
      const leaving = living.filter((key) => atOnce || key.retiredAt === null).map(({ kid }) => kid);
      await tx.signingKey.updateMany({ where: { kid: { in: leaving } }, data: { retiredAt } });
      const key = await newSigningKey(masterKey, { createdAt: now, activeAt });
      await tx.signingKey.create({ data: key });
      const rotation = { kid: key.kid, activeAt, retired: leaving.sort(), retiredAt };
      await this.record(tx, rotation);
      return rotation;
    });
  }

  private record(
    tx: Parameters<AuditService['record']>[0],
    { kid, activeAt, retired, retiredAt }: KeyRotation,
  ): Promise<void> {
    return this.audit.record<'signing-keys:rotate'>(tx, {
      organizationId: PLATFORM_ORGANIZATION,
      actor: OPERATOR,
      action: 'signing-keys:rotate',
      outcome: 'success',
      resource: { type: 'SigningKey', id: kid },
      detail: { active_at: activeAt.toISOString(), retired, retired_at: retiredAt.toISOString() },
    });
  }
}

function assertOpens(masterKey: Uint8Array, key: SigningKeyRow): void {
  try {
    openSigningKey(masterKey, key);
  } catch (cause) {
    throw new Error(WRONG_MASTER_KEY, { cause });
  }
}
