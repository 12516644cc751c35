import { Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { Chore } from '../../../platform/queue/chore.js';
import { Enqueuer } from '../../../platform/queue/enqueuer.js';
import { advanceDeletion } from '../tenants.jobs.js';
import { SETTLING_MS } from './organization.purge.js';

/** A deletion that stands still this long is queued again, in milliseconds; a job that is under way keeps its place. */
const STALLED_MS = 60_000;
const BATCH = 100;

/** Finds deletions whose job was lost or failed, and those that are to be looked at once more. */
@Injectable()
export class UnfinishedDeletions extends Chore {
  readonly name = 'unfinished deletions';

  constructor(
    private readonly database: DatabaseService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const ago = (milliseconds: number) => new Date(this.clock.now().getTime() - milliseconds);
    const rows = await this.database.outside.$queryRaw<
      { id: string; organization_id: string; state: string }[]
    >`
      SELECT id, organization_id, state::text FROM reconcile_deletions(
        ${ago(STALLED_MS)}::timestamptz, ${ago(SETTLING_MS)}::timestamptz, ${BATCH}::int)`;
    await this.enqueuer.enqueue(
      advanceDeletion,
      rows.map(({ id: deletionId, organization_id: organizationId, state }) => ({
        organizationId,
        deletionId,
        step: state === 'purging' ? 'purge' : 'export',
      })),
    );
  }
}
