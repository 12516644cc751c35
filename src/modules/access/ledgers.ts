import { Injectable } from '@nestjs/common';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import type { AuditEntry } from '../audit/audit.events.js';
import { AuditService } from '../audit/audit.service.js';

/**
 * Tells of what is done to an organization, by itself or by the platform's owner: in its own ledger, whose auditors must
 * find it there, and in the ledger of who did it. Both events commit with the change, or neither (docs/adr/0040).
 */
@Injectable()
export class Ledgers {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
  ) {}

  /** @param organizationId to which it is done; that of who did it is the entry's */
  async record<Action extends string>(
    tx: Transaction,
    organizationId: string,
    entry: AuditEntry<Action>,
  ): Promise<void> {
    for (const ledger of new Set([organizationId, entry.organizationId]))
      await this.database.within(tx, ledger, () =>
        this.audit.record(tx, { ...entry, organizationId: ledger }),
      );
  }
}
