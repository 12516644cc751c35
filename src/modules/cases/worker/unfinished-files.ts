import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';
import { DiscardService } from './discard.service.js';

/**
 * A row that is not visible this long after it was written will never be: a PUT takes 30 s at most, the worker is waited
 * for 25 s. Whoever is slower still finds the row given up, and says so to its caller.
 */
const UNFINISHED_MS = 120_000;
const BATCH = 500;

/** Finds the files whose API process died between row and visibility, or whose discard job was lost. */
@Injectable()
export class UnfinishedFiles extends Chore {
  readonly name = 'unfinished files';

  constructor(
    private readonly database: DatabaseService,
    private readonly discards: DiscardService,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - UNFINISHED_MS);
    const rows = await this.database.outside.$queryRaw<{ id: string; organization_id: string }[]>`
      SELECT * FROM reconcile_unfinished_files(${before}::timestamptz, ${BATCH}::int)`;
    const failures: unknown[] = [];
    for (const { id: fileId, organization_id: organizationId } of rows)
      // One tenant's trouble is not the others'.
      await this.discards.discard({ fileId, organizationId }).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
