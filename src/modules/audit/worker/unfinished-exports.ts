import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';
import { Enqueuer } from '../../../platform/queue/enqueuer.js';
import { writeExport } from '../exports.jobs.js';

/** An export that stands still this long is queued again, in milliseconds; a job that is under way keeps its place. */
const STALLED_MS = 60_000;
const BATCH = 100;

/** Finds exports whose job was lost or failed. */
@Injectable()
export class UnfinishedExports extends Chore {
  readonly name = 'unfinished exports';

  constructor(
    private readonly database: DatabaseService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - STALLED_MS);
    const rows = await this.database.outside.$queryRaw<{ id: string; organization_id: string }[]>`
      SELECT id, organization_id FROM audit_unfinished_exports(${before}::timestamptz, ${BATCH}::int)`;
    await this.enqueuer.enqueue(
      writeExport,
      rows.map(({ id: exportId, organization_id: organizationId }) => ({ organizationId, exportId })),
    );
  }
}
