import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { Ledgers } from '../../access/ledgers.js';
import { WORKER } from '../../audit/audit.actors.js';
import { STAGING_PREFIX } from '../../uploads/uploads.keys.js';
import { finishPurge, findPurge, markEmptied, purgeRows, reportPurge } from './deletion.rows.js';

/**
 * So long after nothing was left, in milliseconds, it is looked once more: a URL that was signed before the organization was
 * disabled is good for 15 minutes, and a copy that a worker had begun takes three at most.
 */
export const SETTLING_MS = 20 * 60_000;

/** Rows of one table in one statement. */
const BATCH = 2_000;

/** The bucket does not let go of some of the objects (an object lock, say). */
class ObjectsKept extends Error {
  override name = 'ObjectsKept';
}

/**
 * Removes an organization's bytes, then its rows, then whatever came while that went on. Each step looks for what is left,
 * so that it can be broken off and begun anew anywhere.
 */
@Injectable()
export class OrganizationPurge {
  constructor(
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly ledgers: Ledgers,
    private readonly clock: Clock,
  ) {}

  /** Twice is once. @throws {ObjectsKept} rows stay as long as their bytes do */
  async purge(deletion: { organizationId: string; deletionId: string }): Promise<void> {
    const { organizationId } = deletion;
    const found = await this.database.withOrganizationSql(organizationId, (tx) => findPurge(tx, deletion));
    if (!found) return;
    const { emptiedAt } = found;
    if (emptiedAt && this.clock.now().getTime() - emptiedAt.getTime() < SETTLING_MS) return;
    for (const prefix of [`${STAGING_PREFIX}${organizationId}/`, `objects/${organizationId}/`])
      await this.removeObjects(organizationId, prefix);
    await this.removeRows(organizationId);
    if (emptiedAt) await this.finish(deletion);
    else
      await this.database.withOrganizationSql(organizationId, (tx) =>
        markEmptied(tx, organizationId, this.clock.now()),
      );
  }

  private async removeObjects(organizationId: string, prefix: string): Promise<void> {
    let kept = 0;
    for await (const page of this.storage.list(prefix)) {
      if (page.length === 0) continue;
      const refused = await this.storage.delete(page.map(({ key }) => key));
      kept += refused.size;
      await this.database.withOrganizationSql(organizationId, (tx) =>
        reportPurge(tx, organizationId, { objects: page.length - refused.size }, this.clock.now()),
      );
    }
    if (kept > 0) throw new ObjectsKept();
  }

  private async removeRows(organizationId: string): Promise<void> {
    for (let rows: number | undefined = 0; rows !== undefined;)
      rows = await this.database.withOrganizationSql(organizationId, async (tx) => {
        const gone = await purgeRows(tx, organizationId, BATCH);
        if (gone !== undefined) await reportPurge(tx, organizationId, { rows: gone }, this.clock.now());
        return gone;
      });
  }

  private async finish(deletion: { organizationId: string; deletionId: string }): Promise<void> {
    const { organizationId, deletionId } = deletion;
    await this.database.withOrganization(organizationId, async (tx) => {
      const counts = await finishPurge(tx, deletion, this.clock.now());
      if (!counts) return;
      await this.ledgers.record<'organizations:purged'>(tx, organizationId, {
        organizationId: PLATFORM_ORGANIZATION,
        actor: WORKER,
        action: 'organizations:purged',
        outcome: 'success',
        resource: { type: 'Organization', id: organizationId },
        detail: { deletion: deletionId, ...counts },
      });
    });
  }
}
