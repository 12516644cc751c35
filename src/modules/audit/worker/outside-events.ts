import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import { isRetired, type RetiredMonth, retiredMonths } from '../retired.rows.js';
import { eventLeaf } from '../seal.js';
import { ourSealKeys } from '../seal.rows.js';
import type { SealedEvent } from '../sealed-events.rows.js';
import { provenMonths } from '../verification/proven-months.js';
import { LedgerDamaged } from './export.errors.js';

/**
 * Events that an export leaves out for their times. The time that a tree says an event has is not signed: it could be another
 * one's word, so that the export would be complete without an event of its interval.
 */
export class OutsideEvents {
  private months: Promise<RetiredMonth[]> | undefined;

  constructor(
    private readonly sources: { database: DatabaseService; storage: StorageService; masterKey: Uint8Array },
    private readonly organizationId: string,
  ) {}

  /**
   * It stands under that time as it was sealed, or was of a month that an export is kept of.
   * @throws {LedgerDamaged}
   */
  async expectSealed({ position, line, outside }: SealedEvent): Promise<void> {
    const { leaf, time } = outside!;
    if (line ? eventLeaf(line.subarray(0, -1)).equals(leaf) : isRetired(await this.retired(), time)) return;
    throw new LedgerDamaged(position);
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
