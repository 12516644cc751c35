import { Processor } from '@nestjs/bullmq';
import { Clock } from '../../../platform/clock/clock.js';
import { DatabaseService } from '../../../platform/database/database.service.js';
import { JobProcessor, PROCESSOR_OPTIONS } from '../../../platform/queue/job.processor.js';
import { advanceDeletion, type AdvanceDeletionPayload } from '../tenants.jobs.js';
import { recordFailure } from './deletion.rows.js';
import { ExportService } from './export.service.js';
import { OrganizationPurge } from './organization.purge.js';

/** Takes `advance-deletion` jobs, which may take hours: one at a time, in a queue of their own. */
@Processor(advanceDeletion.queue, PROCESSOR_OPTIONS)
export class DeletionProcessor extends JobProcessor<AdvanceDeletionPayload> {
  readonly job = advanceDeletion;
  protected readonly concurrency = 1;

  constructor(
    private readonly exports: ExportService,
    private readonly purges: OrganizationPurge,
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {
    super();
  }

  handle(payload: AdvanceDeletionPayload): Promise<void> {
    return payload.step === 'export' ? this.exports.export(payload) : this.purges.purge(payload);
  }

  override async giveUp(payload: AdvanceDeletionPayload, error: unknown): Promise<void> {
    const { code, name } = error as { code?: unknown; name: string };
    const kind = typeof code === 'string' ? code : name;
    await this.database.withOrganizationSql(payload.organizationId, (tx) =>
      recordFailure(tx, payload, kind, this.clock.now()),
    );
  }
}
