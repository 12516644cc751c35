import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import { isRetired, type RetiredMonth, retiredMonths } from '../retired.rows.js';
import { ourSealKeys } from '../seal.rows.js';
import { provenMonths } from '../verification/proven-months.js';
import { LedgerDamaged, MonthRetired } from './export.errors.js';
import type { LostEvent } from './lines/tree-lines.js';

/** Events that an export passes over, since they went with a month that another export is kept of. */
export class RetiredEvents {
  private months: Promise<RetiredMonth[]> | undefined;

  constructor(
    private readonly sources: { database: DatabaseService; storage: StorageService; masterKey: Uint8Array },
    private readonly organizationId: string,
  ) {}

  /**
   * @throws {LedgerDamaged} of the first that is not such an event
   * @throws {MonthRetired} of one that is wanted: its month went while the export was waiting, or under way
   */
  async expectRetired(lost: readonly LostEvent[]): Promise<void> {
    for (const { position, time, wanted } of lost) {
      if (!time || !isRetired(await this.retired(), time)) throw new LedgerDamaged(position);
      if (wanted) throw new MonthRetired();
    }
  }

  private retired(): Promise<RetiredMonth[]> {
    return (this.months ??= this.findRetired());
  }

  private async findRetired(): Promise<RetiredMonth[]> {
    const { organizationId, sources } = this;
    const [keys, told] = await sources.database.withOrganizationSql(organizationId, async (tx) => [
      await ourSealKeys(tx, sources.masterKey),
      await retiredMonths(tx, organizationId),
    ]);
    return provenMonths(sources, keys, organizationId, told);
  }
}
