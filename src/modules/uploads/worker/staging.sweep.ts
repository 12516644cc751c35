import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { type ObjectFacts, StorageService } from '../../../platform/storage/storage.service.js';
import { causeForLog } from '../../../platform/logging/cause-for-log.js';
import { LandingService } from '../landing.service.js';
import type { Noticed } from '../registrar.js';
import { LATE_LANDING_MS, type LandedFacts } from '../upload.ledger.js';
import { parseStagingKey, STAGING_PREFIX } from '../uploads.keys.js';
import { SYSTEM } from './system-actor.js';

/** An object under staging/ that no record knows is reported, and removed when it is this old. */
const ORPHAN_LIFETIME_MS = 24 * 3600 * 1000;

/** Slack between our clock and the bucket's. */
const CLOCK_SLACK_MS = 60_000;

interface LedgerEntry {
  id: string;
  organization_id: string;
  state: string;
  url_expires_at: Date;
}

/**
 * Goes through `staging/` page by page and matches what lies there with the ledger. Alone enough: were every queue and
 * every notification lost, each object would still be found here.
 */
@Injectable()
export class StagingSweep {
  private readonly logger = new Logger(StagingSweep.name);

  constructor(
    private readonly storage: StorageService,
    private readonly database: DatabaseService,
    private readonly landing: LandingService,
    private readonly clock: Clock,
  ) {}

  /** What has landed before is in the ledger after it. */
  async run(): Promise<Noticed> {
    const noticed = { until: this.clock.now(), except: new Set<string>() };
    for await (const page of this.storage.list(STAGING_PREFIX))
      for (const organizationId of await this.sweep(page)) noticed.except.add(organizationId);
    return noticed;
  }

  /** Returns the organizations whose objects could not be landed. */
  private async sweep(page: ObjectFacts[]): Promise<string[]> {
    const now = this.clock.now().getTime();
    const ids = page.flatMap(({ key }) => parseStagingKey(key)?.uploadId ?? []);
    const entries = await this.database.outside.$queryRaw<
      LedgerEntry[]
    >`SELECT * FROM reconcile_lookup(${ids}::uuid[])`;
    const ledger = new Map(entries.map((entry) => [entry.id, entry]));

    const landed = new Map<string, LandedFacts[]>();
    const spent: string[] = [];
    let orphans = 0;
    for (const object of page) {
      const owner = parseStagingKey(object.key);
      const entry = owner && ledger.get(owner.uploadId);
      if (!entry || entry.organization_id !== owner.organizationId) {
        orphans++;
        if (object.modifiedAt.getTime() < now - ORPHAN_LIFETIME_MS) spent.push(object.key);
        continue;
      }
      const late = entry.url_expires_at.getTime() < now - LATE_LANDING_MS;
      if (entry.state === 'issued' || (entry.state === 'expired' && !late)) {
        const facts = landed.get(entry.organization_id) ?? [];
        landed.set(entry.organization_id, [...facts, { uploadId: entry.id, ...object }]);
      } else if (entry.state !== 'landed' && entry.url_expires_at.getTime() < now - CLOCK_SLACK_MS) {
        spent.push(object.key); // settled, and its URL can bring nothing new
      }
    }
    const failed: string[] = [];
    for (const [organizationId, facts] of landed)
      // One tenant's trouble must not hide the objects of all others; the next pass tries again.
      await this.landing.land({ organizationId, actor: SYSTEM }, facts).catch((error: unknown) => {
        failed.push(organizationId);
        this.logger.warn({ organizationId, cause: causeForLog(error) }, 'landing failed');
      });
    await this.storage.delete(spent);
    if (orphans > 0) this.logger.warn(`${orphans} objects under ${STAGING_PREFIX} belong to no upload`);
    return failed;
  }
}
