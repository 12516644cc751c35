import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { AuditService } from '../audit.service.js';
import '../exports.events.js';
import { exportKey, manifestKey } from '../exports.keys.js';
import { ourSealKeys } from '../seal.rows.js';
import { examine } from './kept-export.js';
import type { KeptExport, LedgerOwner, MonthOrganization } from './ledger-owner.js';
import { isOlderThan, type Month } from './month.js';
import { candidates, requestExport } from './month-exports.js';
import { RetirementRefused } from './retirement.errors.js';

/** What became of a month. */
export type Outcome =
  /** Out of the ledger; its table is there until it is dropped. */
  | { state: 'retired'; month: string; organizations: number; events: number }
  /** Nothing was changed: exports of these organizations are under way. */
  | { state: 'waiting'; month: string; requested: { organization: string; export: string }[] }
  | { state: 'dropped'; month: string; organizations: number; events: number };

export interface RetireOptions {
  /** Asks for exports that are missing, rather than refusing the month. */
  requestExports: boolean;
  /** Public keys by `kid`. Absent: those in the database that the master key says are ours. */
  keys?: ReadonlyMap<string, KeyObject> | undefined;
}

/**
 * Takes months that are old enough out of the ledger, once an export of them was read back from the bucket and proven. What is
 * refused here is refused once more in the transaction that does it (`audit_retire_month`), so that nothing that comes in
 * between is overlooked.
 */
@Injectable()
export class RetirementService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Twice is once. @throws RetirementRefused */
  async retire(owner: LedgerOwner, month: Month, { requestExports, keys }: RetireOptions): Promise<Outcome> {
    if ((await owner.placeOf(month)) !== 'ledger') return this.retiredBefore(owner, month);
    const { AUDIT_RETENTION_MONTHS: months } = this.config;
    if (!isOlderThan(month, months, this.clock.now()))
      throw new RetirementRefused(
        `Events of ${month.name} are kept for ${months} months (AUDIT_RETENTION_MONTHS), and are younger`,
      );
    const organizations = await owner.organizationsOf(month);
    refuse(organizations, ({ held }) => held, `A legal hold keeps ${month.name}`);
    refuse(organizations, ({ unsealed }) => unsealed > 0, `Events of ${month.name} are not sealed yet`);
    const trusted = keys ?? (await this.ourKeys());
    const [kept, missing]: [KeptExport[], { organizationId: string; why: string }[]] = [[], []];
    for (const organization of organizations) {
      const found = await this.keptFor(organization, month, trusted);
      if ('why' in found) missing.push(found);
      else kept.push(found);
    }
    if (missing.length > 0) return this.exportsMissing(month, missing, requestExports);
    const events = await owner.retire(month, kept, this.clock.now());
    return { state: 'retired', month: month.name, organizations: kept.length, events };
  }

  /** Drops the table of a month that was retired, once all of its exports were proven again. @throws RetirementRefused */
  async drop(owner: LedgerOwner, month: Month, { keys }: Pick<RetireOptions, 'keys'>): Promise<Outcome> {
    const place = await owner.placeOf(month);
    if (place === 'ledger')
      throw new RetirementRefused(`${month.name} is in the ledger: retire it first, without --drop`);
    if (place === 'nowhere') throw new RetirementRefused(`${month.name} has no table`);
    const kept = await owner.keptOf(month);
    const trusted = keys ?? (await this.ourKeys());
    refuse(kept, ({ held }) => held, `A legal hold keeps ${month.name}`);
    for (const each of kept) {
      const found = await examine(this.storage, trusted, each, month);
      const why =
        'unfit' in found
          ? found.unfit
          : found.events !== each.events && `it has ${found.events} events of the month, not ${each.events}`;
      if (why) throw new RetirementRefused(`The export ${each.exportId}: ${why}`, [each.organizationId]);
    }
    const organizations = kept.map(({ organizationId }) => organizationId);
    const events = await owner.drop(month, organizations, this.clock.now());
    return { state: 'dropped', month: month.name, organizations: kept.length, events };
  }

  private async retiredBefore(owner: LedgerOwner, month: Month): Promise<Outcome> {
    const kept = await owner.keptOf(month);
    if (kept.length === 0 && (await owner.placeOf(month)) === 'nowhere')
      throw new RetirementRefused(`The ledger has no partition of ${month.name}`);
    const events = kept.reduce((sum, each) => sum + each.events, 0);
    return { state: 'retired', month: month.name, organizations: kept.length, events };
  }

  /** An export that has exactly the organization's events of the month, or why there is none. */
  private async keptFor(
    { organizationId, events }: MonthOrganization,
    month: Month,
    keys: ReadonlyMap<string, KeyObject>,
  ): Promise<KeptExport | { organizationId: string; why: string }> {
    const rows = await this.database.withOrganization(organizationId, (tx) =>
      candidates(tx, organizationId, month),
    );
    let why = 'there is no complete export of the month as NDJSON';
    for (const row of rows) {
      const export_ = {
        organizationId,
        exportId: row.id,
        exportKey: exportKey(row),
        manifestKey: manifestKey(row),
        manifestSha256: Buffer.from(row.manifestSha256!),
      };
      const found = await examine(this.storage, keys, export_, month);
      if ('events' in found && found.events === events) return { ...export_, events };
      const unfit =
        'unfit' in found ? found.unfit : `it has ${found.events} events of the month, not ${events}`;
      why = `export ${row.id}: ${unfit}`;
    }
    return { organizationId, why };
  }

  private async exportsMissing(
    month: Month,
    missing: { organizationId: string; why: string }[],
    request: boolean,
  ): Promise<Outcome> {
    if (!request)
      throw new RetirementRefused(
        `Not every organization has a verified export of ${month.name} (--request-exports asks for them)`,
        missing.map(({ organizationId, why }) => `${organizationId}: ${why}`),
      );
    const requested: { organization: string; export: string }[] = [];
    for (const { organizationId: organization } of missing)
      requested.push({
        organization,
        export: await this.database.withOrganization(organization, (tx) =>
          requestExport(tx, this.audit, organization, month, this.clock.now()),
        ),
      });
    return { state: 'waiting', month: month.name, requested };
  }

  private ourKeys(): Promise<Map<string, KeyObject>> {
    return ourSealKeys(this.database.outside, this.config.SCANDOCK_MASTER_KEY);
  }
}

function refuse<Row extends { organizationId: string }>(
  rows: readonly Row[],
  when: (row: Row) => boolean,
  reason: string,
): void {
  const found = rows.filter(when).map(({ organizationId }) => organizationId);
  if (found.length > 0) throw new RetirementRefused(reason, found);
}
