import type { DatabaseService } from '../../../platform/database/database.service.js';
import type { StorageService } from '../../../platform/storage/storage.service.js';
import { isRetired, type RetiredMonth, retiredMonths } from '../retired.rows.js';
import { eventLeaf } from '../seal.js';
import { ourSealKeys } from '../seal.rows.js';
import { provenMonths } from '../verification/proven-months.js';
import { LedgerDamaged } from './export.errors.js';
import type { OutsideEvent, SealedEvents } from './lines/sealed-events.rows.js';

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
   * Each stands under that time as it was sealed, or was of a month that an export is kept of; and none of the others is missing.
   * @throws {LedgerDamaged} of the first that is not so
   */
  async expectSealed({ outside, missing = Infinity }: SealedEvents): Promise<void> {
    for (const event of outside)
      if (event.position < missing && !(await this.isSealed(event))) throw new LedgerDamaged(event.position);
    if (missing < Infinity) throw new LedgerDamaged(missing);
  }

  private async isSealed({ time, leaf, form }: OutsideEvent): Promise<boolean> {
    return form ? eventLeaf(form).equals(leaf) : isRetired(await this.retired(), time);
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
